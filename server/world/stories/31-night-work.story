# VE-9, VE-1, VE-3: reception: night work 22:00–05:00. The visit ends with its window, over midnight; the line belongs to
# the day of entry; approved work is not after hours; a badge that is out is missed at the window's end and grace.
start 2026-11-24 16:00
zone room level=2 escort=outsiders
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato may_escort=yes
person abe
person tanaka category=contractor company=ACME contract_until=2027-03-31
contract K-1 person=tanaka company=ACME from=2026-04-01 until=2027-03-31
card c-1 person=sato
stock B-1
grant sato zone=room

apply night zone=room from=22:00 until=05:00 attendee=sato contract=K-1 workers=tanaka by=abe
approve night by=abe                         # who applied does not approve
expect refused same_person
approve night by=sato
receive night tanaka B-1                     # six hours early
expect refused too_early
at 21:40
receive night tanaka B-1
badge front B-1
expect waits escort                          # the badge alone takes nobody in
at 21:50                                     # the attendee goes ahead and switches on the light: not after hours either
badge front sato
expect granted
open front
close front
wait 2s
expect after-hours no
badge front B-1
expect granted
open front
close front
wait 2s
expect line person=tanaka badge=B-1 attendee=sato purpose="disk exchange" day=2026-11-24 category=contractor
expect after-hours no
expect purpose "disk exchange" from=approved_work
expect guests night entered=1 inside=1
at 2026-11-25 00:30                          # the break: out and in again, and the window goes on
badge front B-1 exit
open front
close front
badge front B-1
expect granted
open front
close front
wait 2s
expect line day=2026-11-25
at 2026-11-25 05:14
expect finding badge_unreturned 0
expect finding exit_not_recorded 0
badge front B-1                              # the window ended at 05:00: nobody goes in, everybody goes out
expect denied
at 2026-11-25 05:17
expect finding badge_unreturned 1
expect finding exit_not_recorded 1
badge front B-1 exit
expect granted
open front
close front
badge front sato exit
open front
close front
wait 2s
expect guests night inside=0
take-back B-1
expect matter night closed
expect owed badge_unreturned 0
expect mismatch outside_window 0
at 2026-11-25 06:00                          # the same person without approved work
badge front sato
expect granted
open front
wait 2s
expect after-hours yes
