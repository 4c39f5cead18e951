# DS-9: one door of the airlock opens only while the other is closed; leaving and fire are not concerned.
zone hall level=1
zone room level=2
gateway gw-1
door outer gateway=gw-1 zone=hall exit=reader interlock=inner
door inner gateway=gw-1 zone=room exit_zone=hall exit=reader interlock=outer
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=hall
grant sato zone=room
grant abe zone=hall
grant abe zone=room

badge outer sato
expect granted
open outer
badge inner abe
expect denied reason=interlock
close outer
wait 6s
badge inner sato
expect granted
open inner
badge outer abe
expect denied reason=interlock
badge outer abe exit           # nobody is trapped between the doors
expect granted
close inner
wait 10s
badge outer abe
expect granted
badge inner sato               # the other strike is released already
expect denied reason=interlock
wait 10s
fire outer on
badge inner sato
expect granted
