# VE-11: reception: plain name plates without a card, four people in one opening. The escort's badge carries the party of
# the visit; several badges before or during one opening are several entries; a contact cannot count, so that is no alarm.
zone room level=2 escort=visitors max_inside=6
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato may_escort=yes
person abe may_escort=yes
person kato
person mori
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
stock P-1 card=no
stock P-2 card=no
stock P-3 card=no
grant sato zone=room
grant abe zone=room
grant kato zone=room

apply council zone=room from=09:00 until=11:00 attendee=sato visitors=Ito,Kudo,Endo type=meeting by=kato
approve council by=abe
receive council Ito P-1                      # without a card somebody has to carry the party
expect refused no_carrier
receive council Ito P-1 carrier=kato         # and that is an escort
expect refused no_carrier
receive council Ito P-1 carrier=sato
receive council Kudo P-2
receive council Endo P-3
receive council Endo P-3                     # twice
expect refused
badge front sato                             # one badge, one opening, four people
expect granted
badge front kato                             # a second badge before the door was opened: an entry of his own
expect granted
open front
close front
wait 2s
expect line name=kato passage=entry
expect guests council entered=3 inside=3 carried=3
expect finding forced_open 0
wait 30s
carry-by council abe                         # another escort takes the party over, and badges in
badge front abe
open front
close front
badge front sato exit                        # who carried before leaves alone
open front
close front
wait 2s
expect guests council inside=3
take-back P-1
take-back P-2
expect matter council running
badge front abe exit
open front
close front
wait 2s
take-back P-3
expect guests council inside=0 entered=3
expect matter council closed
