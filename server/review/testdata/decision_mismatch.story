# A grant the gateway gave alone and the server would not have given.
20:00:00 granted server-room-1 side=enter by=gateway judged=granted
20:01:00 granted server-room-1 side=enter by=gateway judged=credential_revoked
20:02:00 denied server-room-1 side=enter by=gateway reason=offline_deny judged=granted
20:03:00 granted server-room-1 side=enter by=server
-- want --
20:01:00 decision_mismatch severity=high proof=2 detail=credential_revoked
