# VE-10, VE-2: reception: the escort goes to the toilet in a six-hour job. Hand-over by a tap of another permitted escort;
# else a beep at the door during the grace of three minutes, then the alert. Nobody leaves = no alarm.
zone room level=2 escort=outsiders
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato may_escort=yes
person abe may_escort=yes
person kato
person tanaka category=contractor company=ACME contract_until=2027-03-31
contract K-1 person=tanaka company=ACME from=2026-04-01 until=2027-03-31
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
stock B-1
grant sato zone=room
grant abe zone=room
grant kato zone=room

apply job zone=room from=09:00 until=16:00 attendee=sato contract=K-1 workers=tanaka by=kato
approve job by=abe
receive job tanaka B-1
badge front B-1
expect waits escort
badge front kato                             # staff, but no escort: goes in alone
expect granted
open front
close front
expect inside room 1
badge front kato exit
open front
close front
wait 40s                                     # nobody came with the badge
badge front B-1
expect waits escort
badge front sato
expect granted
open front
close front
expect inside room 2
at 11:30                                     # hours go by: no alarm
expect finding escort_left 0
badge front sato exit
open front
close front
wait 5s
expect shown front escort_away               # the beep at the door
wait 1m
badge front abe                              # handed over within the grace
expect granted
open front
close front
wait 5s
expect shown front idle
wait 10m
expect finding escort_left 0
badge front abe exit                         # and again, and nobody comes
open front
close front
wait 2m
expect shown front escort_away
expect finding escort_left 0
wait 2m
expect finding escort_left 1
badge front B-1 exit
expect granted
open front
close front
wait 5s
expect shown front idle
take-back B-1
expect matter job closed
