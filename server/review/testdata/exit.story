# D11: leaving is never refused; what is odd about it is looked at. DS-3.
17:20:00 granted server-room-1 side=exit by=gateway
17:21:00 granted server-room-1 side=exit by=gateway failed=credential_revoked+no_grant
17:22:00 exit_unattributed server-room-1 side=exit
17:23:00 granted server-room-1 side=enter by=gateway
17:24:00 granted server-room-1 side=exit by=gateway failed=outside_schedule   # home after hours
17:25:00 granted server-room-1 side=exit by=gateway failed=credential_expired+outside_schedule
-- want --
17:21:00 exit_invalid_card severity=low proof=2 detail=credential_revoked
17:22:00 exit_unattributed severity=low proof=3
17:25:00 exit_invalid_card severity=low proof=6 detail=credential_expired
