# DS-7: with a key of the door lent an opening without a badge is one with the key. EQ-1: inside a carry session a door may stand open.
09:00:00 forced_open server-room-1 key_out=yes
09:30:00 forced_open server-room-1
10:00:00 held_open server-room-1 carrying=yes
11:00:00 held_open server-room-1
-- want --
09:00:00 key_entry severity=low proof=1
09:30:00 forced_open severity=high proof=2
11:00:00 held_open severity=medium proof=4
