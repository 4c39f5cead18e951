# VR-7, VE-9: an entry at night by a right that is around the clock. Near misses: one that names the hour, one by day, leaving at night,
# and a door further in (approved work: 31-night-work).
start 2026-11-24 18:00
zone hall level=1
zone room level=1 parent=hall
gateway gw-1
door front gateway=gw-1 zone=hall exit=reader
door inner gateway=gw-1 zone=room exit_zone=hall exit=reader
schedule night days=every from=22:00 to=5:00
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=hall
grant sato zone=room
grant abe zone=hall schedule=night

badge front sato                             # 18:00: usual hours
open front
close front
wait 5s
badge front sato exit
open front
close front
at 23:00
badge front abe                              # the guard's hours
expect granted
open front
close front
wait 5s
expect finding after_hours 0
badge front abe exit
open front
close front
badge front sato
expect granted
open front
close front
wait 5s
expect finding after_hours 1
badge inner sato                             # it is told already
expect granted
open inner
close inner
badge inner sato exit
open inner
close inner
badge front sato exit
open front
close front
wait 5s
expect finding after_hours 1
