# A lost or withdrawn card is told high, a suspended one low; also when the door was locked besides. A card that ran out is none of it.
10:00:00 denied front card=1 reason=credential_lost
10:20:00 denied front card=2 reason=credential_revoked failed=credential_revoked+door_locked
10:40:00 denied front card=3 reason=credential_suspended
11:00:00 denied front card=4 reason=person_inactive
11:20:00 denied front card=5 reason=credential_expired
11:40:00 denied front card=6 reason=no_grant
-- want --
10:00:00 lost_card_used severity=high proof=1 detail=lost
10:20:00 lost_card_used severity=high proof=2 detail=revoked
10:40:00 lost_card_used severity=low proof=3 detail=suspended
11:00:00 inactive_person_card severity=medium proof=4
