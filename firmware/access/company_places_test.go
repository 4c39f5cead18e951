package access

import (
	"fmt"
	"testing"
)

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
