# AD-15, VE-6: training out of date is flagged in one room and denied in another; conditions of entry of an older version.
zone office level=1 training=flag
zone room level=2 training=deny
gateway gw-1
door front gateway=gw-1 zone=office exit=reader
door inner gateway=gw-1 zone=room exit=reader
person sato training_until=2026-11-23
person abe training_until=2026-11-24
card c-1 person=sato
card c-2 person=abe
grant sato zone=office
grant sato zone=room
grant abe zone=room

badge front sato
expect granted
expect finding training_expired 1
badge inner sato
expect denied reason=training_expired
badge inner abe
expect granted
wait 15h                       # the next day
badge inner abe
expect denied reason=training_expired
badge inner abe exit
expect granted
