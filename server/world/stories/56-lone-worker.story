# Alone in a room of level 3 for four hours: once a stay, also over a restart. Near miss: company after three.
zone room level=3 min_assurance=uid_only
exception e-1 subject=zone subject_id=room what=two_person
exception e-2 subject=zone subject_id=room what=escort
exception e-3 subject=zone subject_id=room what=carry_in
exception e-4 subject=zone subject_id=room what=pin_always
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=room
grant abe zone=room

badge front sato
expect granted
open front
close front
wait 3h
badge front abe
open front
close front
wait 2h
expect finding lone_worker 0
badge front sato exit
open front
close front
restart server
wait 3h
expect finding lone_worker 0
wait 2h
expect finding lone_worker 1
wait 2h
expect finding lone_worker 1
