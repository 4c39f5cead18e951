package controller

import (
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/reader"
)

// pair is a policy with staff p and q (q may escort) and visitor v; keys 1, 2, 3.
func pair(t *testing.T, edit func(*access.Zone)) *access.Policy {
	t.Helper()
	return policy(t, access.OfflineCached, false, func(r *access.Rules) {
		r.Persons = append(r.Persons, access.Person{ID: "q", Active: true, Category: access.CategoryStaff, MayEscort: true},
			access.Person{ID: "v", Active: true, Category: access.CategoryVisitor})
		for n := byte(2); n <= 3; n++ {
			r.Credentials = append(r.Credentials, access.Credential{Key: access.Key{n}, Person: access.PersonNo(n - 1), Status: access.CredentialActive, Assurance: card.UIDOnly})
			r.Grants = append(r.Grants, access.Grant{Person: access.PersonNo(n - 1), Zone: "z", Schedule: access.Always, UntilMS: noon + 365*dayMS})
		}
		edit(&r.Zones[0])
	})
}

// knowing makes a machine whose gateway knows that nobody is inside.
func knowing(t *testing.T, p *access.Policy) *Machine {
	t.Helper()
	places := NewPlaces()
	places.SetPolicy(p, noon)
	places.Rebuilt(access.NewState(access.KnowAll), noon)
	m := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), noWrongPIN, places)
	m.Start(false, 0)
	m.SetPolicy(p, 5, noon, moment(0))
	return m
}

// lines lists the records' events with the first byte of their attempts.
func lines(effects []Effect) string {
	var out []string
	for _, r := range records(effects) {
		out = append(out, string(r.Draft.Event)+string('0'+rune(r.Draft.Attempt[0])))
	}
	return strings.Join(out, " ")
}

func pulse(m *Machine, at time.Duration) []Effect {
	out := m.On(door.Input{Kind: door.InContactOpen, At: moment(at).At}, moment(at))
	at += 100 * time.Millisecond
	return append(out, m.OnTimer(Timer(door.TimerDebounce), moment(at))...)
}

// AD-8, I1, VE-11: without the server two persons enter by one opening; each has a durable record before the strike moves for
// them, and each is inside afterwards.
func TestTwoPersonsOffline(t *testing.T) {
	m := knowing(t, pair(t, func(z *access.Zone) { z.TwoPersonMS = 30_000 }))
	first := m.OnRead(read(1, access.SideEnter, access.Key{1}), moment(time.Second))
	if count[Release](first) != 0 || len(records(first)) != 0 {
		t.Fatalf("the first alone: %+v", first)
	}
	second := m.OnRead(read(2, access.SideEnter, access.Key{2}), moment(20*time.Second))
	if got := lines(second); got != "granted2 granted1" || count[Release](second) != 0 {
		t.Fatalf("the second: %q, %d releases before a record is durable", got, count[Release](second))
	}
	if r := records(second)[1]; r.Draft.Failed != access.ReasonSet(0).With(access.ReasonSecondPerson) || r.Barrier == 0 || r.Private == nil {
		t.Errorf("the record of who waited: %+v", r)
	}
	if all := settle(m, second, moment(20*time.Second)); count[Release](all) != 2 {
		t.Errorf("%d releases after both are durable", count[Release](all))
	}
	if got := lines(pulse(m, 21*time.Second)); got != "entry2 entry1" {
		t.Errorf("opening: %q", got)
	}
	if v := m.places.view(m.policy, access.Request{Door: "d", Side: access.SideEnter}); v.Zone.Count != 2 || v.Door.Present[0].SinceMS != 0 {
		t.Errorf("afterwards: %+v", v)
	}
}

// AD-8: nobody comes: the wait ends after the zone's time, not after a PIN's, and nobody stands at the door any more.
func TestSecondNeverComes(t *testing.T) {
	m := knowing(t, pair(t, func(z *access.Zone) { z.TwoPersonMS = 30_000 }))
	m.OnRead(read(1, access.SideEnter, access.Key{1}), moment(time.Second))
	if got := lines(m.OnTimer(Timer(door.TimerPIN), moment(30*time.Second))); got != "" {
		t.Errorf("before its time: %q", got)
	}
	if got := lines(m.OnTimer(Timer(door.TimerPIN), moment(31*time.Second))); got != "denied1" {
		t.Errorf("at its time: %q", got)
	}
	if late := m.OnRead(read(2, access.SideEnter, access.Key{2}), moment(30*time.Second+500*time.Millisecond)); lines(late) != "" {
		t.Errorf("another after that: %q", lines(late))
	}
}

// D6, D8: what the server answered counts for those who wait here, also when the link is gone before the second comes.
func TestWaitBeginsLinkedEndsOffline(t *testing.T) {
	m := knowing(t, pair(t, func(z *access.Zone) { z.TwoPersonMS = 30_000 }))
	m.SetLease(Lease{Until: mono.Time(3 * time.Second), Rules: 5})
	ask := m.OnRead(read(1, access.SideEnter, access.Key{1}), moment(time.Second))
	failed := access.ReasonSet(0).With(access.ReasonSecondPerson)
	m.OnAnswer(ask[0].(Ask).Question, wire.Answer{Attempt: door.Attempt{1}, Outcome: access.NeedSecond, Reason: access.ReasonSecondPerson, Failed: failed, Rules: 5}, false, moment(1200*time.Millisecond))
	second := m.OnRead(read(2, access.SideEnter, access.Key{2}), moment(10*time.Second))
	if got := lines(second); got != "granted2 granted1" {
		t.Fatalf("%q", got)
	}
	if r := records(second); r[0].Draft.By != access.ByGateway || r[1].Draft.By != access.ByServer {
		t.Errorf("decided by %s and %s", r[0].Draft.By, r[1].Draft.By)
	}
}

// VE-2: a visitor waits for an escort; staff who may not escort do not end the wait.
func TestEscortOffline(t *testing.T) {
	m := knowing(t, pair(t, func(z *access.Zone) { z.Escort = access.EscortVisitors }))
	m.OnRead(read(1, access.SideEnter, access.Key{3}), moment(time.Second))
	if got := lines(m.OnRead(read(2, access.SideEnter, access.Key{1}), moment(2*time.Second))); got != "granted2" {
		t.Errorf("staff: %q", got)
	}
	if got := lines(m.OnRead(read(3, access.SideEnter, access.Key{2}), moment(3*time.Second))); got != "granted3 granted1" {
		t.Errorf("escort: %q", got)
	}
}

// VE-2, VE-11, I2: whoever badges again while they wait has one wait, and goes in once; with another card of theirs too.
func TestWaitsOnce(t *testing.T) {
	m := knowing(t, pair(t, func(z *access.Zone) { z.Escort = access.EscortVisitors }))
	m.OnRead(read(1, access.SideEnter, access.Key{3}), moment(time.Second))
	if got := lines(m.OnRead(read(2, access.SideEnter, access.Key{3}), moment(2*time.Second))); got != "denied1" {
		t.Errorf("the second badge: %q", got)
	}
	if v := m.places.view(m.policy, access.Request{Door: "d", Side: access.SideEnter, WallMS: noon + 2000, Clock: access.ClockServer}); v.Door.Present[0].SinceMS != noon+2000 {
		t.Errorf("who still stands there: %+v", v.Door.Present)
	}
	all := settle(m, m.OnRead(read(3, access.SideEnter, access.Key{2}), moment(3*time.Second)), moment(3*time.Second))
	if got := lines(all); got != "granted3 granted2" {
		t.Errorf("the escort: %q", got)
	}
	if got := lines(pulse(m, 4*time.Second)); got != "entry3 entry2" {
		t.Errorf("opening: %q", got)
	}
}

// D7: a gateway that does not know who is inside follows the zone's offline rule, and names what it lacks.
func TestZoneRulesWithoutKnowledge(t *testing.T) {
	for rule, want := range map[access.ZoneRule]string{access.ZoneRuleDeny: "denied1", access.ZoneRuleGrantAndFlag: "granted1"} {
		m := machine(t, pair(t, func(z *access.Zone) { z.MaxInside, z.OfflineRules = 3, rule }))
		got := m.OnRead(read(1, access.SideEnter, access.Key{1}), moment(time.Second))
		if lines(got) != want {
			t.Errorf("%s: %q", rule, lines(got))
		}
		exit := m.OnRead(read(2, access.SideExit, access.Key{1}), moment(2*time.Second))
		if lines(exit) != "granted2" {
			t.Errorf("%s: exit %q", rule, lines(exit))
		}
	}
}

// VE-10: the doors of a zone hear when visitors are without an escort, and when one is back.
func TestEscortAwayIsTold(t *testing.T) {
	p := pair(t, func(z *access.Zone) { z.Escort = access.EscortVisitors })
	places := NewPlaces()
	var told []string
	places.Follow(func(zones []access.ZoneID) { told = append(told, string(append(zones, "-")[0])) })
	places.SetPolicy(p, noon)
	pass := func(who string, z access.ZoneID, ms int64) {
		places.apply(access.Event{Kind: access.EventPassage, Person: who, Zone: z, WallMS: noon + ms})
	}
	pass("v", "z", 1)
	if told != nil {
		t.Errorf("a gateway that knows nothing tells %q", told)
	}
	places.Rebuilt(access.NewState(access.KnowAll), noon)
	pass("q", "z", 2)
	pass("v", "z", 3)
	pass("q", "", 4)
	pass("q", "z", 5)
	if got := strings.Join(told, " "); got != "- - - z -" {
		t.Errorf("told %q", got)
	}
}

// DS-9: of two doors granted in the same moment one opens; a door that lets somebody out asks nobody.
func TestAirlocks(t *testing.T) {
	p := policy(t, access.OfflineCached, false, func(r *access.Rules) {
		outer := r.Doors[0]
		outer.ID, outer.EnterZone, outer.Interlock = "outer", "lock", "d"
		r.Doors[0].ExitZone, r.Doors[0].Interlock = "lock", "outer"
		r.Doors = append(r.Doors, outer)
		r.Zones = append(r.Zones, access.Zone{ID: "lock", Level: 1, MinAssurance: card.UIDOnly})
	})
	l := NewAirlocks()
	l.SetPolicy(p)
	var told []string
	for _, d := range []access.DoorID{"d", "outer"} {
		l.Follow(d, func(shut bool) {
			told = append(told, string(d)+map[bool]string{true: " shut", false: " free"}[shut])
		})
	}
	if !l.Claim("d") || l.Claim("outer") || !l.Claim("d") {
		t.Error("both doors may open, or the one that has it may not")
	}
	l.Set("outer", true) // somebody leaves by the outer door
	if l.Claim("d") {
		t.Error("the inner door opens while the outer one is open")
	}
	l.Set("d", false)
	l.Set("outer", false)
	if !l.Claim("outer") || !l.Claim("elsewhere") {
		t.Error("nothing is open and nobody may enter")
	}
	if got := strings.Join(told, ", "); got != "outer shut, d shut, outer free, d free, d shut" {
		t.Errorf("told %q", got)
	}
	l.SetPolicy(nil)
	if !l.Claim("d") {
		t.Error("without a policy doors are no airlock")
	}
	var none *Airlocks
	if !none.Claim("d") {
		t.Error("no airlocks at all")
	}
	none.Set("d", true)
	none.Follow("d", nil)
}

// D7: the state part and the records after it say who is inside; records it has already say only whose an attempt is.
func TestReplay(t *testing.T) {
	p := pair(t, func(z *access.Zone) { z.AntiPassback = access.AntiPassbackHard })
	var ask wire.AskKey
	rec := func(seq uint64, n byte, e door.Event, key byte) wire.Carried {
		r := wire.Record{
			Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: seq, Door: "d", Side: access.SideEnter, Event: e, Attempt: door.Attempt{n}, By: access.ByServer,
			Stamp: wire.Stamp{WallMS: noon + int64(seq), Quality: access.ClockServer}, Link: "clear",
		}
		c := wire.Carried{Body: wire.AppendRecord(nil, &r)}
		if key != 0 {
			inputs := access.AppendInputs(nil, access.View{}, access.Request{Door: "d", Key: access.Key{key}, HasCard: true})
			c.Private = wire.SealPrivate(ask, wire.Nonce{byte(seq)}, wire.Private{Inputs: inputs})
		}
		return c
	}
	all := []wire.Carried{
		rec(1, 1, door.EventGranted, 1), rec(2, 1, door.EventEntry, 0), rec(3, 2, door.EventGranted, 2),
		rec(4, 2, door.EventEntry, 0), rec(5, 3, door.EventGranted, 1), rec(6, 3, door.EventExit, 0),
		rec(7, 4, door.EventGranted, 9), rec(8, 4, door.EventEntry, 0), rec(9, 0, door.EventTamper, 0),
	}
	for after, want := range map[uint64]string{0: "q", 3: "q", 5: "", 6: "p"} {
		part := access.StatePart{Version: 2, Inside: []access.Placed{{Person: "p", Zone: "z"}}}
		if after == 0 {
			part.Inside = nil
		}
		r := Replay{State: part.State(), Policy: p, Ask: ask, After: after}
		for _, c := range all {
			r.Add(c)
		}
		if got := strings.Join(r.State.People("z"), " "); got != want {
			t.Errorf("after record %d: %q inside, want %q", after, got, want)
		}
	}
}

// DS-9: the loop asks the airlock right before the strike moves, whatever the machine has heard so far, and lets people out
// without asking.
func TestLoopAsksTheAirlock(t *testing.T) {
	p := policy(t, access.OfflineCached, false, func(r *access.Rules) {
		outer := r.Doors[0]
		outer.ID, outer.EnterZone, outer.Interlock = "outer", "lock", "d"
		r.Doors[0].ExitZone, r.Doors[0].Interlock = "lock", "outer"
		r.Doors = append(r.Doors, outer)
		r.Zones = append(r.Zones, access.Zone{ID: "lock", Level: 1, MinAssurance: card.UIDOnly})
	})
	r := newLoopRig(t)
	locks := NewAirlocks()
	locks.SetPolicy(p)
	r.l.cfg.Airlocks = locks
	r.l.SetPolicy(p, 5, noon)
	r.work()
	badge := func(n byte, side access.Side) {
		r.l.onRead(reader.Read{Kind: reader.KindCard, Attempt: door.Attempt{n}, Side: side, Token: goodKey, Assurance: card.UIDOnly, Sealed: []byte("x")})
		r.work()
	}
	if !locks.Claim("outer") { // in the same moment: this loop has not heard of it
		t.Fatal("the other door is not free")
	}
	badge(1, access.SideEnter)
	if got := r.events(); got != "granted no_entry" || r.lock.released != 0 || r.saved[len(r.saved)-1].Reason != access.ReasonInterlock {
		t.Errorf("records %q, %d releases", got, r.lock.released)
	}
	badge(2, access.SideExit)
	if r.lock.released != 1 {
		t.Errorf("%d releases for somebody who leaves", r.lock.released)
	}
	locks.Set("outer", false)
	r.l.box.post(interlocked{false})
	r.work()
	badge(3, access.SideEnter)
	if r.lock.released != 2 || locks.Claim("outer") {
		t.Errorf("%d releases; the other door is free: %t", r.lock.released, locks.Claim("outer"))
	}
}
