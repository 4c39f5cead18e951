# AD-8: two different persons within 30 s into the empty room, in either order and at the window's edge; one of them is staff.
zone room level=3 two_person_within=30s staff_needed=yes
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
person abe
person tanaka category=contractor company=ACME contract_until=2027-03-31
person ueda category=contractor company=ACME contract_until=2027-03-31
card c-1 person=sato
card c-2 person=abe
card c-3 person=tanaka
card c-4 person=ueda
card c-5 person=sato
grant sato zone=room
grant abe zone=room
grant tanaka zone=room
grant ueda zone=room

badge front c-1
expect waits second
expect shown front wait_second
badge front c-5                # the same person's other card
expect denied reason=second_person
badge front c-2
expect granted by=server
open front
close front
expect inside room 2
badge front c-3                # somebody is inside: one is enough
expect granted
open front
close front
badge front c-1 exit
open front
close front
badge front c-2 exit
open front
close front
badge front c-3 exit
open front
close front
expect inside room 0
badge front c-3                # a contractor first, then staff
expect waits second
wait 28s
badge front c-1                # 29 s after: inside the window
expect granted
open front
close front
expect inside room 2
badge front c-1 exit
open front
close front
badge front c-3 exit
open front
close front
badge front c-2
expect waits second
wait 31s                       # nobody comes: the wait ends as a refusal
expect denied reason=second_person
expect shown front denied
badge front c-1
expect waits second
wait 40s
badge front c-3
expect waits second
badge front c-4                # a pair of contractors
expect denied reason=staff_needed
badge front c-1                # and a third who is staff
expect granted
open front
close front
expect inside room 2           # tanaka and sato; ueda was refused
