# D7, AD-8, AD-9, AD-10: all doors of the room are on one gateway, so it decides the room's rules alone: what the server last told
# it, its own passages since, also over a restart. An officer's word reaches it with the next state.
zone room level=2 anti_passback=hard max_inside=2 two_person_within=30s
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
door side gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
person sato
person abe
person kato
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
grant sato zone=room
grant abe zone=room
grant kato zone=room

badge front sato
expect waits second
badge front abe
expect granted by=server
open front
close front
expect inside room 2
wait 15s                       # the state part comes
link down gw-1
wait 5s
badge front sato
expect denied by=gateway reason=anti_passback
badge side kato
expect denied by=gateway reason=occupancy_full
badge side abe exit
expect granted by=gateway
open side
close side
restart gw-1
wait 5s
badge side abe                 # sato is inside, so one is enough, and abe is outside
expect granted by=gateway
open side
close side
badge front sato exit
open front
close front
badge side abe exit
open side
close side
wait 5s
badge front kato               # the empty room needs two again
expect waits second
badge front sato
expect granted by=gateway
open front
close front
link up gw-1
wait 15s
expect inside room 2
forgive sato
wait 5s
expect log complete
link down gw-1
wait 5s
badge front sato               # the gateway has heard that sato is outside
expect granted by=gateway
