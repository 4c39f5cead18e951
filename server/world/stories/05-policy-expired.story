# D12: a snapshot is good for the door's max_age and no longer, also over a restart.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

link down gw-1
wait 50m
badge front sato
expect granted by=gateway
wait 15m
badge front sato
expect denied by=gateway reason=policy_expired
restart gw-1
wait 5s
badge front sato
expect denied by=gateway reason=policy_expired
# Leaving is never blocked (I9).
badge front sato exit
expect granted by=gateway
link up gw-1
wait 10s
badge front sato
expect granted by=server
