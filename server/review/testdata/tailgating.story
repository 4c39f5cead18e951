# VE-11: signs only. One permission, two openings: the door closes twice for one attempt.
10:00:00 entry front attempt=a person=1 into=media-store
10:00:05 closed front attempt=a
10:00:07 closed front attempt=a
# Somebody passes while the door stands open for another.
11:00:00 entry front attempt=b person=1 into=media-store
11:00:03 entry front attempt=c person=2 into=media-store
11:00:06 closed front attempt=b
# Near misses: the same where the zone asks for two; one after the other; somebody who leaves meanwhile; another door.
12:00:00 entry front attempt=d person=1 into=media-store together
12:00:01 entry front attempt=e person=2 into=media-store together
12:00:06 closed front attempt=d
12:10:00 entry front attempt=f person=1 into=media-store
12:10:02 closed front attempt=f
12:10:03 entry front attempt=g person=2 into=media-store
12:10:04 exit front attempt=h person=3 from=media-store before=09:00:00/front/media-store/within
12:10:05 entry back attempt=i person=4 into=media-store
12:10:06 closed front attempt=g
-- want --
10:00:07 tailgating_possible severity=low proof=3 detail=second_opening
11:00:03 tailgating_possible severity=low proof=5 detail=two_passages
