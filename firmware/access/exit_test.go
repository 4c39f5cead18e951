package access

import (
	"testing"

	"monban/firmware/card"
)

// D11: at an exit reader a known card leaves, whatever is wrong with it; what is wrong is a finding.
func TestExit(t *testing.T) {
	now := at(t, "2026-11-24 09:00:00")
	for _, tc := range []struct {
		name    string
		spoil   func(r *Rules, v *View, q *Request)
		outcome Outcome
		primary Reason
		failed  string
	}{
		{"plain", func(*Rules, *View, *Request) {}, Granted, ReasonGranted, ""},
		{"expired", func(r *Rules, _ *View, _ *Request) { r.Credentials[1].UntilMS = now }, Granted, ReasonGranted, "credential_expired"},
		{"revoked", func(r *Rules, _ *View, _ *Request) { r.Credentials[1].Status = CredentialRevoked }, Granted, ReasonGranted, "credential_revoked"},
		{"lost, person left, contract over", func(r *Rules, _ *View, _ *Request) {
			r.Credentials[1].Status = CredentialLost
			r.Persons[staff].Active = false
			r.Persons[staff].ContractUntilMS = now
		}, Granted, ReasonGranted, "credential_lost+person_inactive+contract_expired"},
		{"out of time", func(_ *Rules, _ *View, q *Request) { q.WallMS = at(t, "2026-11-24 23:00:00") }, Granted, ReasonGranted, "outside_schedule"},
		{"no grant", func(_ *Rules, _ *View, q *Request) { q.Key = key(3) }, Granted, ReasonGranted, "no_grant"},
		{"card of nobody", func(_ *Rules, _ *View, q *Request) { q.Key = key(9) }, Granted, ReasonGranted, "person_inactive+no_grant"},
		{"lockdown", func(r *Rules, _ *View, _ *Request) { r.Doors[0].Mode = ModeLockdown }, Granted, ReasonGranted, ""},
		{"behind", func(_ *Rules, _ *View, q *Request) { q.Behind = true }, Granted, ReasonGranted, ""},
		{"too old", func(_ *Rules, _ *View, q *Request) { q.AgeMS = 1 << 50 }, Granted, ReasonGranted, ""},
		{"no clock", func(_ *Rules, _ *View, q *Request) { q.Clock, q.WallMS = ClockNone, at(t, "2031-01-01 03:00:00") }, Granted, ReasonGranted, ""},
		{"no clock, revoked", func(r *Rules, _ *View, q *Request) {
			q.Clock, q.WallMS = ClockNone, 0
			r.Credentials[1].Status = CredentialRevoked
		}, Granted, ReasonGranted, "credential_revoked"},
		{"offline deny", func(r *Rules, _ *View, q *Request) { q.Link, r.Doors[0].OfflineMode = LinkOffline, OfflineDeny }, Granted, ReasonGranted, ""},
		{"no PIN, PIN unknown", func(_ *Rules, v *View, q *Request) { v.PIN.Known, q.PIN = false, PINNone }, Granted, ReasonGranted, ""},
		{"bad PIN, locked out", func(_ *Rules, v *View, q *Request) { v.PIN.Failed, q.PIN = 9, PINBad }, Granted, ReasonGranted, ""},
		{"weak read", func(_ *Rules, _ *View, q *Request) { q.Assurance = card.UIDOnly }, Granted, ReasonGranted, ""},
		{"unknown", func(_ *Rules, _ *View, q *Request) { q.Key = key(77) }, Denied, ReasonExitUnattributed, "unknown_credential+exit_unattributed"},
		{"unreadable", func(_ *Rules, _ *View, q *Request) { q.HasCard = false }, Denied, ReasonExitUnattributed, "read_error+exit_unattributed"},
		{"unknown door", func(_ *Rules, _ *View, q *Request) { q.Door = "nowhere" }, Denied, ReasonUnknownDoor, "unknown_door"},
		{"no reader on this side", func(_ *Rules, _ *View, q *Request) { q.Door = "front" }, Denied, ReasonUnknownDoor, "unknown_door"},
	} {
		r := site(t)
		v, q := good(t)
		q.Side = SideExit
		tc.spoil(&r, &v, &q)
		d := Decide(compile(t, r), v, q)
		if d.Outcome != tc.outcome || d.Primary != tc.primary || d.Failed.String() != tc.failed {
			t.Errorf("%s: %s %s %q, want %s %s %q", tc.name, d.Outcome, d.Primary, d.Failed, tc.outcome, tc.primary, tc.failed)
		}
	}
	v, q := good(t)
	q.Side = SideExit
	if d := Decide(nil, v, q); d.Outcome != Denied || d.Primary != ReasonExitUnattributed || !d.Failed.Has(ReasonNoPolicy) {
		t.Errorf("no policy: %+v", d)
	}
}

// D10, AD-13: duress opens exactly as ok does; a locked card is not judged by its PIN at all.
func TestPIN(t *testing.T) {
	p := compile(t, site(t))
	for _, tc := range []struct {
		key, pin Key
		want     PINState
	}{
		{key(1), key(0x11), PINOK},
		{key(1), key(0x12), PINDuress},
		{key(1), key(0x13), PINBad},
		{key(1), Key{}, PINBad},
		{key(2), key(0x11), PINBad}, // a card without a PIN
		{key(2), Key{}, PINBad},
		{key(77), key(0x11), PINBad}, // an unknown card
		{key(77), Key{}, PINBad},
	} {
		if got := CheckPIN(p, tc.key, tc.pin); got != tc.want {
			t.Errorf("CheckPIN(%s, %s) = %s, want %s", tc.key, tc.pin, got, tc.want)
		}
		if got := CheckPIN(nil, tc.key, tc.pin); got != PINBad {
			t.Errorf("nil policy: %s", got)
		}
	}
	r := site(t)
	r.Credentials[1].Duress = Key{} // without a duress PIN the zero reference is no duress PIN
	if got := CheckPIN(compile(t, r), key(1), Key{}); got != PINBad {
		t.Errorf("zero PIN against no duress PIN: %s", got)
	}
	v, q := good(t)
	for failed := range uint8(255) {
		v.PIN.Failed = failed
		q.PIN = PINOK
		ok := Decide(p, v, q)
		q.PIN = PINDuress
		if duress := Decide(p, v, q); duress != ok {
			t.Errorf("duress %+v differs from ok %+v", duress, ok)
		}
		q.PIN = PINBad
		bad := Decide(p, v, q)
		if locked := failed >= DefaultPINLimit; locked && (ok != bad || ok.Primary != ReasonPINLocked) || !locked && ok.Outcome != Granted {
			t.Errorf("after %d wrong PINs: ok %+v, bad %+v", failed, ok, bad)
		}
	}
}
