# AD-5, AD-6: 31 March 23:59:59 and 1 April 00:00:00; every line takes a second.
start 2027-03-31 23:59
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
person sato
person abe
card c-1 person=sato
card c-2 person=abe
grant sato zone=room
grant abe zone=room until=2028-03-31

at 23:59:59
badge front sato
expect granted
at 2027-04-01 00:00:00
badge front sato
expect denied reason=grant_expired
badge front abe
expect granted
