# Inside for twelve hours since they came from outside: once. Going further in and out again begins nothing anew.
06:00:00 entry front attempt=a person=1 into=hall together named
09:00:00 entry front attempt=b person=2 into=hall together
17:00:00 exit front attempt=c person=2 from=hall before=09:00:00/front/hall/within
tick 17:59:59
tick 18:00:00 hall
tick 18:01:00
tick 19:00:00
# Nobody looked in time: the exit tells.
1+06:00:00 entry front attempt=d person=3 into=hall together named
1+18:30:00 exit front attempt=e person=3 from=hall before=1+06:00:00/front/hall/within
# Alone in the server room for four hours, once a stay; near miss: company comes in time.
2+08:00:00 entry room attempt=f person=4 into=server-room from=hall together
2+11:59:00 entry room attempt=g person=5 into=server-room from=hall together
tick 2+12:00:01
2+13:00:00 exit room attempt=h person=5 into=hall from=server-room before=2+11:59:00/room/server-room/within
tick 2+16:59:59
tick 2+17:00:00
tick 2+17:30:00
2+18:00:00 exit room attempt=i person=4 into=hall from=server-room before=2+08:00:00/room/server-room/within
# From the server room into the hall is not outside: both stays go on and are too long. A late record moves nobody who has moved since.
3+10:00:00 exit front attempt=j person=5 from=hall before=2+13:00:00/room/hall/within
3+10:00:00 exit front attempt=k person=4 from=hall before=2+18:00:00/room/hall/within
2+19:00:00 entry room attempt=l person=5 into=server-room from=hall together
tick 4+10:00:00
-- want --
18:00:00 overstay severity=low proof=1 detail=hall
18:00:00 overstay severity=low proof=4 detail=hall
17:00:00 lone_worker severity=medium proof=6 detail=server-room
23:59:00 overstay severity=low proof=7 detail=hall
20:00:00 overstay severity=low proof=6 detail=hall
