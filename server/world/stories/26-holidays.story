# AD-5: the closed days that requirements.md names: a substitute holiday, a citizens' holiday, a Monday, the year end.
start 2026-05-06 10:00
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
schedule office days=weekdays from=8:30 to=17:15
closed 2026-05-06 name=振替休日
closed 2026-09-22 name=国民の休日
closed 2026-11-23 name=勤労感謝の日
person sato
card c-1 person=sato
grant sato zone=room schedule=office

badge front sato
expect denied reason=outside_schedule
at 2026-05-07 08:29
badge front sato
expect denied reason=outside_schedule
at 2026-05-07 08:30
badge front sato
expect granted
at 2026-09-22 10:00
badge front sato
expect denied reason=outside_schedule
at 2026-11-23 10:00
badge front sato
expect denied reason=outside_schedule
at 2026-11-24 08:30
badge front sato
expect granted
at 2026-11-24 17:15
badge front sato
expect denied reason=outside_schedule
