# VR-7, VE-9: from outside at night, and further in for who came in by day. Approved work is not after hours, nor is a right that
# names the hour; a door further in is not told twice, leaving never.
06:59:59 entry front attempt=a person=1 into=hall together
07:00:00 entry front attempt=b person=2 into=hall together
19:59:00 entry front attempt=c person=3 into=hall together
20:00:00 entry front attempt=d person=4 into=hall together
20:05:00 entry room attempt=e person=4 into=server-room from=hall before=20:00:00/front/hall together
20:06:00 entry room attempt=f person=3 into=server-room from=hall before=19:59:00/front/hall/usual together
22:00:00 entry front attempt=g person=5 into=hall covered together
22:00:00 entry side attempt=h person=6 into=hall named
22:10:00 exit front attempt=i person=4 from=hall before=20:05:00/room/server-room/within
10:00:00 entry back attempt=j person=7 into=hall closed_day
-- want --
06:59:59 after_hours severity=medium proof=1
20:00:00 after_hours severity=medium proof=4
20:06:00 after_hours severity=medium proof=6
10:00:00 after_hours severity=medium proof=10
