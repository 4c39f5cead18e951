# I10: a quiet time is told from a dead logger.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

link down gw-1
wait 5m
link up gw-1
wait 10s
expect silence 1
wait 20m
expect silence 1
