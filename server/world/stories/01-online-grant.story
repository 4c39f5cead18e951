# AD-1, I1: linked, the server decides; the passage is one line in the log.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

badge front sato
expect granted by=server reason=granted
expect door front unlocked
open front
close front
wait 2s
expect door front secured
expect line outcome=granted by=server passage=entry person=sato day=2026-11-24
badge front stranger
expect denied by=server reason=unknown_credential
expect door front secured
badge front sato exit
expect granted by=server
expect log complete
