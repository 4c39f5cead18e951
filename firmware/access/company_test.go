package access

import (
	"bytes"
	"fmt"
	"math/rand/v2"
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

// AD-10: the fourth person in a zone for three; zones around count too; who stands at the door counts.
func TestOccupancy(t *testing.T) {
	c := newCrew(t, func(z *Zone) { z.MaxInside = 3 })
	for _, who := range []string{"a", "b", "c"} {
		c.want(who, Granted, ReasonGranted)
		c.enters(who)
	}
	c.want("d", Denied, ReasonOccupancyFull)
	c.want("a", Granted, ReasonGranted) // a's exit was not seen: a is counted already
	c.leaves("b")
	Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "a"})
	c.want("d", Granted, ReasonGranted)
	c.want("b", Denied, ReasonOccupancyFull) // d has not opened yet
	Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "d"})
	c.want("b", Granted, ReasonGranted)
	Apply(c.st, Event{Kind: EventGone, Door: "server-door", Person: "b"})
	Apply(c.st, Event{Kind: EventZoneReset, Zone: "server-room"})
	if v := c.st.View(c.p, Request{Door: "server-door", Side: SideEnter, Link: LinkServer}); v.Zone.Count != 0 {
		t.Errorf("after the reset: %d", v.Zone.Count)
	}

	r := crewRules(t, func(r *Rules) { r.Zones[2].Parent, r.Zones[1].MaxInside = "server-room", 2 })
	c = &crew{t: t, p: compile(t, r), st: NewState(KnowAll), now: at(t, "2026-11-24 09:00:00"), link: LinkServer}
	Apply(c.st, Event{Kind: EventPassage, Person: "a", Zone: "archive"})
	Apply(c.st, Event{Kind: EventPassage, Person: "b", Zone: "server-room"})
	c.want("c", Denied, ReasonOccupancyFull)
	if d := c.badge("c", "archive-door", SideEnter); d.Primary != ReasonOccupancyFull { // from nowhere into the inner zone
		t.Errorf("inner zone: %+v", d)
	}
	if d := c.badge("b", "archive-door", SideEnter); d.Outcome != Granted { // from the room into the inner zone
		t.Errorf("from the room: %+v", d)
	}
}

// VE-2: an escort who is inside by the log and badges once more is one escort, not two.
func TestAnEscortCountsOnce(t *testing.T) {
	c := newCrew(t, func(z *Zone) { z.Escort, z.EscortRatio = EscortOutsiders, 1 })
	c.want("b", Granted, ReasonGranted)
	c.enters("b")
	c.want("c", Granted, ReasonGranted)
	c.enters("c")
	c.want("d", Denied, ReasonEscortRatio)
	c.want("b", Granted, ReasonGranted) // once more
	c.want("d", Denied, ReasonEscortRatio)
}

// AD-10: a place that was given away and not taken yet is nobody else's, at whatever door, until its holder passes or
// gives up; it is one place, however often its holder badges, and those who go in with another have theirs.
func TestPlacesAreReserved(t *testing.T) {
	side := func(edit func(r *Rules)) *crew { // a second door into the room
		r := crewRules(t, func(r *Rules) {
			r.Zones[1].MaxInside = 2
			d := r.Doors[0]
			d.ID, d.Sides = "side-door", []Side{SideEnter, SideExit}
			r.Doors = append(r.Doors, d)
			edit(r)
		})
		return &crew{t: t, p: compile(t, r), st: NewState(KnowAll), now: at(t, "2026-11-24 09:00:00"), link: LinkServer}
	}
	gone := func(c *crew, door DoorID, who string) { Apply(c.st, Event{Kind: EventGone, Door: door, Person: who}) }
	wants := func(c *crew, who string, door DoorID, r Reason) {
		t.Helper()
		if d := c.badge(who, door, SideEnter); d.Primary != r {
			t.Errorf("%s at %s: %s (%s), want %s", who, door, d.Primary, d.Failed, r)
		}
	}

	c := side(func(*Rules) {})
	wants(c, "a", "server-door", ReasonGranted)
	c.enters("a")
	wants(c, "b", "server-door", ReasonGranted)
	wants(c, "c", "side-door", ReasonOccupancyFull) // in the same moment
	c.now += 20_000                                 // b stands in the open door
	wants(c, "c", "side-door", ReasonOccupancyFull)
	wants(c, "b", "side-door", ReasonGranted) // b's own place
	gone(c, "server-door", "b")
	wants(c, "c", "server-door", ReasonOccupancyFull)
	wants(c, "b", "server-door", ReasonGranted)
	gone(c, "side-door", "b")
	gone(c, "server-door", "b")
	wants(c, "c", "server-door", ReasonGranted)
	c.enters("c")
	c.leaves("a")
	wants(c, "c", "side-door", ReasonGranted) // inside by the log: an exit that was not seen
	wants(c, "d", "server-door", ReasonGranted)
	wants(c, "b", "side-door", ReasonOccupancyFull)
	c.now += maxWindowMS + 1 // d's gateway is gone
	wants(c, "b", "side-door", ReasonGranted)

	c = side(func(r *Rules) { r.Zones[1].TwoPersonMS = 60_000 })
	wants(c, "a", "server-door", ReasonSecondPerson)
	wants(c, "c", "side-door", ReasonSecondPerson)
	wants(c, "b", "server-door", ReasonGranted) // and a goes in with b
	wants(c, "d", "side-door", ReasonOccupancyFull)
	c.enters("b")
	wants(c, "d", "side-door", ReasonOccupancyFull)
	gone(c, "server-door", "a")
	gone(c, "side-door", "c")
	wants(c, "d", "side-door", ReasonGranted)

	c = side(func(r *Rules) { r.Zones[2].Parent = "server-room" }) // the archive has no rule of its own
	wants(c, "a", "archive-door", ReasonGranted)
	wants(c, "v1", "archive-door", ReasonGranted)
	wants(c, "b", "side-door", ReasonOccupancyFull)
	gone(c, "archive-door", "v1")
	wants(c, "b", "side-door", ReasonGranted)

	c = side(func(r *Rules) { r.Persons[1].Party = 2 }) // b leads somebody (VE-11)
	wants(c, "b", "server-door", ReasonGranted)
	wants(c, "a", "side-door", ReasonOccupancyFull)
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

// decider is one side of the comparison of TestCompany: a policy, the state kept beside it, and what its rules are read back
// from, as a replay years later has them.
type decider struct {
	policy, replay *Policy
	st             *State
}

func newDecider(t rapid.TB, r Rules) decider {
	t.Helper()
	stored, err := DecodeRules(encode(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return decider{policy: compile(t, *stored), replay: compile(t, *stored), st: NewState(KnowAll)}
}

// decide decides, and again from the bytes that a log keeps (AD-12).
func (d *decider) decide(t rapid.TB, q Request) Decision {
	t.Helper()
	v := d.st.View(d.policy, q)
	out := Decide(d.policy, v, q)
	b := AppendInputs(nil, v, q)
	rv, rq, err := ParseInputs(b)
	if err != nil {
		t.Fatal(err)
	}
	if again := Decide(d.replay, rv, rq); again != out || !bytes.Equal(AppendInputs(nil, rv, rq), b) {
		t.Fatalf("decided %+v, replayed %+v", out, again)
	}
	return out
}

// tally counts what a run of companies came to.
type tally struct {
	decisions, missing, granted, denied, waiting int
	reasons                                      ReasonSet
}

// companies plays badges and passages on one random site, up to most decisions, once at the server and once at a gateway.
func companies(t rapid.TB, pick func(n int, what string) int, most int, n *tally) {
	elsewhere := pick(2, "elsewhere") == 1
	r := crewRules(t, func(r *Rules) {
		z := &r.Zones[1]
		z.AntiPassback, z.AntiPassbackMS = AntiPassback(pick(4, "passback")), 60_000
		z.MaxInside, z.MinInside = uint32([]int{0, 2, 4}[pick(3, "cap")]), 0
		z.TwoPersonMS = int64(pick(2, "two") * 30_000)
		z.TwoPersonAlways, z.StaffNeeded = z.TwoPersonMS > 0 && pick(2, "always") == 1, z.TwoPersonMS > 0 && pick(2, "staff") == 1
		z.Escort, z.EscortRatio = Escort(pick(3, "escort")), 2
		z.OfflineRules = ZoneRule(pick(2, "offline"))
		z.RequirePIN, z.Training, z.Conditions = pick(4, "pin") == 0, Training(pick(3, "training")), uint32(pick(2, "conditions"))
		r.Zones[2].Parent = []ZoneID{"", "server-room"}[pick(2, "nested")]
		r.Persons[1].Party = uint8(pick(4, "party"))
		for i := range r.Persons {
			r.Persons[i].Conditions, r.Persons[i].TrainingUntilMS = uint32(min(1, pick(8, "agreed"))), r.Grants[0].UntilMS*int64(min(1, pick(8, "trained")))
		}
		for i := range r.Credentials {
			if pick(8, "bad card") == 0 {
				r.Credentials[i].Status = CredentialStatus(1 + pick(4, "status"))
			}
		}
		for i := range r.Grants {
			switch pick(12, "grant") {
			case 0:
				r.Grants[i].Emergency = true
			case 1:
				r.Grants[i].Schedule = int32(pick(2, "schedule"))
			case 2:
				r.Grants[i].UntilMS = at(t, "2026-11-24 09:05:00")
			}
		}
	})
	doors := []DoorID{"server-door", "archive-door", "front"}
	if elsewhere { // the archive's door, which leaves into the server room, is another gateway's
		doors = []DoorID{"server-door", "front"}
	}
	g, err := ForGateway(&r, doors, func(k Key) Key { return Key{31: 1, 0: k[0]} }, func(k Key) Key { return k })
	if err != nil {
		t.Fatal(err)
	}
	server, own := newDecider(t, r), newDecider(t, g)
	there, here := server.policy, own.policy
	now := at(t, "2026-11-24 09:00:00")
	alias := map[string]string{}
	for i := range r.Persons {
		c, back := here.find(Key{31: 1, 0: byte(i + 1)}), there.find(key(byte(i+1)))
		alias[there.persons[back.Person].ID] = here.persons[c.Person].ID
	}
	moves := func(e Event) {
		Apply(server.st, e)
		e.Person = alias[e.Person]
		Apply(own.st, e)
	}
	granted := map[string]DoorID{}
	for steps := 0; steps < 3*most && most > 0; steps++ {
		now += int64(pick(20_000, "ms"))
		who := byte(1 + pick(len(r.Persons), "who"))
		no := there.find(key(who)).Person
		id := there.persons[no].ID
		if d, ok := granted[id]; ok && pick(2, "passes") == 1 {
			door, _ := there.Door(d)
			moves(Event{Kind: EventPassage, Person: id, Zone: door.EnterZone, Party: there.persons[no].Party, WallMS: now})
			delete(granted, id)
			continue
		}
		q := Request{
			Door: doors[pick(len(doors), "door")], Side: Side(1 + pick(2, "side")), Key: key(who), HasCard: pick(20, "read") > 0, Assurance: card.MutualAuth,
			PIN: PINState([]int{0, 0, 1, 1, 1, 2, 3}[pick(7, "keyed")]), WallMS: now, Clock: ClockServer, Link: LinkServer,
		}
		if who == 1 && pick(4, "forgotten") > 0 {
			q.PIN = PINBad // a has forgotten it
		}
		want := server.decide(t, q)
		gq := q
		gq.Key, gq.Link, gq.Clock = Key{31: 1, 0: who}, LinkLeased, ClockNTP
		got := own.decide(t, gq)
		most--
		n.decisions++
		n.reasons |= want.Failed
		if e, ok := PendingEvent(there, q, want); ok {
			Apply(server.st, e)
		}
		if e, ok := PendingEvent(here, gq, want.as(got)); ok { // linked, the gateway remembers what the server said
			Apply(own.st, e)
		}
		if e, ok := PINEvent(q, want); ok {
			Apply(server.st, e)
			e.Key = gq.Key
			Apply(own.st, e)
		}
		same := got
		same.Person = want.Person
		switch {
		case got.Missing == 0 && same != want:
			t.Fatalf("gateway %+v (%s), server %+v (%s)", got, got.Failed, want, want.Failed)
		case got.Missing != 0 && (!elsewhere || here.zones[here.door(q.Door).zone].OfflineRules == ZoneRuleDeny &&
			got.Outcome != Denied && got.Outcome != NeedPIN && !onlySoft(here, q.Door, got) && !got.Failed.Has(ReasonEmergencyEntry)):
			t.Fatalf("gateway lacks %s and decides %+v (%s)", got.Missing, got, got.Failed)
		case got.Missing != 0:
			n.missing++
		}
		switch want.Outcome {
		case Granted:
			n.granted++
		case Denied:
			n.denied++
		default:
			n.waiting++
		}
		if q.Side == SideExit && q.HasCard && there.door(q.Door).exit {
			if want.Outcome != Granted || got.Outcome != Granted {
				t.Fatalf("exit refused: %+v, %+v", want, got)
			}
			moves(Event{Kind: EventPassage, Person: id, Zone: there.door(q.Door).ExitZone, WallMS: now})
		} else if want.Outcome == Granted {
			granted[id] = q.Door
		}
		total := uint32(0)
		for i := range there.persons {
			if server.st.Inside(there.persons[i].ID) == "server-room" {
				total += weight(server.st.places[there.persons[i].ID].party)
			}
		}
		if server.st.Count("server-room") != total {
			t.Fatalf("count %d, persons inside %d", server.st.Count("server-room"), total)
		}
	}
}

// D7, D11: over random rules and badges, a known card is always granted at the exit; the server and a
// gateway that knows the zone agree; a gateway that does not names what is missing or agrees all the
// same; counts follow the passages and are never negative.
func TestCompany(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		companies(rt, func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(rt, what) }, 50, &tally{})
	})
}

// Issue "Rules", AD-12, D7: the same 10,000 requests decided by the server and by a gateway's snapshot give the same decision
// wherever the gateway has the knowledge, and name what is missing elsewhere; each is replayed on the stored
// policy from its stored inputs, bit for bit.
func TestTenThousandDecisions(t *testing.T) {
	const want = 10_000
	random := rand.New(rand.NewPCG(8, 10))
	var n tally
	for n.decisions < want {
		companies(t, func(n int, _ string) int { return random.IntN(n) }, min(100, want-n.decisions), &n)
	}
	t.Logf("%+v", n)
	if n.decisions != want {
		t.Errorf("%d decisions, want %d", n.decisions, want)
	}
	if n.granted < 1000 || n.denied < 1000 || n.waiting < 200 || n.missing < 500 || n.missing > want/2 {
		t.Errorf("%+v: the sample says little", n)
	}
	for _, r := range []Reason{
		ReasonAntiPassback, ReasonOccupancyFull, ReasonSecondPerson, ReasonStaffNeeded, ReasonEscortMissing, ReasonEscortRatio, ReasonPINBad, ReasonPINLocked,
		ReasonTrainingExpired, ReasonConditionsPending, ReasonEmergencyEntry, ReasonGrantExpired, ReasonCredentialLost, ReasonReadError,
	} {
		if !n.reasons.Has(r) {
			t.Errorf("%s never happened", r)
		}
	}
}

// as is the server's decision in the gateway's numbers: linked, the gateway remembers what the server said.
func (d Decision) as(own Decision) Decision {
	own.Outcome = d.Outcome
	return own
}

// onlySoft: all that the gateway lacked was what soft anti-passback would have flagged.
func onlySoft(p *Policy, door DoorID, d Decision) bool {
	z := &p.zones[p.door(door).zone]
	return z.AntiPassback == AntiPassbackSoft && d.Missing == KnowledgeSet(0).With(KnowPerson)
}

// D7: at most MaxPresent stand at one door; who passes or gives up is gone from all.
func TestPresent(t *testing.T) {
	st := NewState(KnowAll)
	for i := range 20 {
		Apply(st, Event{Kind: EventPending, Door: "d", Person: fmt.Sprint(i), WallMS: int64(1000 + i)})
	}
	if n := len(st.doors["d"]); n != 20 {
		t.Errorf("%d stand there", n)
	}
	for i := 20; i < maxStanding+12; i++ {
		Apply(st, Event{Kind: EventPending, Door: "d", Person: fmt.Sprint(i), WallMS: int64(1000 + i)})
	}
	if n := len(st.doors["d"]); n != maxStanding || st.doors["d"][0].person != "12" {
		t.Errorf("%d stand there, the first is %+v", n, st.doors["d"][0])
	}
	Apply(st, Event{Kind: EventPending, Door: "e", Person: "19", WallMS: 1})
	Apply(st, Event{Kind: EventPassage, Person: "19", Zone: "z"})
	Apply(st, Event{Kind: EventGone, Door: "d", Person: "18"})
	if len(st.doors["d"]) != maxStanding-2 || len(st.doors["e"]) != 0 {
		t.Errorf("%+v", st.doors)
	}
	Apply(st, Event{Kind: EventPending, Door: "d", Person: "x", WallMS: 1100 + maxWindowMS})
	if len(st.doors["d"]) != 1 {
		t.Errorf("people of an hour ago stand there: %+v", st.doors["d"])
	}
	for _, e := range []Event{{Kind: EventPending, Person: "y", WallMS: 1}, {Kind: EventPending, Door: "f", WallMS: 1}, {Kind: EventPending, Door: "f", Person: "y"}} {
		Apply(st, e)
	}
	if len(st.doors) != 1 {
		t.Errorf("an event without door, person or time moved the state: %+v", st.doors)
	}
}
