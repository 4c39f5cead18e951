# D8: linked, the server silent, and it has a newer policy than the gateway: nobody is let in by the old one.
seed 1
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room
person abe
card c-2 person=abe
grant abe zone=room

# The gateway's card takes its time over the new policy, and the server's disk over the answer.
disk gw-1 slow
card-status c-2 suspended
disk server slow
badge front sato
wait 4s
expect denied by=gateway reason=policy_behind
wait 15s
badge front sato
expect granted by=server
badge front abe
expect denied reason=credential_suspended
