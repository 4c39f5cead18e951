# 未入室, DS-4: let in and not gone in. One item a door and day, which says in the end how many there were. Near miss: gone in.
zone room level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
card c-1 person=sato
grant sato zone=room

badge front sato
expect granted
open front
close front
wait 10s
expect finding no_entry 0
badge front sato exit
open front
close front
badge front sato
expect granted
wait 10s
expect finding no_entry 1
badge front sato
wait 10s
badge front sato
wait 10s
expect finding no_entry 1
wait 30h
expect finding no_entry 2                    # two more, said when the day was over
