# AD-5, AD-6, A9: office hours, closed days, the end of a contract.
start 2026-11-20 08:00
zone room level=2
gateway gw-1
door front gateway=gw-1 zone=room
schedule office days=weekdays from=8:30 to=17:15
closed 2026-11-23 name=勤労感謝の日
person tanaka category=contractor company=ACME contract_from=2026-04-01 contract_until=2026-11-24
card c-1 person=tanaka
grant tanaka zone=room schedule=office

badge front tanaka
expect denied reason=outside_schedule
at 08:30
badge front tanaka
expect granted
at 2026-11-21 10:00          # Saturday
badge front tanaka
expect denied reason=outside_schedule
at 2026-11-23 10:00          # Monday and a holiday
badge front tanaka
expect denied reason=outside_schedule
at 2026-11-24 17:14
badge front tanaka
expect granted
at 2026-11-25 10:00          # the contract is over
badge front tanaka
expect denied reason=contract_expired
