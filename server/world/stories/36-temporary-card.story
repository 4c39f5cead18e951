# AD-16: staff: forgot the card. A temporary card the same day: identity seen, own card suspended meanwhile, the register
# shows the real person, return tracked, the third time in a month is noted.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
person kato
card c-1 person=sato
card c-2 person=abe
stock T-1 kind=temporary
stock B-1
grant sato zone=room

temporary sato B-1                           # a visitor's badge is no temporary card
expect refused badge_unusable
temporary sato T-1 by=sato                   # not by oneself
expect refused same_person
temporary kato T-1                           # who has no card gets no right by it
expect refused no_active_card
temporary sato T-1
temporary abe T-1
expect refused badge_lent
badge front T-1
expect granted
open front
close front
wait 2s
expect line person=sato name=sato badge=T-1
badge front c-1                              # found in the other coat
expect denied reason=credential_suspended
expect owed temporary_unreturned 1
wait 15h                                     # past midnight
badge front T-1
expect denied
expect finding temporary_unreturned 1
badge front T-1 exit
expect granted
open front
close front
take-back T-1
badge front c-1
expect granted
wait 10s
badge front T-1                              # in the drawer it opens nothing
expect denied
temporary sato T-1
take-back T-1
expect finding temporary_frequent 0
temporary sato T-1
expect finding temporary_frequent 1
take-back T-1 lost
expect finding badge_lost 1
badge front T-1
expect denied
badge front c-1
expect granted
