# AD-7, I5: a withdrawn card is refused at once while linked, and offline no later than max_age.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room
gateway gw-2
door back gateway=gw-2 zone=room offline=cached max_age=10m

link down gw-2
wait 5s
card-status sato lost
badge front sato
expect denied by=server reason=credential_lost
# The gateway that is cut off cannot know. Its door says how long that may go on.
badge back sato
expect granted by=gateway
wait 11m
badge back sato
expect denied by=gateway reason=policy_expired
link up gw-2
wait 10s
badge back sato
expect denied by=server reason=credential_lost
# The server judges what was granted meanwhile again (D8).
expect finding decision_mismatch
