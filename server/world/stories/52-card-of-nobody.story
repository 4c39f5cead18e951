# VR-7, AD-17: a lost, withdrawn or suspended card is told when it is tried; more of it at the same door within ten minutes are counted.
# Near miss: a card that ran out.
zone room level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe active=no
person kato
card c-1 person=sato status=lost
card c-2 person=abe
card c-3 person=kato valid_until=2026-11-01
grant sato zone=room
grant abe zone=room
grant kato zone=room

badge front kato
expect denied reason=credential_expired
wait 2s
expect finding lost_card_used 0
expect finding inactive_person_card 0
badge front sato
expect denied reason=credential_lost
badge front sato
wait 2s
expect finding lost_card_used 1
badge front abe
expect denied reason=person_inactive
wait 2s
expect finding inactive_person_card 1
wait 30m
expect finding lost_card_used 2              # one more was counted
badge front sato
wait 2s
expect finding lost_card_used 3
