# AD-14: emergency entry by two officers, or one who breaks the glass. Two-person rule, escort and cap stand aside for the named
# persons; their cards are checked as always; the alert is at once; the report is due in 24 hours.
zone room level=3 two_person_within=30s escort=outsiders max_inside=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato may_escort=yes
person abe
person kato
person mori
person tanaka category=contractor company=ACME contract_until=2027-03-31
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
card c-4 person=tanaka
card c-6 person=mori
card c-5 person=abe status=lost
grant sato zone=room

badge front sato
expect waits second
wait 40s
badge front c-2
expect denied reason=no_grant
emergency water zone=room persons=abe,tanaka,mori for=1h by=sato
badge front c-2                              # one officer has asked, nobody has agreed
expect denied reason=no_grant
agree water by=sato
expect refused same_person
agree water by=kato
expect finding emergency_begun 1
badge front c-2
expect granted by=server
open front
close front
wait 2s
expect finding emergency_entry 1
badge front tanaka                           # no escort
expect granted
open front
close front
badge front mori                             # beyond the cap
expect granted
open front
close front
badge front c-5                              # a lost card stays a lost card
expect denied reason=credential_lost
badge front kato                             # who is not named gains nothing
expect denied reason=no_grant
wait 61m
badge front c-2                              # it ends by itself
expect denied reason=no_grant
expect matter water ended
badge front c-2 exit
expect granted
open front
close front
badge front tanaka exit
open front
close front
wait 22h
expect finding emergency_unreported 0
wait 1h
expect finding emergency_unreported 1
report water by=sato
expect owed emergency_unreported 0

emergency fire zone=room persons=kato glass by=kato
expect finding emergency_begun 2
badge front kato
expect granted
open front
close front
wait 2s
expect finding emergency_entry 4
wait 10s
link down gw-1                               # the gateway has it too
wait 5s
badge front kato
expect denied by=gateway
link up gw-1
wait 15s
stand-down fire by=abe
badge front kato
expect denied reason=no_grant
