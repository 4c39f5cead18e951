# Inside for twelve hours: once. Near miss: somebody who leaves in time. An officer's word ends it too.
zone room level=1
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
person kato
card c-1 person=sato
card c-2 person=abe
card c-3 person=kato
grant sato zone=room
grant abe zone=room
grant kato zone=room

badge front sato
open front
close front
badge front abe
open front
close front
badge front kato
open front
close front
wait 8h
badge front abe exit
open front
close front
forgive kato                                 # whose exit is known otherwise
wait 3h
expect finding overstay 0
wait 2h
expect finding overstay 1
restart server
wait 2h
expect finding overstay 1
