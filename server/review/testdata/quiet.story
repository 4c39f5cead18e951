# VR-1: what lies next to the findings of devices, doors and gateways and is none: ends, repairs, what was ordered, and an ordinary passage.
07:30:00 boot - detail=clean
07:30:01 link_up -
07:30:02 policy_applied -
08:00:00 denied front side=enter by=server reason=pin_bad
08:00:10 granted front side=enter by=server
08:00:12 entry front attempt=a person=1 into=hall together before=08:00:00/side/street
08:00:15 closed front attempt=a
09:00:00 read_error front
09:01:00 denied front card=1 reason=unknown_credential
09:02:00 denied front card=1 reason=unknown_credential
10:00:00 granted front side=enter by=gateway judged=granted
10:00:09 lapsed front
10:30:00 request_exit front side=exit
10:40:00 held_end front
11:00:00 reader_back front
11:01:00 line_ok front
11:02:00 tamper_end front
11:03:00 fire_clear front
11:04:00 rearmed front
11:05:00 mode_changed front
11:06:00 mains_back -
11:07:00 battery_ok -
11:08:00 maintenance front
12:10:00 granted front side=exit by=gateway judged=granted
12:10:02 exit front attempt=b person=1 from=hall before=08:00:12/front/hall/within
19:00:00 link_lost -
19:00:20 link_up -
22:00:00 shutdown -
-- want --
