# AD-10, D7: room for three, two doors on two gateways, one of them offline. Offline the rule of the zone counts: deny.
zone room level=2 max_inside=3 min_inside=2
gateway gw-1
gateway gw-2
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
door back gateway=gw-2 zone=room exit=reader offline=cached max_age=24h
person sato
person abe
person kato
person mori
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
card c-4 person=mori
grant sato zone=room
grant abe zone=room
grant kato zone=room
grant mori zone=room

badge front sato
open front
close front
badge back abe
open back
close back
badge front kato
open front
close front
expect inside room 3
badge back mori
expect denied by=server reason=occupancy_full
link down gw-2
wait 5s
badge back mori                # who is inside is not known here
expect denied by=gateway reason=knowledge_missing
badge back abe exit            # leaving never depends on it
expect granted
open back
close back
badge front mori               # the server has not heard of abe's exit yet
expect denied by=server reason=occupancy_full
link up gw-2
wait 15s
expect inside room 2
badge front mori
expect granted
open front
close front
expect finding left_alone 0
badge front mori exit
open front
close front
badge front sato exit
open front
close front
wait 2s
expect finding left_alone 1    # kato is alone
restart server
wait 10s
expect inside room 1
badge front abe
expect granted
open front
close front
empty room
expect inside room 0
expect log complete
