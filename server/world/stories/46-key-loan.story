# DS-7, EQ-4: a mechanical key is lent: the door that opens without a badge meanwhile was opened with the key, not forced. It is missed after
# a day, and a lost one is told of.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
card c-1 person=sato
key KEY-1 doors=front
key KEY-2 doors=front
grant sato zone=room

lend-key KEY-9 sato
expect refused unknown_subject               # not in the inventory
lend-key KEY-1 sato
lend-key KEY-1 abe
expect refused badge_lent
open front
close front
wait 3s
expect finding key_entry 1
expect finding forced_open 0
key-back KEY-1
open front
close front
wait 3s
expect finding key_entry 1
expect finding forced_open 1
lend-key KEY-2 abe
wait 23h
expect finding key_unreturned 0
wait 2h
expect finding key_unreturned 1
key-back KEY-2 lost
expect finding key_lost 1
expect owed key_unreturned 0
