# AD-13: five wrong PINs lock a card out, at every door and whoever counts; the right one does not help then.
zone vault level=3 pin_always=yes
gateway gw-1
door safe gateway=gw-1 zone=vault offline=cached_pin max_age=1h
person sato
card c-1 person=sato pin=2468
grant sato zone=vault

badge safe sato
expect pin
pin safe 2468
expect granted by=server
wait 10s
badge safe sato pin=1111
expect denied reason=pin_bad
badge safe sato pin=1111
badge safe sato pin=1111
link down gw-1
wait 5s
badge safe sato pin=1111
expect denied by=gateway reason=pin_bad
badge safe sato pin=1111
expect denied by=gateway reason=pin_bad
restart gw-1
wait 5s
badge safe sato pin=2468
expect denied by=gateway reason=pin_locked
link up gw-1
wait 10s
badge safe sato pin=2468
expect denied by=server reason=pin_locked
expect finding pin_locked
