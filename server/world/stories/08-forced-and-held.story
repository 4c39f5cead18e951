# DS-1, DS-2: opened without a grant; open too long.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

open front
expect door front forced
expect event front forced_open 1
close front
wait 5s
expect finding forced_open
badge front sato
expect granted
open front
wait 40s
expect door front held_open
close front
wait 3s
expect door front secured
expect event front held_end
expect finding held_open
