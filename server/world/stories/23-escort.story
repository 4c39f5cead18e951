# VE-2, VE-10: a visitor enters with an escort inside or at the door; hand-over within the grace, a beep, then escort_left.
zone room level=2 escort=outsiders escort_ratio=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato may_escort=yes
person abe may_escort=yes
person tanaka category=contractor company=ACME contract_until=2027-03-31
person ueda category=contractor company=ACME contract_until=2027-03-31
person wada category=contractor company=ACME contract_until=2027-03-31
card c-1 person=sato
card c-2 person=abe
card c-3 person=tanaka
card c-4 person=ueda
card c-5 person=wada
grant sato zone=room
grant abe zone=room
grant tanaka zone=room
grant ueda zone=room
grant wada zone=room

badge front tanaka
expect waits escort
wait 20s
badge front sato               # one opening, two entries
expect granted
open front
close front
expect inside room 2
badge front ueda               # the escort is inside
expect granted
open front
close front
badge front wada               # two to one escort
expect denied reason=escort_ratio
badge front sato exit
expect granted
open front
close front
wait 2m
badge front abe                # handed over within three minutes
expect granted
open front
close front
wait 5m
expect finding escort_left 0
badge front abe exit
open front
close front
wait 2m
expect finding escort_left 0
wait 2m
expect finding escort_left 1
badge front wada               # nobody there to take him in, and two are inside
expect denied reason=escort_ratio
badge front tanaka exit        # leaving never depends on an escort
expect granted
open front
close front
