# VE-1, AD-10, DS-9: reception: a room used as a passage. Who applies for the inner room gets the one that has to be passed too, and nothing else;
# whoever is in the inner room counts in the one around it; leaving the building from inside leaves both.
zone hall level=1 max_inside=3
zone room level=2 parent=hall
zone store level=2
gateway gw-1
door outer gateway=gw-1 zone=hall exit=reader
door inner gateway=gw-1 zone=room exit_zone=hall exit=reader
door side gateway=gw-1 zone=store exit=reader
person sato
person abe
person kato
person mori
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
stock B-1
grant sato zone=hall
grant sato zone=room
grant abe zone=hall
grant kato zone=hall

apply job zone=room from=09:00 until=10:00 attendee=sato visitors=Ito by=abe
approve job by=mori
receive job Ito B-1
badge side B-1                               # not what was applied for
expect denied reason=no_grant
badge outer B-1
expect granted
open outer
close outer
badge inner B-1
expect granted
open inner
close inner
badge outer sato
open outer
close outer
badge inner sato
open inner
close inner
expect inside room 2
expect inside hall 0
badge outer abe
expect granted
open outer
close outer
badge outer kato                             # three are in the hall and what is inside it
expect denied reason=occupancy_full
badge inner B-1 exit                         # back into the hall: still in it
open inner
close inner
expect inside room 1
expect inside hall 2
badge outer kato
expect denied reason=occupancy_full
badge outer B-1 exit
open outer
close outer
badge outer kato
expect granted
open outer
close outer
wait 2s
expect guests job entered=1 inside=0
take-back B-1
expect matter job closed
