# AD-9: who is inside by the log enters again, in the four modes. The exit is never refused; an officer forgives.
zone off level=1
zone soft level=1 anti_passback=soft
zone hard level=2 anti_passback=hard
zone timed level=2 anti_passback=timed anti_passback_for=10m
gateway gw-1
door d-off gateway=gw-1 zone=off exit=reader
door d-soft gateway=gw-1 zone=soft exit=reader
door d-hard gateway=gw-1 zone=hard exit=reader
door d-timed gateway=gw-1 zone=timed exit=reader
person sato
card c-1 person=sato
grant sato zone=off
grant sato zone=soft
grant sato zone=hard
grant sato zone=timed

badge d-off sato
open d-off
close d-off
badge d-off sato
expect granted
badge d-soft sato
open d-soft
close d-soft
expect inside soft 1
badge d-soft sato
expect granted
expect finding anti_passback 1
badge d-hard sato
open d-hard
close d-hard
wait 8h
badge d-hard sato
expect denied reason=anti_passback
badge d-hard sato exit
expect granted
open d-hard
close d-hard
badge d-hard sato
expect granted
open d-hard
close d-hard
badge d-hard sato
expect denied reason=anti_passback
forgive sato
badge d-hard sato
expect granted
wait 10s
badge d-timed sato
expect granted
open d-timed
close d-timed
wait 9m
badge d-timed sato
expect denied reason=anti_passback
wait 2m
badge d-timed sato
expect granted
