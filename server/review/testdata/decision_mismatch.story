# A grant the gateway gave alone and the server would not have given.
20:00:00 granted server-room-1 side=enter by=gateway judged=granted
20:01:00 granted server-room-1 side=enter by=gateway judged=credential_revoked
20:02:00 denied server-room-1 side=enter by=gateway reason=offline_deny judged=granted
20:03:00 granted server-room-1 side=enter by=server
# What changed in between and how late the record came is part of it; the gateway's own rules are asked too.
20:10:00 granted server-room-1 side=enter by=gateway judged=credential_revoked then=granted rules=41-43 late=5400500ms
20:11:00 granted server-room-1 side=enter by=gateway judged=lockdown then=granted rules=43-43 late=10ms
20:12:00 granted server-room-1 side=enter by=gateway judged=grant_expired then=granted rules=43-43 late=0ms
20:13:00 granted server-room-1 side=enter by=gateway judged=granted then=no_grant rules=41-43 late=61000ms
20:14:00 granted server-room-1 side=enter by=gateway judged=no_grant rules=99-43 late=61000ms
20:15:00 granted server-room-1 side=enter by=gateway judged=granted then=granted rules=41-43 late=61000ms
-- want --
20:01:00 decision_mismatch severity=high proof=2 detail=credential_revoked
20:10:00 decision_mismatch severity=high proof=5 detail=credential_revoked:rules-41-43:late-5400s
20:11:00 decision_mismatch severity=high proof=6 detail=lockdown:mode:late-0s
20:12:00 decision_mismatch severity=high proof=7 detail=grant_expired:same:late-0s
20:13:00 decision_mismatch severity=high proof=8 detail=granted:held-no_grant:late-61s
20:14:00 decision_mismatch severity=high proof=9 detail=no_grant:unknown-99-43:late-61s
