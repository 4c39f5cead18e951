# AD-7, D11: a card is withdrawn while its holder is inside: the exit is granted and looked at, a new entry is not.
zone room level=2 anti_passback=hard
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

badge front sato
expect granted
open front
close front
card-status c-1 revoked
wait 5s
badge front sato exit
expect granted
open front
close front
expect finding exit_invalid_card 1
expect inside room 0
badge front sato
expect denied reason=credential_revoked
