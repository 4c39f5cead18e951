# VE-1, VE-2, VE-3, VE-4, VE-6: a contractor's visit from the application to the closed line, with an escort who leaves early: five to an
# escort, the sixth is refused; entry conditions of a newer version are asked for; a badge that nobody gives back is missed.
zone room level=2 escort=outsiders conditions=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
conditions 1 text="no photographs"
conditions 2 text="no photographs, no food"
person sato may_escort=yes conditions=2
person abe may_escort=yes conditions=2
person tanaka category=contractor company=ACME contract_until=2027-03-31
person ueda category=contractor company=ACME contract_until=2027-03-31
person wada category=contractor company=ACME contract_until=2026-11-20
contract K-1 person=tanaka,wada company=ACME from=2026-04-01 until=2027-03-31
contract K-2 person=ueda company=ACME from=2026-04-01 until=2026-11-23
card c-1 person=sato
card c-2 person=abe
stock B-1
stock B-2
stock B-3
stock B-4
stock B-5
stock B-6
stock B-7
grant sato zone=room
grant abe zone=room

apply job zone=room from=09:00 until=12:00 attendee=sato contract=K-1 workers=tanaka purpose= by=abe
expect refused missing                       # no purpose
apply job zone=room from=09:00 until=12:00 contract=K-1 workers=tanaka by=abe
expect refused missing                       # no attendee
apply job zone=room from=09:00 until=12:00 attendee=tanaka contract=K-1 workers=tanaka by=abe
expect refused not_staff
apply job zone=room from=12:00 until=2026-11-24/09:00 attendee=sato contract=K-1 workers=tanaka by=abe
expect refused bad_window                    # ends before it begins
apply job zone=room from=09:00 until=12:00 attendee=sato contract=K-1 workers=ueda by=abe
expect refused unnamed_worker
apply job zone=room from=09:00 until=12:00 attendee=sato contract=K-2 workers=ueda by=abe
expect refused no_contract                   # ended yesterday
apply job zone=room from=09:00 until=12:00 attendee=sato contract=K-1 workers=tanaka,wada visitors=Ito,Kudo,Endo,Oda,Ueno by=abe
receive job tanaka B-1
expect refused wrong_state                   # nobody has approved it
approve job by=sato
receive job tanaka B-1 identity=none
expect refused no_identity
receive job tanaka B-1 conditions=1          # the version of last year
expect refused conditions_not_accepted
receive job tanaka B-1
receive job Ito B-2
receive job Kudo B-3
receive job Endo B-4
receive job Oda B-4
expect refused badge_lent
receive job Oda B-5
receive job wada B-6
receive job Ueno B-7
badge front B-1                              # nobody of the city hall is inside yet
expect waits escort
badge front sato
expect granted
open front
close front
badge front B-2
expect granted
open front
close front
badge front B-3
open front
close front
badge front B-4
open front
close front
badge front B-5
open front
close front
expect inside room 6
badge front B-6                              # his own contract has ended, whatever the visit says
expect denied reason=contract_expired
badge front B-7                              # the sixth to one escort
expect denied reason=escort_ratio
take-back B-6
take-back B-7
expect guests job entered=5 inside=5
at 11:00
badge front sato exit                        # called away, and nobody takes over
expect granted
open front
close front
wait 5s
expect shown front escort_away
wait 4m
expect finding escort_left 1
badge front B-5 exit                         # leaving needs nobody
expect granted
open front
close front
badge front B-5                              # and back in: not without an escort
expect waits escort
wait 40s
expect denied
badge front B-1 exit
open front
close front
badge front B-2 exit
open front
close front
badge front B-3 exit
open front
close front
badge front B-4 exit
open front
close front
wait 2s
expect inside room 0
take-back B-1
take-back B-2
take-back B-3
take-back B-4
expect owed badge_unreturned 1
at 12:14                                     # the window has ended; the grace has not
expect finding badge_unreturned 0
at 12:16:30
expect finding badge_unreturned 1
take-back B-5 lost
expect finding badge_lost 1
expect matter job closed
