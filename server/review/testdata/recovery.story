# AD-18: each use of a recovery card is told at once; what the server would say of the card now is told beside it.
20:00:00 granted server-room-1 side=enter by=gateway failed=policy_expired+offline_deny+recovery_card judged=granted
20:01:00 granted server-room-1 side=enter by=gateway failed=clock_untrusted+recovery_card judged=credential_lost
20:02:00 denied server-room-1 side=enter by=gateway reason=pin_bad failed=pin_bad+policy_expired
20:03:00 granted server-room-1 side=exit by=gateway failed=credential_expired judged=granted
-- want --
20:00:00 recovery_used severity=high proof=1 detail=policy_expired/offline_deny
20:01:00 decision_mismatch severity=high proof=2 detail=credential_lost
20:01:00 recovery_used severity=high proof=2 detail=clock_untrusted
20:03:00 exit_invalid_card severity=low proof=4 detail=credential_expired
