# I6, AD-11, EN 60839-11-1 Table 7 (20): neither losing nor regaining the link moves a lock.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

mark
link down all
wait 10s
link up all
wait 10s
link hang all
wait 30s
restart broker
wait 10s
restart server
wait 20s
restart gw-1
wait 10s
expect unlocks front 0
expect door front secured
expect linked gw-1 yes
expect log complete

# In the middle of a swing: the door was released and stands open, and stands open longer than it may.
mark
badge front sato
expect granted
open front
link down all
wait 10s
link up all
wait 10s
close front
wait 2s
expect unlocks front 1
expect door front secured
badge front sato               # released, and not opened yet
expect granted
link hang all
wait 1s
link up all
wait 15s
expect unlocks front 2
expect door front secured
