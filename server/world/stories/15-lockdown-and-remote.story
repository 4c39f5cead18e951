# D13, I7: a lockdown lets nobody in and everybody out; a remote unlock acts once, and not while locked down.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

mark
unlock front
expect unlocks front 1
wait 10s
mode front lockdown
wait 3s
expect door front lockdown
badge front sato
expect denied reason=lockdown
badge front sato exit
expect granted
wait 10s
mark
unlock front
expect unlocks front 0
mode front normal
wait 3s
badge front sato
expect granted
