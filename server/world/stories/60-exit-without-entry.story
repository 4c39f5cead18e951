# VR-1: somebody leaves whom the log has outside. Near miss: their entry was recorded by a gateway that is away and comes later.
zone room level=1
gateway gw-1
gateway gw-2
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
door side gateway=gw-2 zone=room exit=reader offline=cached max_age=24h
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=room
grant abe zone=room

badge front sato
open front
close front
badge front sato exit
open front
close front
wait 5s
badge side sato exit                         # came in behind somebody
open side
close side
wait 2m
expect finding exit_without_entry 1
badge front abe
open front
close front
badge front abe exit
open front
close front
wait 5s
link down gw-1
wait 10s
badge front abe                              # this record is on its way for half an hour
expect granted by=gateway
open front
close front
wait 20m
badge side abe exit
open side
close side
wait 10m
expect finding exit_without_entry 1
link up gw-1
wait 3m
expect log complete
expect finding exit_without_entry 1
