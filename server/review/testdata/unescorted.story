# VE-2: an outsider inside without an escort from the beginning. Near misses: an escort inside, one who follows within a minute, and one
# in the zone around it does not count.
10:00:00 entry room attempt=a person=1 into=server-room outsider together
tick 10:00:59
tick 10:01:00 server-room
tick 10:01:00
11:00:00 entry room attempt=b person=2 into=server-room escort together
11:00:10 entry room attempt=c person=3 into=server-room outsider together
tick 11:05:00
11:10:00 exit room attempt=d person=2 from=server-room before=11:00:00/room/server-room/within
12:00:00 entry room attempt=e person=4 into=server-room outsider together
12:01:00 entry room attempt=f person=2 into=server-room escort together
tick 12:05:00
12:06:00 exit room attempt=g person=2 from=server-room before=12:01:00/room/server-room/within
13:00:00 entry front attempt=h person=2 into=hall escort together
13:00:10 entry room attempt=i person=5 into=server-room outsider together
13:01:11 entry room attempt=j person=2 into=server-room escort from=hall together
tick 13:05:00
-- want --
10:00:00 unescorted_visitor severity=medium proof=1 detail=server-room
13:00:10 unescorted_visitor severity=medium proof=9 detail=server-room
