# DS-6, I9: the fire panel opens the door by its own wires. Nothing here locks it again until a person has re-armed it.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

fire front on
expect door front released
open front
close front
badge front sato
expect door front released
restart gw-1
wait 5s
expect door front released
fire front off
wait 10s
expect door front released
rearm front
expect door front secured
badge front sato
expect granted
expect event front fire_release
expect event front rearmed
