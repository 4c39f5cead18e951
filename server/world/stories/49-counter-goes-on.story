# VE-3, VE-9, I5, RR-7: the counter goes on while a gateway is away and the server starts anew. A badge opens until its window ends, also at a
# gateway that hears nothing; what it did comes in late and is the guest's who had it then, though the next guest has it by now; a longer window holds.
zone room level=2
zone store level=2
gateway gw-1
gateway gw-2
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
door side gateway=gw-2 zone=store exit=reader offline=cached max_age=24h
person sato
person abe
card c-1 person=sato
card c-2 person=abe
stock B-1
stock B-2
grant sato zone=room

apply first zone=room from=09:00 until=10:00 attendee=sato visitors=Ito,Endo by=abe
approve first by=sato
receive first Ito B-1
receive first Endo B-2
badge front B-1
expect granted by=server
open front
close front
wait 2s
expect line name=Ito badge=B-1
restart server                               # nothing of it is forgotten
wait 15s
expect matter first running
link down gw-1
wait 5s
badge front B-1 exit
expect granted by=gateway
open front
close front
badge front B-1
expect granted by=gateway
open front
close front
badge front B-2                              # comes only now
expect granted by=gateway
open front
close front
at 09:20
badge front B-1 exit
open front
close front
badge front B-2 exit
open front
close front
take-back B-2
expect guests first entered=1 inside=1                 # the server has not heard of the exit
take-back B-1
expect matter first running                  # so somebody has to say how Ito left
left first Ito "seen at the lobby by sato"
finish first
expect matter first closed
apply second zone=room from=09:00 until=10:00 attendee=sato visitors=Kudo by=abe purpose="second visit"
approve second by=sato
at 09:30
receive second Kudo B-2                      # Endo's badge
badge front B-2                              # this gateway still knows it as the first guest's: same zone, same window
expect granted by=gateway
open front
close front
at 09:40
link up gw-1
wait 15s
expect log complete
expect finding decision_mismatch 0
expect line name=Kudo badge=B-2 purpose="second visit"
expect guests first entered=2 inside=0
expect guests second entered=1 inside=1
extend second 12:00 by=abe                   # the applicant does not lengthen it
expect refused same_person
extend second 12:00 by=sato
at 10:30
badge front B-2 exit
open front
close front
badge front B-2
expect granted by=server
open front
close front
link down gw-1
wait 5s
at 12:00:05
badge front B-2                              # the window is over, here too
expect denied by=gateway
badge front B-2 exit
expect granted
open front
close front
link up gw-1
wait 15s
expect guests second inside=0
take-back B-2
expect matter second closed
expect mismatch outside_window 0
expect mismatch no_visit 0
