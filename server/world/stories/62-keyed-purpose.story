# RR-7: staff: a code at the keypad says what somebody came for. It counts by the words that the code has when it is keyed, before what
# is stated afterwards and after approved work; a code nobody has named counts as none. It opens nothing and works with the server away.
start 2026-11-24 09:00
zone room level=2 pin_always=yes
gateway gw-1
door front gateway=gw-1 zone=room exit=reader offline=cached_pin
person sato
person abe
card c-1 person=sato pin=2468
card c-2 person=abe pin=1357
grant sato zone=room
grant abe zone=room
visit-settings purpose_labels.room=patrol,repair

badge front sato                             # before the PIN: the door waits for it
purpose front 2
expect pin
pin front 2468
expect granted
open front
close front
wait 2s
expect purpose repair from=keypad
says-purpose sato tapes                      # what was keyed stays
expect purpose repair from=keypad

badge front abe pin=1357                     # after the door has let in
expect granted
open front
purpose front 1
close front
wait 2s
expect purpose patrol from=keypad

badge front sato exit
open front
close front
wait 5s
badge front sato pin=2468                    # nobody has named 7
purpose front 7
open front
close front
wait 2s
expect purpose none

badge front abe exit
open front
close front
link down gw-1
wait 10s
badge front abe pin=1357                     # the server is away
expect granted by=gateway
purpose front 2
open front
close front
wait 2s
link up gw-1
wait 1m
expect purpose repair from=keypad
expect finding purpose_blank 0
