# What one event alone is enough for.
08:31:00 granted server-room-1 side=enter by=server
08:31:02 entry server-room-1 side=enter
09:00:00 no_entry server-room-1
12:00:00 forced_open server-room-1
12:00:40 held_open server-room-1
12:01:00 held_end server-room-1
13:00:00 forced_open media-store-2 observed=yes
14:00:00 inside_open media-store-1
15:00:00 tamper server-room-1 detail=cover
15:01:00 tamper_end server-room-1
15:02:00 line_fault server-room-1 detail=cut
15:03:00 reader_lost server-room-1
15:04:00 reader_back server-room-1
15:05:00 strike_failed server-room-1
15:06:00 fire_release server-room-1
15:07:00 clock_step server-room-1
15:08:00 pin_locked server-room-1
15:09:00 no_entry server-room-1 reason=door_locked   # of the lock that did not obey: told already
15:10:00 no_entry server-room-1 reason=interlock     # of the airlock's other door
-- want --
09:00:00 no_entry severity=low proof=3
12:00:00 forced_open severity=high proof=4
12:00:40 held_open severity=medium proof=5
13:00:00 forced_open severity=low proof=7
14:00:00 inside_open severity=low proof=8
15:00:00 tamper severity=high proof=9 detail=cover
15:02:00 line_fault severity=medium proof=11 detail=cut
15:03:00 reader_lost severity=medium proof=12
15:05:00 strike_failed severity=medium proof=14
15:06:00 fire_release severity=high proof=15
15:07:00 clock_step severity=low proof=16
15:08:00 pin_locked severity=medium proof=17
