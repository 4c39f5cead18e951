# D12: after a start without a time that anybody vouches for, the gateway lets nobody in by itself.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

link down gw-1
power cut gw-1
clock gw-1 -49h
power on gw-1
wait 5s
badge front sato
expect denied by=gateway reason=clock_untrusted
badge front sato exit
expect granted by=gateway
link up gw-1
wait 10s
badge front sato
expect granted by=server
# The server's signed time is good enough when the link goes again.
link down gw-1
wait 5s
badge front sato
expect granted by=gateway
expect finding clock_step
