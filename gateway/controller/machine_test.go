package controller

import (
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

const (
	noon  = int64(1795489200000) // 2026-11-24 12:00 JST
	hour  = int64(3600_000)
	dayMS = 24 * hour
)

var (
	goodKey    = access.Key{1}
	strangeKey = access.Key{9}
	thePIN     = [32]byte{7}
)

// policy has one person with one card and a grant for the only zone.
func policy(t *testing.T, mode access.OfflineMode, pin bool, edit func(*access.Rules)) *access.Policy {
	t.Helper()
	r := access.Rules{
		Version: 5, Site: "s", TimeZone: "UTC",
		Persons:     []access.Person{{ID: "p", Active: true, Category: access.CategoryStaff}},
		Credentials: []access.Credential{{Key: goodKey, Status: access.CredentialActive, Assurance: card.UIDOnly, HasPIN: true, PIN: access.Key(thePIN)}},
		Zones:       []access.Zone{{ID: "z", Level: 2, MinAssurance: card.UIDOnly, RequirePIN: pin}},
		Doors: []access.Door{{ID: "d", EnterZone: "z", Sides: []access.Side{access.SideEnter, access.SideExit},
			OfflineMode: mode, MaxAgeMS: dayMS}},
		Grants: []access.Grant{{Person: 0, Zone: "z", Schedule: access.Always, UntilMS: noon + 365*dayMS}},
	}
	if edit != nil {
		edit(&r)
	}
	p, err := access.Compile(r, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func machine(t *testing.T, p *access.Policy) *Machine {
	t.Helper()
	m := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), noWrongPIN, nil)
	m.Start(false, 0)
	m.SetPolicy(p, 5, noon, moment(0))
	return m
}

func noWrongPIN(access.Key) uint8 { return 0 }

func moment(d time.Duration) Moment {
	return Moment{At: mono.Time(d), WallMS: noon + d.Milliseconds(), Clock: access.ClockServer}
}

func read(n byte, side access.Side, key access.Key) Read {
	return Read{Attempt: door.Attempt{n}, Side: side, Key: key, HasCard: true, Sealed: []byte("sealed"), Grade: card.UIDOnly, Link: "clear"}
}

func count[T Effect](effects []Effect) int {
	n := 0
	for _, e := range effects {
		if _, ok := e.(T); ok {
			n++
		}
	}
	return n
}

func records(effects []Effect) []Record {
	var out []Record
	for _, e := range effects {
		if r, ok := e.(Record); ok {
			out = append(out, r)
		}
	}
	return out
}

// settle answers every barrier with "durable" and gives all effects.
func settle(m *Machine, effects []Effect, at Moment) []Effect {
	all := slices.Clone(effects)
	for _, r := range records(effects) {
		if r.Barrier != 0 {
			all = append(all, settle(m, m.On(door.Input{Kind: door.InDurable, At: at.At, Barrier: r.Barrier}, at), at)...)
		}
	}
	return all
}

// D8, I5: lease × snapshot version × answer × offline mode, the whole table.
func TestWhoDecides(t *testing.T) {
	type want struct {
		opens  bool
		by     access.DecidedBy
		reason access.Reason
	}
	for _, c := range []struct {
		name   string
		lease  bool
		behind bool
		answer string // "grant", "deny", "late", "none"
		mode   access.OfflineMode
		want   want
	}{
		{"leased, current, granted", true, false, "grant", access.OfflineDeny, want{true, access.ByServer, access.ReasonGranted}},
		{"leased, behind, granted", true, true, "grant", access.OfflineDeny, want{true, access.ByServer, access.ReasonGranted}},
		{"leased, current, denied", true, false, "deny", access.OfflineCached, want{false, access.ByServer, access.ReasonNoGrant}},
		{"leased, current, no answer, deny", true, false, "none", access.OfflineDeny, want{true, access.ByGateway, access.ReasonGranted}},
		{"leased, current, no answer, cached", true, false, "none", access.OfflineCached, want{true, access.ByGateway, access.ReasonGranted}},
		{"leased, behind, no answer", true, true, "none", access.OfflineCached, want{false, access.ByGateway, access.ReasonPolicyBehind}},
		{"leased, current, late answer", true, false, "late", access.OfflineCached, want{true, access.ByGateway, access.ReasonGranted}},
		{"leased, behind, late answer", true, true, "late", access.OfflineCached, want{false, access.ByGateway, access.ReasonPolicyBehind}},
		{"no lease, deny", false, false, "none", access.OfflineDeny, want{false, access.ByGateway, access.ReasonOfflineDeny}},
		{"no lease, cached", false, false, "none", access.OfflineCached, want{true, access.ByGateway, access.ReasonGranted}},
		{"no lease, behind is not known", false, true, "none", access.OfflineCached, want{true, access.ByGateway, access.ReasonGranted}},
		{"no lease, cached with PIN, none given", false, false, "none", access.OfflineCachedPIN, want{false, access.ByNobody, access.ReasonUndecided}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine(t, policy(t, c.mode, false, nil))
			if c.lease {
				l := Lease{Until: mono.Time(3 * time.Second), Rules: 5}
				if c.behind {
					l.Rules = 6
				}
				m.SetLease(l)
			}
			at := moment(time.Second)
			effects := m.OnRead(read(1, access.SideEnter, goodKey), at)
			if got := count[Ask](effects); (got == 1) != c.lease {
				t.Fatalf("%d asks with lease=%v", got, c.lease)
			}
			if c.lease {
				if n := len(records(effects)) + count[Release](effects); n != 0 {
					t.Fatalf("%d effects at the door before the answer", n)
				}
				later := moment(1400 * time.Millisecond)
				switch c.answer {
				case "grant":
					effects = m.OnAnswer(1, wire.Answer{Attempt: door.Attempt{1}, Outcome: access.Granted, Reason: access.ReasonGranted, Rules: 6}, false, later)
					if count[Release](effects) != 1 {
						t.Error("the committed answer is the barrier; the strike must not wait again (D19)")
					}
				case "deny":
					effects = m.OnAnswer(1, wire.Answer{Attempt: door.Attempt{1}, Reason: access.ReasonNoGrant, Failed: access.ReasonSet(0).With(access.ReasonNoGrant)}, false, later)
				case "late":
					effects = m.OnNoAnswer(1, later)
					effects = settle(m, effects, later)
					extra := m.OnAnswer(1, wire.Answer{Attempt: door.Attempt{1}, Outcome: access.Granted, Reason: access.ReasonGranted}, true, later)
					if len(extra) != 1 || records(extra)[0].Draft.Event != door.EventLateIgnored {
						t.Errorf("late answer: %v, want one late_ignored record and nothing else", extra)
					}
				default:
					effects = m.OnNoAnswer(1, later)
				}
				at = later
			}
			if c.want.by == access.ByGateway && c.want.opens && c.answer != "late" && count[Release](effects) != 0 {
				t.Error("I1: the strike moved before the gateway's record was durable")
			}
			effects = settle(m, effects, at)
			if got := count[Release](effects) > 0; got != c.want.opens {
				t.Errorf("opens=%v, want %v", got, c.want.opens)
			}
			recs := records(effects)
			if c.want.by == access.ByNobody {
				if len(recs) != 0 {
					t.Errorf("waiting for a PIN recorded %v", recs[0].Draft.Event)
				}
				return
			}
			if len(recs) != 1 || recs[0].Draft.By != c.want.by || recs[0].Draft.Reason != c.want.reason {
				t.Fatalf("records %+v, want one by %v for %v", recs, c.want.by, c.want.reason)
			}
			if recs[0].Private == nil || len(recs[0].Private.Inputs) == 0 {
				t.Error("AD-12: the record lacks the decision's inputs")
			}
		})
	}
}

// I1, D19: a grant whose record is not durable opens nothing.
func TestNotDurable(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, false, nil))
	at := moment(time.Second)
	effects := m.OnRead(read(1, access.SideEnter, goodKey), at)
	b := records(effects)[0].Barrier
	if b == 0 {
		t.Fatal("a local grant without a barrier")
	}
	after := m.On(door.Input{Kind: door.InNotDurable, At: at.At, Barrier: b}, at)
	if n := count[Release](append(effects, after...)); n != 0 {
		t.Fatalf("I1: %d unlock edges without a durable record", n)
	}
}

// I6: gaining and losing the lease, replacing the policy and confirming it never move the lock.
func TestLinkMovesNothing(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, false, nil))
	var all []Effect
	for i := range 50 {
		at := moment(time.Duration(i) * time.Second)
		m.SetLease(Lease{Until: at.At.Add(time.Duration(i%3) * time.Second), Rules: uint64(i)})
		all = append(all, m.SetPolicy(policy(t, access.OfflineCached, false, nil), uint64(i), at.WallMS, at)...)
		all = append(all, m.SetPolicy(nil, 0, 0, at)...)
		all = append(all, m.OnNoAnswer(uint64(i), at)...)
	}
	if n := count[Release](all); n != 0 {
		t.Fatalf("%d unlock edges from the link alone", n)
	}
}

// D11: at an exit reader a known card lets out whatever its state; an unknown one gives no pulse and
// exit_unattributed.
func TestExit(t *testing.T) {
	lost := policy(t, access.OfflineDeny, false, func(r *access.Rules) { r.Credentials[0].Status = access.CredentialLost })
	m := machine(t, lost)
	at := moment(time.Second)
	effects := settle(m, m.OnRead(read(1, access.SideExit, goodKey), at), at)
	if count[Release](effects) != 1 {
		t.Error("a lost card at the exit reader must let out")
	}
	if f := records(effects)[0].Draft.Failed; !f.Has(access.ReasonCredentialLost) {
		t.Errorf("failed %v: the finding is lost", f)
	}
	for name, r := range map[string]Read{
		"unknown":    read(2, access.SideExit, strangeKey),
		"unreadable": {Attempt: door.Attempt{3}, Side: access.SideExit, Fault: "parity"},
	} {
		effects = settle(m, m.OnRead(r, at), at)
		if count[Release](effects) != 0 {
			t.Errorf("%s card at the exit reader gave a pulse", name)
		}
		if rec := records(effects); len(rec) != 1 || rec[0].Draft.Reason != access.ReasonExitUnattributed && rec[0].Draft.Event != door.EventExitUnattributed {
			t.Errorf("%s card at the exit reader: %+v", name, rec)
		}
	}
}

// D10: the fifth wrong PIN locks the card; the count comes from the durable store, goes back there
// with the record, and a right PIN afterwards does not help.
func TestPINLockout(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, true, nil))
	stored, locks := uint8(0), 0
	m.stored = func(access.Key) uint8 { return stored }
	try := func(n byte, pin [32]byte) []Effect {
		r := read(n, access.SideEnter, goodKey)
		r.HasPIN, r.PIN = true, pin
		at := moment(time.Duration(n) * 20 * time.Second)
		effects := settle(m, m.OnRead(r, at), at)
		for _, e := range effects {
			if p, ok := e.(PINFailures); ok {
				stored = p.Failed
				m.PINSaved(p)
			}
		}
		for _, r := range records(effects) {
			if r.Draft.Event == door.EventPINLocked {
				locks++
			}
		}
		return effects
	}
	for n := byte(1); n <= 5; n++ {
		if count[Release](try(n, [32]byte{99})) != 0 || stored != n {
			t.Fatalf("wrong PIN %d: stored count %d", n, stored)
		}
	}
	if got := locks; got != 1 {
		t.Errorf("%d pin_locked records, want one (AD-13)", got)
	}
	if count[Release](try(6, thePIN)) != 0 || stored != 5 {
		t.Fatalf("the right PIN opened a locked card (count %d)", stored)
	}
	stored = 0 // an officer lifted it
	if count[Release](try(7, thePIN)) != 1 {
		t.Fatal("the right PIN does not open")
	}
}

// I9: with no policy nothing opens from outside, for any key and link.
func TestNoPolicy(t *testing.T) {
	for _, leased := range []bool{false, true} {
		m := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), noWrongPIN, nil)
		m.Start(false, 0)
		if leased {
			m.SetLease(Lease{Until: mono.Time(time.Hour)})
		}
		at := moment(time.Second)
		effects := m.OnRead(read(1, access.SideEnter, goodKey), at)
		effects = append(effects, m.OnNoAnswer(1, at)...)
		if effects = settle(m, effects, at); count[Release](effects) != 0 {
			t.Errorf("leased=%v: opened without a policy", leased)
		}
	}
}

// Each attempt's memory is given up: a reader gone mad does not fill the machine.
func TestFlightsAreBounded(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, true, nil))
	for i := range 1000 {
		r := read(byte(i), access.SideEnter, goodKey)
		r.Attempt[1] = byte(i >> 8)
		m.OnRead(r, moment(time.Duration(i)*time.Millisecond))
	}
	if len(m.flights) > maxFlights || len(m.order) > maxFlights {
		t.Errorf("%d flights, %d in order; at most %d", len(m.flights), len(m.order), maxFlights)
	}
}

// Whoever stands at the other side is not shown the answer; the door's own state is shown to both.
func TestAnswerIsShownAtItsSide(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, false, nil))
	at := moment(time.Second)
	for _, e := range settle(m, m.OnRead(read(1, access.SideExit, goodKey), at), at) {
		if s, ok := e.(Show); ok && s.Side != access.SideExit {
			t.Errorf("indication %d shown at side %v", s.What, s.Side)
		}
	}
	for _, e := range m.On(door.Input{Kind: door.InMode, Mode: access.ModeLockdown, At: at.At}, at) {
		if s, ok := e.(Show); ok && s.Side != access.SideUnknown {
			t.Errorf("lockdown shown at side %v only", s.Side)
		}
	}
}

// D10: PINs tried at once, before any of them is judged or on the disk, count each: 64 tries in flight
// are not one.
func TestPINsInFlightCount(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, true, nil))
	m.SetLease(Lease{Until: mono.Time(time.Hour), Rules: 5})
	at := moment(time.Second)
	for n := byte(1); n <= 8; n++ {
		r := read(n, access.SideEnter, goodKey)
		r.HasPIN, r.PIN = true, [32]byte{99}
		for _, e := range m.OnRead(r, at) {
			if a, ok := e.(Ask); ok && a.PINFailed != n-1 {
				t.Errorf("try %d is asked with %d wrong ones", n, a.PINFailed)
			}
		}
	}
	// No answer comes for any of them, and nothing has reached the disk yet: judged alone, in order.
	for n := uint64(1); n <= 8; n++ {
		settle(m, m.OnNoAnswer(n, at), at)
	}
	if got := m.failed(goodKey); got != 5 {
		t.Errorf("count %d after eight wrong PINs in flight, want 5 (locked)", got)
	}
	r := read(9, access.SideEnter, goodKey)
	r.HasPIN, r.PIN = true, thePIN
	m.SetLease(Lease{})
	if count[Release](settle(m, m.OnRead(r, at), at)) != 0 {
		t.Error("the right PIN opened a locked card")
	}
}

// A card's question that is still open when its PIN comes is superseded: its answer moves nothing and
// is not taken for the PIN's.
func TestPINSupersedesTheCardsQuestion(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, true, nil))
	m.SetLease(Lease{Until: mono.Time(time.Hour), Rules: 5})
	at := moment(time.Second)
	m.OnRead(read(1, access.SideEnter, goodKey), at)
	r := read(1, access.SideEnter, goodKey)
	r.HasPIN, r.PIN = true, [32]byte{99}
	m.OnRead(r, at)
	granted := wire.Answer{Attempt: door.Attempt{1}, Outcome: access.Granted, Reason: access.ReasonGranted}
	if got := settle(m, m.OnAnswer(1, granted, false, at), at); count[Release](got) != 0 {
		t.Error("the answer to a superseded question moved the strike")
	}
	denied := wire.Answer{Attempt: door.Attempt{1}, Reason: access.ReasonPINBad, Failed: access.ReasonSet(0).With(access.ReasonPINBad)}
	settle(m, m.OnAnswer(2, denied, false, at), at)
	if got := m.failed(goodKey); got != 1 {
		t.Errorf("count %d after one wrong PIN, want 1", got)
	}
}

// D12: neither a clock that ran ahead and came back nor one that was never confirmed makes a policy young.
func TestPolicyFromTheFutureIsTooOld(t *testing.T) {
	for name, since := range map[string]int64{"future": noon + 365*dayMS, "never": 0} {
		m := machine(t, policy(t, access.OfflineCached, false, nil))
		m.Confirmed(since)
		at := moment(time.Second)
		effects := settle(m, m.OnRead(read(1, access.SideEnter, goodKey), at), at)
		if count[Release](effects) != 0 || !records(effects)[0].Draft.Failed.Has(access.ReasonPolicyExpired) {
			t.Errorf("%s: opened, or not for policy_expired", name)
		}
	}
}

// A passage is recorded at the time of the contact's edge, not when the contact had settled.
func TestPassageIsStampedAtItsEdge(t *testing.T) {
	m := machine(t, policy(t, access.OfflineCached, false, nil))
	at := moment(time.Second)
	settle(m, m.OnRead(read(1, access.SideEnter, goodKey), at), at)
	edge := moment(1500 * time.Millisecond)
	m.On(door.Input{Kind: door.InContactOpen, At: edge.At}, edge)
	settled := moment(1550 * time.Millisecond)
	recs := records(m.On(door.Input{Kind: door.InTimer, Timer: door.TimerDebounce, At: settled.At}, settled))
	if len(recs) != 1 || recs[0].Draft.Event != door.EventEntry {
		t.Fatalf("records %+v, want one entry", recs)
	}
	if got := recs[0].At; got.At != edge.At || got.WallMS != edge.WallMS {
		t.Errorf("recorded at %v, %d; the edge was at %v, %d", got.At, got.WallMS, edge.At, edge.WallMS)
	}
}
