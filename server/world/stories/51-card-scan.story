# VR-7: one card refused at four different doors within ten minutes. Near miss: three doors, or four within an hour.
zone room level=1
zone vault level=1
gateway gw-1
gateway gw-2
door d-1 gateway=gw-1 zone=vault exit=reader
door d-2 gateway=gw-1 zone=vault exit=reader
door d-3 gateway=gw-2 zone=vault exit=reader
door d-4 gateway=gw-2 zone=vault exit=reader
person sato
person abe
card c-1 person=sato
card c-2 person=abe

badge d-1 sato
badge d-2 sato
badge d-3 sato
badge d-3 sato
wait 2s
expect finding card_scan 0
badge d-4 sato
wait 2s
expect finding card_scan 1
badge d-1 abe
wait 15m
badge d-2 abe
wait 15m
badge d-3 abe
wait 15m
badge d-4 abe
wait 2s
expect finding card_scan 1
