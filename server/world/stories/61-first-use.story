# VR-7: the first use of a door by somebody who has been here for a month. Near misses: a newcomer, and a door used before.
zone room level=1
zone vault level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
door side gateway=gw-1 zone=vault exit=reader
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=room
grant sato zone=vault
grant abe zone=vault

badge front sato
open front
close front
badge front sato exit
open front
close front
wait 5s
expect finding first_use 0                   # everything is the first in a new log
at 2026-12-28 10:00
badge front sato
open front
close front
badge front sato exit
open front
close front
badge side abe                               # who came first today
open side
close side
wait 5s
expect finding first_use 0
badge side sato
open side
close side
wait 5s
expect finding first_use 1
badge side sato exit
open side
close side
badge side sato
open side
close side
wait 5s
expect finding first_use 1
