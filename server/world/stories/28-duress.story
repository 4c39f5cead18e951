# AD-13, D10: a PIN given under duress opens like any other, linked and alone; the alert is silent.
zone vault level=3 pin_always=yes
gateway gw-1
door safe gateway=gw-1 zone=vault exit=reader offline=cached_pin max_age=1h
person sato
card c-1 person=sato pin=2468 duress_pin=8642
grant sato zone=vault

badge safe sato pin=2468
expect granted by=server
expect finding duress 0
wait 10s
badge safe sato pin=8642
expect granted by=server
expect finding duress 1
wait 10s
link down gw-1
wait 5s
badge safe sato pin=8642
expect granted by=gateway
link up gw-1
wait 15s
expect finding duress 2
