package controller

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// AD-18, D12: the server stands behind this door and is down, the snapshot is past its max_age or the clock
// is unknown. A recovery card asks for its PIN, waits for its record (I1), opens, and the record says
// what was set aside; other cards stay outside, five wrong PINs lock the card out, and everybody may leave.
func TestRecoveryAtTheDoor(t *testing.T) {
	second := access.Key{2}
	p := policy(t, access.OfflineDeny, false, func(r *access.Rules) {
		c := r.Credentials[0]
		c.Key, c.PIN = second, access.Key{8}
		r.Credentials = append(r.Credentials, c)
		c.Key, c.PIN = access.Key{3}, access.Key{9}
		r.Credentials = append(r.Credentials, c) // the same person's ordinary card
		r.Doors[0].Recovery = []access.Key{goodKey, second}
		r.Grants = nil
	})
	lost := policy(t, access.OfflineDeny, false, func(r *access.Rules) {
		c := r.Credentials[0]
		c.Key = second
		r.Credentials = append(r.Credentials, c)
		r.Credentials[0].Status = access.CredentialLost
		r.Doors[0].Recovery = []access.Key{goodKey, second}
	})
	for name, c := range map[string]struct {
		p     *access.Policy
		since int64
		clock access.ClockQuality
		lease Lease // held when the card is read, and no answer comes
		key   access.Key
		pin   [32]byte
		opens bool
		want  string // failed checks of the decision's record
	}{
		"past max_age":       {p, noon - 40*dayMS, access.ClockRTC, Lease{}, goodKey, thePIN, true, "policy_expired+offline_deny+recovery_card"},
		"no clock":           {p, noon, access.ClockNone, Lease{}, goodKey, thePIN, true, "clock_untrusted+offline_deny+recovery_card"},
		"behind, no answer":  {p, noon, access.ClockServer, Lease{Until: mono.Time(time.Hour), Rules: 6}, goodKey, thePIN, true, "policy_behind+recovery_card"},
		"wrong PIN":          {p, noon - 40*dayMS, access.ClockRTC, Lease{}, goodKey, [32]byte{1}, false, "pin_bad+policy_expired+offline_deny"},
		"an ordinary card":   {p, noon - 40*dayMS, access.ClockRTC, Lease{}, access.Key{3}, [32]byte{9}, false, "no_grant+policy_expired+offline_deny"},
		"a lost card":        {lost, noon - 40*dayMS, access.ClockRTC, Lease{}, goodKey, thePIN, false, "credential_lost+policy_expired+offline_deny"},
		"only offline":       {p, noon, access.ClockRTC, Lease{}, goodKey, thePIN, false, "no_grant+offline_deny"},
		"no policy at all":   {nil, 0, access.ClockNone, Lease{}, goodKey, thePIN, false, "no_policy"},
		"another's card PIN": {p, noon - 40*dayMS, access.ClockRTC, Lease{}, second, thePIN, false, "pin_bad+policy_expired+offline_deny"},
	} {
		t.Run(name, func(t *testing.T) {
			at := moment(time.Second)
			at.Clock = c.clock
			m := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), noWrongPIN, nil)
			m.Start(false, 0)
			m.SetPolicy(c.p, 5, c.since, at)
			m.SetLease(c.lease)
			step := func(r Read) []Effect {
				effects := m.OnRead(r, at)
				for _, e := range effects {
					if a, ok := e.(Ask); ok {
						effects = append(effects, m.OnNoAnswer(a.Question, at)...)
					}
				}
				return effects
			}
			bare := settle(m, step(read(1, access.SideEnter, c.key)), at)
			if count[Release](bare) != 0 {
				t.Fatal("opened without a PIN")
			}
			r := read(1, access.SideEnter, c.key)
			if len(records(bare)) > 0 { // refused before any PIN: another attempt
				r.Attempt = door.Attempt{2}
			}
			r.HasPIN, r.PIN = true, c.pin
			effects := step(r)
			if count[Release](effects) != 0 {
				t.Fatal("I1: opened before the record was durable")
			}
			var rec wire.Record
			for _, x := range records(effects) {
				if x.Draft.Event == door.EventGranted || x.Draft.Event == door.EventDenied {
					rec = x.Draft
				}
			}
			if got := count[Release](settle(m, effects, at)) == 1; got != c.opens {
				t.Errorf("opens %v, want %v (%s)", got, c.opens, rec.Failed)
			}
			if rec.Failed.String() != c.want || rec.By != access.ByGateway {
				t.Errorf("record %s by %s, failed %q, want %q", rec.Event, rec.By, rec.Failed, c.want)
			}
			if c.p != nil { // leaving is never blocked (I9)
				if count[Release](settle(m, step(read(9, access.SideExit, c.key)), at)) == 0 {
					t.Error("the exit reader keeps somebody inside")
				}
			}
		})
	}
	// The lockout counts for recovery as for anything else (D10).
	at := moment(time.Second)
	m := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), func(access.Key) uint8 { return access.DefaultPINLimit }, nil)
	m.Start(false, 0)
	m.SetPolicy(p, 5, noon-40*dayMS, at)
	r := read(1, access.SideEnter, goodKey)
	r.HasPIN, r.PIN = true, thePIN
	if count[Release](settle(m, m.OnRead(r, at), at)) != 0 {
		t.Error("a card that is locked out opens in recovery")
	}
}
