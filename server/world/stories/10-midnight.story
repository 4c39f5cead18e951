# EV-3, D21: the day of a line is the site's day on which it happened, also when the record comes later;
# and a schedule ends on the minute.
start 2026-11-24 23:55
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room
schedule evening days=every from=18:00 to=23:59
person abe
card c-2 person=abe
grant abe zone=room schedule=evening

at 23:58:50
badge front abe
expect granted
at 23:59:05
badge front abe
expect denied reason=outside_schedule
expect line day=2026-11-24
link down gw-1
wait 5s
at 23:59:50
badge front sato
expect granted by=gateway
at 2026-11-25 00:03
link up gw-1
wait 10s
expect line day=2026-11-24 by=gateway
badge front sato
expect line day=2026-11-25 by=server
