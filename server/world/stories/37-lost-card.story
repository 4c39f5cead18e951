# AD-17, AD-7: staff: lost card at 23:00. The night guard or the holder stops it, and cannot give anything; entries since the
# last sure use go to the holder; a found card is made good by another person's approval.
start 2026-11-24 17:00
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
person kato
card c-1 person=sato
card c-3 person=kato
grant sato zone=room
grant kato zone=room

badge front sato
expect granted
open front
close front
badge front sato exit
open front
close front
at 21:00
badge front sato                             # somebody with the card
expect granted
open front
close front
badge front sato exit
open front
close front
at 23:00
stop sato lost sure=18:00 by=guard
wait 4s
badge front sato
expect denied by=server reason=credential_lost
expect owed entries_unconfirmed 1
found sato by=sato
resume sato by=guard                         # the holder has not said anything yet
expect refused entries_open
mine sato 1 yes by=kato
expect refused not_holder
mine sato 1 yes by=sato
mine sato 2 yes by=sato
resume sato by=sato                          # not who asked
expect refused same_person
resume sato by=abe
badge front sato
expect granted
open front
close front
badge front kato
expect granted
wait 10s
stop kato sure=22:59 by=kato                 # the holder stops it, reversibly
badge front kato
expect denied reason=credential_suspended
mine kato 1 no by=kato                       # "that was not me"
expect finding entry_disowned 1
found kato by=kato
resume kato by=abe
expect refused entries_open
