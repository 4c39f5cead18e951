# AD-12, D8, OP-4: without the server the gateway decides by its last policy, and tells afterwards.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

link down gw-1
wait 5s
expect linked gw-1 no
badge front sato
expect granted by=gateway reason=granted
open front
close front
badge front stranger
expect denied by=gateway reason=unknown_credential
link up gw-1
wait 10s
expect linked gw-1 yes
expect log complete
expect event front entry 1
