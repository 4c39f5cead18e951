# VR-7: five different cards that open nothing at one door, or one card at four doors. The same wrong card again is one card.
10:00:00 denied front card=1 reason=unknown_credential
10:00:05 denied front card=1 reason=unknown_credential
10:00:10 denied front card=2 reason=credential_expired
10:00:20 denied front card=3 reason=credential_expired
10:00:30 denied front card=4 reason=credential_expired
10:00:35 denied front card=9 reason=no_grant
10:00:40 denied front card=5 reason=credential_expired
11:00:00 denied front card=6 reason=no_grant
11:01:00 denied side card=6 reason=no_grant
11:02:00 denied back card=6 reason=no_grant
11:03:00 denied side card=6 reason=no_grant
11:04:00 denied roof card=6 reason=no_grant
# Near miss: four doors in an hour.
13:00:00 denied front card=7 reason=no_grant
13:15:00 denied side card=7 reason=no_grant
13:30:00 denied back card=7 reason=no_grant
13:45:00 denied roof card=7 reason=no_grant
-- want --
10:00:40 card_scan severity=high proof=7 detail=cards
11:04:00 denied_burst severity=medium proof=12 detail=card
11:04:00 card_scan severity=high proof=12 detail=doors
