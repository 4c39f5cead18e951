# Three unknown cards at one door within ten minutes are one item; a fourth adds none.
10:00:00 denied server-room-1 side=enter reason=unknown_credential card=1
10:01:00 denied media-store-1 side=enter reason=unknown_credential card=1
10:05:00 denied server-room-1 side=enter reason=unknown_credential card=1
10:06:00 denied server-room-1 side=enter reason=no_grant
10:09:59 denied server-room-1 side=enter reason=unknown_credential card=1
10:09:59 denied server-room-1 side=enter reason=unknown_credential card=1
# Exactly ten minutes later is not within ten minutes.
11:00:00 denied media-store-1 side=enter reason=unknown_credential card=1
11:05:00 denied media-store-1 side=enter reason=unknown_credential card=1
11:10:00 denied media-store-1 side=enter reason=unknown_credential card=1
-- want --
10:09:59 unknown_card_repeated severity=medium proof=5
