# VE-2, AD-14: an emergency lets an outsider in where no escort is. Near miss: an escort follows within a minute.
zone room level=2 escort=outsiders
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato may_escort=yes
person kato
person tanaka category=contractor company=ACME contract_until=2027-03-31
contract K-1 person=tanaka company=ACME from=2026-04-01 until=2027-03-31
card c-1 person=sato
card c-2 person=tanaka
card c-3 person=kato
grant sato zone=room

emergency water zone=room persons=tanaka for=2h by=sato
agree water by=kato
badge front tanaka
expect granted
open front
close front
badge front sato                             # within the minute
open front
close front
wait 3m
expect finding unescorted_visitor 0
badge front tanaka exit
open front
close front
badge front sato exit
open front
close front
wait 10s
badge front tanaka
expect granted
open front
close front
wait 3m
expect finding unescorted_visitor 1
