package access

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"monban/firmware/card"
)

// crew is a site with one guarded room and people of every kind, played in virtual time by badges and
// passages as the owner of a state would.
type crew struct {
	t    rapid.TB
	p    *Policy
	st   *State
	now  int64
	link Link
}

// crewRules: staff a and b (b may escort), contractors c and d, visitors v1 … v7; person n has card key n+1.
func crewRules(t rapid.TB, edit func(r *Rules)) Rules {
	r := site(t)
	until := at(t, "2027-04-01 00:00:00")
	r.Persons, r.Credentials, r.Grants = nil, nil, nil
	r.Zones[1].RequirePIN = false
	r.Doors[1].Sides = []Side{SideEnter, SideExit}
	for i, id := range []string{"a", "b", "c", "d", "v1", "v2", "v3", "v4", "v5", "v6", "v7"} {
		c := CategoryVisitor
		if i < 4 {
			c = []Category{CategoryStaff, CategoryStaff, CategoryContractor, CategoryContractor}[i]
		}
		r.Persons = append(r.Persons, Person{ID: id, Active: true, Category: c, MayEscort: id == "b"})
		r.Credentials = append(r.Credentials, Credential{Key: key(byte(i + 1)), Person: PersonNo(i), Status: CredentialActive, Assurance: card.MutualAuth})
		for _, z := range r.Zones {
			r.Grants = append(r.Grants, Grant{Person: PersonNo(i), Zone: z.ID, Schedule: Always, UntilMS: until})
		}
	}
	r.Credentials = append(r.Credentials, Credential{Key: key(99), Person: 0, Status: CredentialActive, Assurance: card.MutualAuth}) // a's second card
	edit(&r)
	return r
}

func newCrew(t rapid.TB, edit func(room *Zone)) *crew {
	t.Helper()
	r := crewRules(t, func(r *Rules) { edit(&r.Zones[1]) })
	return &crew{t: t, p: compile(t, r), st: NewState(KnowAll), now: at(t, "2026-11-24 09:00:00"), link: LinkServer}
}

func (c *crew) person(id string) PersonNo {
	n, ok := c.p.personIndex[id]
	if !ok {
		c.t.Fatalf("no person %s", id)
	}
	return n
}

// badge decides and remembers who stands at the door; "a2" is a's second card.
func (c *crew) badge(who string, door DoorID, side Side) Decision {
	k := key(99)
	if who != "a2" {
		k = key(byte(c.person(who) + 1))
	}
	q := Request{Door: door, Side: side, Key: k, HasCard: true, Assurance: card.MutualAuth, WallMS: c.now, Clock: ClockServer, Link: c.link}
	v := c.st.View(c.p, q)
	d := Decide(c.p, v, q)
	if again := Decide(c.p, c.st.View(c.p, q), q); again != d {
		c.t.Fatalf("decided twice: %+v, %+v", d, again)
	}
	pv, pq, err := ParseInputs(AppendInputs(nil, v, q))
	if err != nil || Decide(c.p, pv, pq) != d { // AD-12
		c.t.Fatalf("replayed otherwise (%v): %+v", err, d)
	}
	if e, ok := PendingEvent(c.p, q, d); ok {
		Apply(c.st, e)
	}
	return d
}

// joins reports whether the holder of one card, who waits, goes in with the holder of another.
func (c *crew) joins(waiting Outcome, waits, granted Key) bool {
	return Joins(c.p, Request{Door: "server-door", Side: SideEnter, Key: waits, HasCard: true, WallMS: c.now, Clock: ClockServer, Link: c.link}, waiting, granted)
}

func (c *crew) enters(who string) {
	Apply(c.st, Event{Kind: EventPassage, Person: who, Zone: "server-room", Party: c.p.persons[c.person(who)].Party, WallMS: c.now})
}

func (c *crew) leaves(who string) {
	Apply(c.st, Event{Kind: EventPassage, Person: who, Zone: "lobby", WallMS: c.now})
}

// want badges at the server room and compares.
func (c *crew) want(who string, o Outcome, r Reason) {
	c.t.Helper()
	if d := c.badge(who, "server-door", SideEnter); d.Outcome != o || d.Primary != r {
		c.t.Errorf("%s: %s %s (%s), want %s %s", who, d.Outcome, d.Primary, d.Failed, o, r)
	}
}

// AD-7, AD-8, I5: whoever waits and is not let in any more meanwhile is no company and goes in with nobody.
func TestNoCompanyOfTheRevoked(t *testing.T) {
	for name, edit := range map[string]func(*Rules){
		"card lost":        func(r *Rules) { r.Credentials[0].Status = CredentialLost },
		"card gone":        func(r *Rules) { r.Credentials = r.Credentials[1:] },
		"card ended":       func(r *Rules) { r.Credentials[0].UntilMS = at(t, "2026-11-24 09:00:05") },
		"person suspended": func(r *Rules) { r.Persons[0].Active = false },
		"contract ended":   func(r *Rules) { r.Persons[0].ContractUntilMS = at(t, "2026-11-24 09:00:05") },
		"grant taken away": func(r *Rules) {
			r.Grants = slices.DeleteFunc(r.Grants, func(g Grant) bool { return g.Person == 0 && g.Zone == "server-room" })
		},
	} {
		two := func(r *Rules) { r.Zones[1].TwoPersonMS = 30_000 }
		c := &crew{t: t, p: compile(t, crewRules(t, two)), st: NewState(KnowAll), now: at(t, "2026-11-24 09:00:00"), link: LinkServer}
		c.want("a", NeedSecond, ReasonSecondPerson)
		c.now += 10_000
		waits := Request{Door: "server-door", Side: SideEnter, Key: key(1), HasCard: true, WallMS: c.now, Clock: ClockServer, Link: LinkServer}
		if !Joins(c.p, waits, NeedSecond, key(2)) {
			t.Errorf("%s: nobody goes in with the second", name)
		}
		c.p = compile(t, crewRules(t, func(r *Rules) { two(r); edit(r) }))
		if Joins(c.p, waits, NeedSecond, key(2)) {
			t.Errorf("%s: goes in with the second", name)
		}
		if d := c.badge("b", "server-door", SideEnter); d.Outcome != NeedSecond {
			t.Errorf("%s: company for the second: %s", name, d.Outcome)
		}
	}
}

// AD-8: two different persons within the window, in either order, edge included.
func TestTwoPersons(t *testing.T) {
	two := func(z *Zone) { z.TwoPersonMS, z.StaffNeeded = 30_000, true }
	for _, order := range [][2]string{{"a", "b"}, {"b", "a"}, {"a", "c"}, {"c", "a"}} {
		c := newCrew(t, two)
		c.want(order[0], NeedSecond, ReasonSecondPerson)
		c.now += 30_000
		c.want(order[1], Granted, ReasonGranted)
		if !c.joins(NeedSecond, key(byte(c.person(order[0])+1)), key(byte(c.person(order[1])+1))) {
			t.Errorf("%v: the first one does not go in with the second", order)
		}
		c.enters(order[0])
		c.enters(order[1])
		c.want("d", Granted, ReasonGranted) // the zone is not empty any more
		c.leaves(order[0])
		c.leaves(order[1])
		Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "d"})
		c.want("a", NeedSecond, ReasonSecondPerson)
	}
	c := newCrew(t, two)
	c.want("a", NeedSecond, ReasonSecondPerson)
	c.now += 30_001
	c.want("b", NeedSecond, ReasonSecondPerson) // a's time is over; now a may come as the second
	c.want("a", Granted, ReasonGranted)

	c = newCrew(t, two)
	c.want("a", NeedSecond, ReasonSecondPerson)
	c.want("a2", Denied, ReasonSecondPerson) // the same person's other card
	c.want("a", Denied, ReasonSecondPerson)
	c.want("c", Granted, ReasonGranted)

	c = newCrew(t, two)
	c.want("c", NeedSecond, ReasonSecondPerson)
	c.want("d", Denied, ReasonStaffNeeded) // a contractor pair
	if c.joins(NeedSecond, key(3), key(4)) {
		t.Error("a contractor pair goes in together")
	}
	c.want("a", Granted, ReasonGranted)

	c = newCrew(t, func(z *Zone) { z.TwoPersonMS, z.TwoPersonAlways = 30_000, true })
	c.want("a", NeedSecond, ReasonSecondPerson)
	c.want("b", Granted, ReasonGranted)
	c.enters("a")
	c.enters("b")
	c.want("c", NeedSecond, ReasonSecondPerson) // always: also when somebody is inside
	Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "c"})
	c.want("d", NeedSecond, ReasonSecondPerson) // c gave up

	c = newCrew(t, two)
	c.enters("a") // a's exit was not seen: a alone is no company for a
	c.want("a", NeedSecond, ReasonSecondPerson)

	c = newCrew(t, two) // a second person at another door is not at this one
	Apply(c.st, Event{Kind: EventPending, Door: "front", Person: "b", WallMS: c.now})
	c.want("a", NeedSecond, ReasonSecondPerson)
	c.now -= 1 // a clock that was put back: b is not yet here
	Apply(c.st, Event{Kind: EventPending, Door: "server-door", Person: "b", WallMS: c.now + 10})
	c.want("d", NeedSecond, ReasonSecondPerson)
}

// AD-9: entry after entry in the four modes; the exit is granted in each.
func TestAntiPassback(t *testing.T) {
	for _, tc := range []struct {
		mode   AntiPassback
		after  int64
		o      Outcome
		r      Reason
		failed ReasonSet
	}{
		{AntiPassbackOff, 1, Granted, ReasonGranted, 0},
		{AntiPassbackSoft, 1, Granted, ReasonGranted, ReasonSet(0).With(ReasonAntiPassback)},
		{AntiPassbackHard, 86_400_000, Denied, ReasonAntiPassback, ReasonSet(0).With(ReasonAntiPassback)},
		{AntiPassbackTimed, 599_999, Denied, ReasonAntiPassback, ReasonSet(0).With(ReasonAntiPassback)},
		{AntiPassbackTimed, -1, Denied, ReasonAntiPassback, ReasonSet(0).With(ReasonAntiPassback)}, // the clock was put back
		{AntiPassbackTimed, 600_000, Granted, ReasonGranted, 0},
	} {
		c := newCrew(t, func(z *Zone) { z.AntiPassback, z.AntiPassbackMS = tc.mode, 600_000 })
		c.want("a", Granted, ReasonGranted)
		c.enters("a")
		c.now += tc.after
		d := c.badge("a", "server-door", SideEnter)
		if d.Outcome != tc.o || d.Primary != tc.r || d.Failed != tc.failed {
			t.Errorf("%s after %d ms: %s %s (%s)", tc.mode, tc.after, d.Outcome, d.Primary, d.Failed)
		}
		if d := c.badge("a", "server-door", SideExit); d.Outcome != Granted || d.Failed != 0 {
			t.Errorf("%s: exit %s (%s)", tc.mode, d.Outcome, d.Failed)
		}
		Apply(c.st, Event{Kind: EventForgiven, Person: "a"})
		c.want("a", Granted, ReasonGranted)
	}
	// The archive lies inside the server room; whoever comes out of it is not entering the room again.
	r := crewRules(t, func(r *Rules) { r.Zones[2].Parent, r.Zones[1].AntiPassback = "server-room", AntiPassbackHard })
	c := &crew{t: t, p: compile(t, r), st: NewState(KnowAll), now: at(t, "2026-11-24 09:00:00"), link: LinkServer}
	Apply(c.st, Event{Kind: EventPassage, Person: "a", Zone: "archive", WallMS: c.now})
	c.want("a", Denied, ReasonAntiPassback) // in the archive is in the room
	if d := c.badge("a", "archive-door", SideExit); d.Outcome != Granted {
		t.Errorf("%+v", d)
	}
}

// VE-2, VE-11: an outsider needs an escort inside or at the door; five to one.
func TestEscort(t *testing.T) {
	escorted := func(z *Zone) { z.Escort = EscortVisitors }
	c := newCrew(t, escorted)
	c.want("c", Granted, ReasonGranted) // a contractor is no visitor
	c.want("v1", NeedEscort, ReasonEscortMissing)
	c.want("a", Granted, ReasonGranted) // staff, but no escort
	if c.joins(NeedEscort, key(5), key(1)) {
		t.Error("a visitor goes in with somebody who may not escort")
	}
	c.want("v2", NeedEscort, ReasonEscortMissing)
	c.now += DefaultEscortWithinMS
	c.want("b", Granted, ReasonGranted)
	if !c.joins(NeedEscort, key(5), key(2)) {
		t.Error("a visitor does not go in with the escort")
	}
	for _, who := range []string{"b", "v1", "v2"} {
		c.enters(who)
	}
	for _, who := range []string{"v3", "v4", "v5"} {
		c.want(who, Granted, ReasonGranted) // the escort is inside
		c.enters(who)
	}
	c.want("v6", Denied, ReasonEscortRatio)
	c.leaves("v1")
	c.want("v6", Granted, ReasonGranted)
	c.enters("v6")
	c.leaves("b") // never refused; the watch tells
	c.want("v7", Denied, ReasonEscortRatio)

	c = newCrew(t, escorted) // the escort first, and both before the door is opened
	c.want("b", Granted, ReasonGranted)
	c.now += DefaultEscortWithinMS
	c.want("v1", Granted, ReasonGranted)
	c.now++
	Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "v1"})
	c.want("v2", NeedEscort, ReasonEscortMissing) // the escort's time is over

	c = newCrew(t, func(z *Zone) { z.Escort, z.EscortRatio = EscortOutsiders, 2 })
	c.want("c", NeedEscort, ReasonEscortMissing)
	c.want("v1", NeedEscort, ReasonEscortMissing)
	c.want("v2", Denied, ReasonEscortRatio) // the third who waits for one escort

	c = newCrew(t, func(z *Zone) { z.Escort = EscortVisitors })
	party := compile(t, crewRules(t, func(r *Rules) { r.Zones[1].Escort, r.Zones[1].MaxInside, r.Persons[1].Party = EscortVisitors, 6, 5 }))
	c.p = party
	c.want("b", Granted, ReasonGranted) // an escort with a party of four visitors
	c.enters("b")
	if v := c.st.View(c.p, Request{Door: "server-door", Side: SideEnter, Link: LinkServer}); v.Zone.Count != 5 || v.Zone.Visitors != 4 || v.Zone.Escorts != 1 {
		t.Errorf("party of five: %+v", v.Zone)
	}
	c.want("v1", Granted, ReasonGranted)
	c.enters("v1")
	c.want("v2", Denied, ReasonOccupancyFull)
	c.p = compile(t, crewRules(t, func(r *Rules) { r.Zones[1].Escort, r.Persons[1].Party = EscortVisitors, 7 }))
	c.st = NewState(KnowAll)
	c.want("b", Denied, ReasonEscortRatio) // six visitors on one escort's badge

	c = newCrew(t, func(z *Zone) { z.Escort, z.TwoPersonMS = EscortVisitors, 30_000 }) // both rules
	c.want("v1", NeedEscort, ReasonEscortMissing)
	c.want("b", Granted, ReasonGranted)
	c = newCrew(t, func(z *Zone) { z.Escort, z.TwoPersonMS = EscortVisitors, 30_000 })
	c.want("b", NeedSecond, ReasonSecondPerson)
	c.want("v1", Granted, ReasonGranted)
}

// AD-14: an emergency grant sets two persons, escort and cap aside, flagged, and nothing else.
func TestEmergency(t *testing.T) {
	now := at(t, "2026-11-24 09:00:00")
	build := func(edit func(r *Rules)) *crew {
		r := crewRules(t, func(r *Rules) {
			r.Grants = append(r.Grants, Grant{Person: 0, Zone: "server-room", Schedule: Always, UntilMS: now + 3600_000, Emergency: true})
			edit(r)
		})
		return &crew{t: t, p: compile(t, r), st: NewState(KnowAll), now: now, link: LinkServer}
	}
	flagged := func(c *crew, aside ReasonSet) {
		t.Helper()
		if d := c.badge("a", "server-door", SideEnter); d.Outcome != Granted || d.Primary != ReasonGranted || d.Failed != aside.With(ReasonEmergencyEntry) {
			t.Errorf("%s %s (%s), want granted with %s", d.Outcome, d.Primary, d.Failed, aside.With(ReasonEmergencyEntry))
		}
	}
	c := build(func(*Rules) {})
	c.want("a", Granted, ReasonGranted)
	if d := c.badge("a", "server-door", SideEnter); d.Failed != 0 { // the ordinary grant is enough
		t.Errorf("flagged without need: %s", d.Failed)
	}
	flagged(build(func(r *Rules) { r.Zones[1].TwoPersonMS = 30_000 }), ReasonSet(0).With(ReasonSecondPerson))
	flagged(build(func(r *Rules) { r.Grants = r.Grants[3:] }), 0) // no ordinary grant at all
	c = build(func(r *Rules) { r.Zones[1].MaxInside = 1 })
	c.enters("b")
	flagged(c, ReasonSet(0).With(ReasonOccupancyFull))
	c = build(func(r *Rules) { r.Zones[1].Escort, r.Persons[0].Category = EscortOutsiders, CategoryContractor })
	flagged(c, ReasonSet(0).With(ReasonEscortMissing))
	c.st = NewState(0) // knows nothing: two persons, cap and escort are set aside, the PIN is not
	d := c.badge("a", "server-door", SideEnter)
	if d.Outcome != Granted || d.Failed != ReasonSet(0).With(ReasonKnowledgeMissing).With(ReasonEmergencyEntry) || !d.Missing.Has(KnowZone) {
		t.Errorf("without knowledge: %+v (%s)", d, d.Failed)
	}
	c = build(func(r *Rules) {
		r.Zones[1].Escort, r.Persons[0].Category, r.Zones[1].RequirePIN = EscortOutsiders, CategoryContractor, true
	})
	c.st = NewState(0)
	if d := c.badge("a", "server-door", SideEnter); d.Outcome != Denied || !d.Failed.Has(ReasonKnowledgeMissing) {
		t.Errorf("PIN count not known: %+v (%s)", d, d.Failed)
	}
	for name, edit := range map[string]func(r *Rules){
		"card lost":    func(r *Rules) { r.Credentials[0].Status = CredentialLost },
		"not active":   func(r *Rules) { r.Persons[0].Active = false },
		"low":          func(r *Rules) { r.Credentials[0].Assurance = card.UIDOnly },
		"locked":       func(r *Rules) { r.Doors[0].Mode = ModeLockdown },
		"conditions":   func(r *Rules) { r.Zones[1].Conditions = 1 },
		"grant ended":  func(r *Rules) { r.Grants[len(r.Grants)-1].UntilMS = now; r.Grants = r.Grants[3:] },
		"inside twice": func(r *Rules) { r.Zones[1].AntiPassback = AntiPassbackHard },
	} {
		c := build(edit)
		if name == "inside twice" {
			c.enters("a")
		}
		if d := c.badge("a", "server-door", SideEnter); d.Outcome != Denied || d.Failed.Has(ReasonEmergencyEntry) {
			t.Errorf("%s: %s (%s)", name, d.Outcome, d.Failed)
		}
	}
}

// AD-15, VE-6: flagged, denied, and the edge of the year; acknowledged conditions of an old version.
func TestPrepared(t *testing.T) {
	now := at(t, "2026-11-24 09:00:00")
	for _, tc := range []struct {
		training Training
		until    int64
		has, ask uint32
		o        Outcome
		failed   ReasonSet
	}{
		{TrainingOff, 0, 0, 0, Granted, 0},
		{TrainingFlag, now, 0, 0, Granted, ReasonSet(0).With(ReasonTrainingExpired)},
		{TrainingFlag, now + 1, 0, 0, Granted, 0},
		{TrainingDeny, now, 0, 0, Denied, ReasonSet(0).With(ReasonTrainingExpired)},
		{TrainingDeny, now + 1, 0, 0, Granted, 0},
		{TrainingOff, 0, 2, 3, Denied, ReasonSet(0).With(ReasonConditionsPending)},
		{TrainingOff, 0, 3, 3, Granted, 0},
		{TrainingFlag, 0, 2, 3, Denied, ReasonSet(0).With(ReasonConditionsPending).With(ReasonTrainingExpired)},
	} {
		c := newCrew(t, func(z *Zone) { z.Training, z.Conditions = tc.training, tc.ask })
		c.p.persons[0].TrainingUntilMS, c.p.persons[0].Conditions = tc.until, tc.has
		if d := c.badge("a", "server-door", SideEnter); d.Outcome != tc.o || d.Failed != tc.failed {
			t.Errorf("%+v: %s (%s)", tc, d.Outcome, d.Failed)
		}
		if d := c.badge("a", "server-door", SideExit); d.Outcome != Granted || d.Failed != 0 {
			t.Errorf("exit: %+v", d)
		}
	}
	c := newCrew(t, func(z *Zone) {
		z.Training, z.TwoPersonMS, z.TwoPersonAlways, z.StaffNeeded = TrainingFlag, 30_000, true, true
	})
	Apply(c.st, Event{Kind: EventPending, Door: "server-door", Person: "c", Key: key(3), WallMS: c.now})
	if d := c.badge("d", "server-door", SideEnter); d.Primary != ReasonStaffNeeded { // what only flags never speaks for the denial
		t.Errorf("%s (%s)", d.Primary, d.Failed)
	}
}
