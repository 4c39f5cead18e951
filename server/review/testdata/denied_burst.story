# VR-7: five refusals of one card within ten minutes are one item; the sixth adds none. A wrong PIN and an unknown card have findings
# of their own and do not count, nor does what says something of the door.
09:00:00 denied front card=1 reason=no_grant
09:00:10 denied front card=1 reason=outside_schedule
09:00:15 denied front card=1 reason=pin_bad
09:00:16 denied front card=1 reason=door_locked
09:00:20 denied side card=1 reason=no_grant
09:00:30 denied front card=1 reason=no_grant
09:00:40 denied front card=1 reason=no_grant
09:00:50 denied front card=1 reason=no_grant
# Near miss: five of another card, of which the first is exactly ten minutes before the last.
12:00:00 denied front card=2 reason=no_grant
12:05:00 denied front card=2 reason=no_grant
12:06:00 denied front card=2 reason=no_grant
12:07:00 denied front card=2 reason=no_grant
12:10:00 denied front card=2 reason=no_grant
# Ten refusals of ten cards at one door are one item; nine are none.
14:00:00 denied back card=11 reason=grant_expired
14:00:10 denied back card=12 reason=grant_expired
14:00:20 denied back card=13 reason=grant_expired
14:00:30 denied back card=14 reason=grant_expired
14:00:40 denied back card=15 reason=grant_expired
14:00:50 denied back card=16 reason=grant_expired
14:01:00 denied back card=17 reason=grant_expired
14:01:10 denied back card=18 reason=grant_expired
14:01:20 denied back card=19 reason=grant_expired
14:20:00 denied back card=20 reason=grant_expired
14:20:01 denied back card=21 reason=grant_expired
14:20:02 denied back card=22 reason=grant_expired
14:20:03 denied back card=23 reason=grant_expired
14:20:04 denied back card=24 reason=grant_expired
14:20:05 denied back card=25 reason=grant_expired
14:20:06 denied back card=26 reason=grant_expired
14:20:07 denied back card=27 reason=grant_expired
14:20:08 denied back card=28 reason=grant_expired
14:20:09 denied back card=29 reason=grant_expired
-- want --
09:00:40 denied_burst severity=medium proof=7 detail=card
14:20:09 denied_burst severity=medium proof=32 detail=door
