# AD-5: the closed days that requirements.md names: a substitute holiday, a citizens' holiday, a Monday, 12/29–1/3; the second of opening and closing.
start 2026-05-06 10:00
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room exit=reader
schedule office days=weekdays from=8:30 to=17:15
closed 2026-05-06 name=振替休日
closed 2026-09-22 name=国民の休日
closed 2026-11-23 name=勤労感謝の日
closed 2026-12-29 name=年末
closed 2026-12-30 name=年末
closed 2026-12-31 name=年末
closed 2027-01-01 name=元日
closed 2027-01-02 name=年始
closed 2027-01-03 name=年始
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
at 2026-11-24 08:29:59
badge front sato
expect denied reason=outside_schedule
at 2026-11-24 08:30:00
badge front sato
expect granted
at 2026-11-24 17:14:59
badge front sato
expect granted
at 2026-11-24 17:15:00
badge front sato
expect denied reason=outside_schedule
at 2026-12-28 17:14
badge front sato
expect granted
at 2026-12-29 10:00            # a Tuesday
badge front sato
expect denied reason=outside_schedule
at 2026-12-31 10:00
badge front sato
expect denied reason=outside_schedule
at 2027-01-01 10:00
badge front sato
expect denied reason=outside_schedule
at 2027-01-03 10:00
badge front sato
expect denied reason=outside_schedule
at 2027-01-04 08:30            # a Monday
badge front sato
expect granted
