# VE-11: signs of tailgating are low questions: somebody passes while the door stands open for another, or it opens twice on one
# permission. Near misses: one after the other, and somebody who leaves by the open door.
zone room level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=room
grant abe zone=room

badge front sato
open front
close front
wait 5s
badge front abe
open front
close front
wait 10s
expect finding tailgating_possible 0
badge front sato exit
open front
close front
wait 5s
badge front sato
open front
badge front abe exit                         # leaves by the open door
close front
wait 10s
expect finding tailgating_possible 0
badge front abe                              # both go in by one opening
expect granted
open front
badge front sato
expect granted
close front
wait 5s
expect finding tailgating_possible 1
