# VR-7: one card refused five times within ten minutes, and ten refusals at one door. Near misses: four in ten minutes, a fifth later.
zone room level=1
zone vault level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
door side gateway=gw-1 zone=vault exit=reader
person sato
person abe
person kato
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
grant sato zone=room

badge side sato
expect denied reason=no_grant
badge side sato
badge side sato
badge side sato
wait 2s
expect finding denied_burst 0
badge side sato
wait 2s
expect finding denied_burst 1
badge side sato                              # the same burst
wait 2s
expect finding denied_burst 1
wait 11m
badge side abe
badge side abe
badge side abe
badge side abe
wait 10m
badge side abe                               # the fifth, too late to be one burst
wait 2s
expect finding denied_burst 1
wait 11m
badge side abe
badge side abe
badge side abe
badge side kato
badge side kato
badge side kato
badge side kato
badge side sato
badge side sato
wait 2s
expect finding denied_burst 1
badge side sato                              # the tenth at this door
wait 2s
expect finding denied_burst 2
expect finding card_scan 0                   # they are known people, at one door
