# EQ-1, EQ-2, EQ-3, DS-1, VE-5: reception: delivery, tour, passage. A carry session begins at the door, serials follow the same
# day; inside it the door may stand open; a tour has a leader and a head count in and out. A number that looks like an Individual
# Number warns in serial and contract fields and is refused in free text.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
card c-1 person=sato
stock P-1
stock P-2
visit-settings bring_in.room=deny
exception EX-1 what=camera
grant sato zone=room

carry in-0 in zone=room doors=front checker=abe impact=none
expect refused missing                       # nobody attends
carry in-0 in zone=room doors=front attendee=sato checker=abe
expect refused no_impact_check
badge front sato
open front
wait 40s
expect finding held_open 1                   # nothing is carried: left open
close front
wait 10s
carry in-1 in zone=room doors=front attendee=sato checker=abe impact=none items=server,tools:count/2
badge front sato
open front
wait 3m
expect door front held_open
expect finding held_open 1                   # inside the session it may stand open
close front
carried in-1
expect owed carry_list_open 1
items in-1 server:serial/123456789018:stays tools:count/2
expect warned serial
expect owed carry_list_open 0
expect owed carry_not_out 1                  # the tools
badge front sato
open front
wait 40s
expect finding held_open 2
close front
carry out-1 out zone=room doors=front attendee=sato checker=abe impact=none items=disk:serial/X-9:data:protection/encrypted
expect refused carry_unmatched               # never carried in, and no permission is named
carry out-1 out zone=room doors=front attendee=sato checker=abe impact=none authorization=J-7 items=disk:serial/X-9:data
expect refused no_protection
at 17:17
expect finding carry_not_out 1
carry out-1 out zone=room doors=front attendee=sato checker=abe impact=none items=tools:count/2
carried out-1
expect owed carry_not_out 0

apply tour zone=room from=2026-11-25/10:00 until=2026-11-25/11:00 attendee=sato visitors=Ito type=tour heads=12 purpose="123456789018" by=abe
expect refused my_number                     # in free text
apply tour zone=room from=2026-11-25/10:00 until=2026-11-25/11:00 attendee=sato visitors=Ito type=tour heads=12 contract=123456789018 by=abe
expect refused no_contract                   # refused as a contract that there is not, not as an Individual Number
apply tour zone=room from=2026-11-25/10:00 until=2026-11-25/11:00 attendee=sato visitors=Ito type=tour heads=12 by=abe
approve tour by=sato
at 2026-11-25 10:00
receive tour Ito P-1 brings=phone
expect refused bring_in_refused
receive tour Ito P-1 brings=phone:outside,camera:exception:EX-1
badge front P-1
expect granted
open front
close front
heads tour in 12
badge front P-1 exit
open front
close front
heads tour out 11
wait 2s
take-back P-1
expect matter tour running                   # somebody is missing
expect owed tour_heads_differ 1
finish tour
expect refused still_inside
finish tour "one left through the lobby with sato"
expect matter tour closed
