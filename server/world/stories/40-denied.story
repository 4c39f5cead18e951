# DS-4, AD-1, AD-11: staff: denied, now what? The door shows red and nothing else, the same red for every reason; the reason stands
# in the line of the log, where reception reads a sentence from it.
start 2026-11-24 18:00
zone room level=2
zone vault level=2 training=deny
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
door side gateway=gw-1 zone=vault exit=reader
schedule office days=weekdays from=8:30 to=17:15
person sato
person abe
person kato training_until=2026-11-01
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
card c-4 person=sato status=lost
grant sato zone=room schedule=office
grant kato zone=vault

badge front c-1
expect denied reason=outside_schedule
expect shown front denied
wait 2s
expect line outcome=denied reason=outside_schedule failed=outside_schedule person=sato passage=
wait 10s
badge front c-4                              # several things are wrong: one is said, all are kept
expect denied reason=credential_lost
expect shown front denied
wait 2s
expect line reason=credential_lost failed=credential_lost+outside_schedule
wait 10s
badge front abe
expect denied reason=no_grant
expect shown front denied
wait 10s
badge side kato
expect denied reason=training_expired
expect shown side denied
wait 10s
badge front stranger
expect denied reason=unknown_credential
expect shown front denied
wait 2s
expect line person= name= reason=unknown_credential
wait 10s
expect shown front idle
link down gw-1
wait 5s
badge front abe                              # the same, but that the server is away
expect denied by=gateway reason=no_grant
expect shown front denied_offline
