# 未入室 (DS-4), and records that came late (EV-7): each is found; how often the same is told is the log's to say.
10:00:00 no_entry front attempt=a
10:05:00 no_entry front attempt=b
11:00:00 tamper_end front arrived=12:00:00
-- want --
10:00:00 no_entry severity=low proof=1
10:05:00 no_entry severity=low proof=2
11:00:00 late_record severity=low proof=3
