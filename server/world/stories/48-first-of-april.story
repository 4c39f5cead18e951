# RA-5, AD-19, AD-6, AD-5: the first of April. Who moves keeps the old room for the days of the hand-over, who leaves has nothing from the day
# on, who comes has what begins that day and not a second earlier, who forgot to be renewed stands outside. The work of the day is done within a minute.
start 2027-03-31 17:00
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=24h
person sato section=joho
person abe section=joho
person kato section=joho
person mori section=joho
person ueno section=joho
person wada section=joho
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
card c-4 person=mori
card c-5 person=ueno
card c-6 person=wada
grant sato zone=room until=2028-03-31
grant abe zone=room until=2028-03-31
grant kato zone=room
grant mori zone=room from=2027-04-01 until=2028-03-31
grant ueno zone=room until=2028-03-31
grant wada zone=room until=2028-03-31
transfer sato day=2027-04-01 section=soumu overlap_days=5
transfer abe day=2027-04-01 leave=yes
transfer wada day=2027-04-01 section=soumu

badge front sato
expect granted
wait 10s
badge front wada
expect granted
open front
close front
at 23:59:50
badge front abe
expect granted
badge front kato
expect granted
badge front mori
expect denied reason=grant_not_yet
at 2027-04-01 00:00:00
badge front mori
expect granted
badge front kato
expect denied reason=grant_expired
at 00:02
badge front abe
expect denied reason=credential_suspended
badge front wada
expect denied reason=no_grant
badge front wada exit                        # leaving never depends on it
expect granted
open front
close front
badge front sato
expect granted
badge front ueno
expect granted
link down gw-1                               # the gateway alone knows the same
wait 5s
badge front abe
expect denied by=gateway reason=credential_suspended
link up gw-1
at 2027-04-05 23:59
badge front sato                             # the last day of the hand-over
expect granted
at 2027-04-06 00:02
badge front sato
expect denied
