# DS-8: what happens to a gateway's power is an item for somebody; an ordinary start is not.
20:00:00 boot - detail=clean
20:01:00 mains_lost -
20:02:00 battery_low -
20:03:00 boot - detail=unclean
20:04:00 mains_back -
20:05:00 battery_ok -
20:06:00 boot - detail=first
20:07:00 shutdown - detail=unclean
-- want --
20:01:00 mains_lost severity=medium proof=2
20:02:00 battery_low severity=medium proof=3
20:03:00 unclean_boot severity=low proof=4 detail=unclean
