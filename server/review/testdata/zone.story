# AD-9, AD-14, AD-15, D7: what a zone's rules let pass and flag.
09:00:00 granted server-room-1 side=enter by=server failed=anti_passback
09:01:00 granted server-room-1 side=enter by=server failed=training_expired
09:02:00 granted server-room-1 side=enter by=server failed=occupancy_full+emergency_entry
09:03:00 denied server-room-1 side=enter by=server reason=anti_passback failed=anti_passback
09:04:00 granted server-room-1 side=enter by=gateway judged=granted missing=zone
09:05:00 granted server-room-1 side=enter by=gateway judged=granted missing=pin+person
09:06:00 granted server-room-1 side=exit by=gateway judged=granted
-- want --
09:00:00 anti_passback severity=low proof=1
09:01:00 training_expired severity=low proof=2
09:02:00 emergency_entry severity=high proof=3
09:04:00 zone_unknown severity=low proof=5 detail=zone
