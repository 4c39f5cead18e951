# I1, I2, I3: whatever loses its power, nothing that was recorded is lost and nothing comes twice.
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached max_age=1h
person sato
card c-1 person=sato
grant sato zone=room

badge front sato
expect granted
power cut gw-1
wait 5s
power on gw-1
wait 5s
badge front sato
expect granted
power cut server
wait 10s
badge front sato
expect granted by=gateway
power cut gw-1
power on gw-1
power on server
wait 30s
disk server untold
badge front sato
wait 10s
disk gw-1 lost
badge front sato
wait 10s
disk gw-1 untold
badge front sato
wait 10s
badge front sato
expect granted by=server
expect log complete
