# AD-1, AD-5, DS-4: a staff day. In at 08:30, out for lunch, a meeting in the room, somebody who turns round at the door, a link that
# blinks, a late evening by permission, the last one out. Nothing of it is anything to look at, and the log is complete.
start 2026-11-24 08:25
zone room level=2 anti_passback=soft max_inside=6 min_inside=0
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
schedule office days=weekdays from=8:30 to=17:15
schedule late days=weekdays from=7:00 to=22:00
person sato
person abe
person kato
person mori
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
card c-4 person=mori
visit-settings purpose_zones=
grant sato zone=room schedule=late
grant abe zone=room schedule=office
grant kato zone=room schedule=office
grant mori zone=room schedule=office

badge front abe                              # five minutes early
expect denied reason=outside_schedule
at 08:30
badge front abe
expect granted by=server
open front
close front
badge front kato
open front
close front
badge front sato                             # the phone rings: does not go in
expect granted
wait 10s
expect line passage=no_entry
expect inside room 2
at 10:00
badge front sato
open front
close front
badge front mori
open front
close front
expect inside room 4
at 12:00
badge front abe exit
open front
close front
badge front kato exit
open front
close front
badge front mori exit
open front
close front
link down gw-1                               # somebody works at the switch
wait 5s
at 12:50
badge front abe
expect granted by=gateway
open front
close front
link up gw-1
wait 15s
badge front kato
expect granted by=server
open front
close front
expect inside room 3
at 17:14:59
badge front mori
expect granted
open front
close front
badge front mori exit
open front
close front
badge front abe exit
open front
close front
badge front kato exit
open front
close front
at 17:15:30
badge front abe                              # the umbrella: tomorrow
expect denied reason=outside_schedule
at 21:55
badge front sato exit
expect granted
open front
close front
expect inside room 0
expect line side=exit passage=exit person=sato day=2026-11-24
wait 15s
expect log complete
expect finding forced_open 0
expect finding held_open 0
expect finding anti_passback 0
expect finding exit_invalid_card 0
expect finding decision_mismatch 0
expect event front denied 2
