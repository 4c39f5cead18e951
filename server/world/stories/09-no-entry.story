# DS-4: let in and not gone in.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

badge front sato
expect granted
wait 10s
expect event front no_entry 1
expect door front secured
expect line passage=no_entry
