# OP-1, EV-7: a gateway that falls silent is told after a minute, once; what it recorded meanwhile comes late and is one item. Near miss:
# half a minute. A restart of the server in between tells nothing twice.
zone room level=1
gateway gw-1
gateway gw-2
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
door side gateway=gw-2 zone=room exit=reader
person sato
card c-1 person=sato
grant sato zone=room

link down gw-1
wait 30s
link up gw-1
wait 2m
expect finding gateway_offline 0
expect finding late_record 0
link down gw-1
wait 70s
expect finding gateway_offline 1
badge front sato
expect granted by=gateway
open front
close front
wait 5m
restart server
wait 5m
expect finding gateway_offline 1
link up gw-1
wait 30s
expect log complete
expect finding late_record 1
expect finding exit_without_entry 0
link down gw-2
wait 90s
expect finding gateway_offline 2
