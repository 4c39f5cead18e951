# RR-7: staff: the purpose is a mandatory column and a badge carries none. From the approved work; else asked afterwards, of
# who entered and nobody else; blank after three open days = one item of the review.
start 2026-11-20 09:00
zone room level=2
zone office level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
door side gateway=gw-1 zone=office exit=reader
person sato
person abe
closed 2026-11-23 name=勤労感謝の日
card c-1 person=sato
card c-2 person=abe
visit-settings purpose_zones=room
grant sato zone=room
grant abe zone=room
grant abe zone=office

badge side abe                               # this zone asks for none
open side
close side
badge front sato
expect granted
open front
close front
wait 2s
expect purpose none
says-purpose abe "backup tapes"              # not somebody else's entry
expect refused not_holder
says-purpose sato "backup tapes"
expect purpose "backup tapes" from=stated
at 2026-11-25 17:00                          # the third open day: the holiday does not count
expect finding purpose_blank 0
at 2026-11-25 17:20
expect finding purpose_blank 0
badge front abe                              # says nothing
open front
close front
wait 2s
expect purpose none
at 2026-11-30 17:00
expect finding purpose_blank 0
at 2026-11-30 17:20
expect finding purpose_blank 1
