# AD-18, D12: staff: the door that guards the server itself. Power returns, the snapshot has expired, the server is behind this
# very door: a named recovery card and its PIN open it by the gateway alone; others are refused; each use is an alert.
zone room level=2 two_person_within=30s
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h guards_server=yes recovery_cards="c-1 c-2"
person sato
person abe
person kato
card c-1 person=sato pin=2468
card c-2 person=abe pin=1357
card c-3 person=kato pin=4321
grant sato zone=room
grant abe zone=room
grant kato zone=room

power cut gw-1
power cut server
wait 90m
clock gw-1 -2h
power on gw-1                                # the server is off, behind this door
wait 10s
badge front kato
expect denied by=gateway
badge front sato
expect pin
pin front 1111
expect denied by=gateway reason=pin_bad
wait 10s
badge front sato pin=2468
expect granted by=gateway
open front
close front
wait 10s
badge front kato pin=4321                    # no other card, whatever its PIN
expect denied by=gateway
badge front sato exit
expect granted
open front
close front
power on server
wait 20s
expect log complete
expect finding recovery_used 1
badge front kato                             # and the rules are back
expect waits second
