# VR-1: an exit of somebody whom the log has elsewhere. Near misses: inside, inside an inner zone, and while records may still come.
09:00:00 exit front attempt=a person=1 from=hall before=08:00:00/front/
09:01:00 exit front attempt=b person=2 from=hall before=08:00:00/front/hall/within
09:02:00 exit front attempt=c person=3 from=hall
09:03:00 exit front attempt=d person=4 from=hall before=08:00:00/front/ unsettled
# VR-7: the first use of a door, but for newcomers, approved work, and who used it lately.
10:00:00 entry front attempt=e person=5 into=hall unused known_days=60 together
10:01:00 entry front attempt=f person=6 into=hall unused known_days=29 together
10:02:00 entry front attempt=g person=7 into=hall unused known_days=60 covered together
10:03:00 entry front attempt=h person=8 into=hall known_days=60 together
10:04:00 entry front attempt=i person=9 into=hall unused together
# VR-7: two places too quickly. The widths count against it, and so does the other direction.
walk front store-1 600000
11:00:00 entry store-1 attempt=j person=1 into=media-store before=10:55:00/front/hall known_days=60 together
11:00:00 entry store-1 attempt=k person=2 into=media-store before=10:55:00/front/hall width=600000 together
11:00:00 entry store-1 attempt=l person=3 into=media-store before=10:50:00/front/hall together
11:00:00 entry front attempt=m person=4 into=hall after=11:05:00/store-1/media-store together
11:00:00 entry front attempt=n person=4 into=hall after=11:05:00/side/media-store together
# A right that somebody gave themselves.
12:00:00 entry front attempt=o person=1 into=hall own=grant together
12:00:01 exit front attempt=p person=1 from=hall own=grant before=12:00:00/front/hall/within
-- want --
09:00:00 exit_without_entry severity=low proof=1 detail=hall
09:02:00 exit_without_entry severity=low proof=3 detail=hall
10:00:00 first_use severity=low proof=5
11:00:00 impossible_travel severity=medium proof=10 detail=front
11:00:00 impossible_travel severity=medium proof=13 detail=store-1
12:00:00 self_granted severity=high proof=15 detail=grant
