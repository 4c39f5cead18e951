package app

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/signoff"
	"monban/server/web"
)

// VR-10, VR-11, RR-2, D27: who enters a zone by a door of a zone in it stands in its register, so that such a day is not quiet and whoever
// signs it does not sign their own row alone.
func TestDayOfAZoneAround(t *testing.T) {
	c := newCounter(t)
	c.edit(func(s *directory.Snapshot) {
		i := slices.IndexFunc(s.Zones, func(z directory.Zone) bool { return z.ID == archive })
		around := s.Zones[i]
		around.ID, around.Name, around.NameEN, around.Parent, around.Level = annex, "別館", "Annex", "", 1
		s.Zones[i].Parent = annex
		s.Zones = append(s.Zones, around)
	})
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	c.clock(24, 11, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	c.clock(25, 8, 40)
	const day = "2026-11-24"
	p := c.registers()
	sheet, err := p.ReviewDay(t.Context(), annex, day, true)
	c.must(err)
	if len(sheet.Register.Rows) != 1 || sheet.Rows != 2 || sheet.Sheet.Quiet {
		t.Errorf("%d rows in the register, %d lines counted, quiet=%v", len(sheet.Register.Rows), sheet.Rows, sheet.Sheet.Quiet)
	}
	if signed, err := p.SignQuiet(t.Context(), annex, day, day, web.Action{At: c.at, Actor: section.Account}); !errors.Is(err, signoff.ErrNotQuiet) {
		t.Errorf("signed as quiet: %v %v", signed, err)
	}
	c.must(p.ActOnDay(t.Context(), annex, day, signoff.Sign, sheet.Size, web.Action{At: c.at, Actor: section.Account}))
	if sheet, err = p.ReviewDay(t.Context(), annex, day, true); err != nil || sheet.Sheet.Status != signoff.Waiting {
		t.Errorf("the own row alone: %v %v", sheet.Sheet.Status, err)
	}
	c.listed(annex, sheet.ReviewDay)
}

// VR-12: whatever is asked for or typed, a day is refused or found, and the server stands.
func TestReviewOfHostileInput(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.clock(25, 9, 0)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account}
	for _, day := range []string{"0000-00-00", "0000-01-01", "9999-12-31", "-001-01-01", "2026-13-01", "2026-11-24/1", "\x00", strings.Repeat("9", 10_000), "2026-11-24\u202e"} {
		if _, err := p.ReviewDay(t.Context(), archive, day, true); err == nil && day != "9999-12-31" {
			t.Errorf("day %.20q is found", day)
		}
		if err := p.ActOnDay(t.Context(), archive, day, signoff.Sign, 1<<62, act); err == nil {
			t.Errorf("day %.20q is signed", day)
		}
		if _, err := p.SignQuiet(t.Context(), archive, day, day, act); err == nil {
			t.Errorf("day %.20q is signed as quiet", day)
		}
	}
	for _, month := range []string{"0000-00", "0000-01", "9999-12", "2026-1", "2026-11-24", "\x00", strings.Repeat("9", 10_000)} {
		if err := p.SignMonth(t.Context(), archive, month, act); err == nil {
			t.Errorf("month %.20q is signed", month)
		}
	}
	for _, reason := range []string{"\x00", "\u202e逆", strings.Repeat("長", 3000)} {
		sheet, err := p.ReviewDay(t.Context(), archive, "2026-11-24", true)
		c.must(err)
		c.must(p.ActOnDay(t.Context(), archive, "2026-11-24", signoff.Sign, sheet.Size, act))
		a := act
		a.Reason = reason
		if err := p.ActOnDay(t.Context(), archive, "2026-11-24", signoff.Reopen, sheet.Size, a); err != nil {
			t.Errorf("reason %.20q: %v", reason, err)
			return
		}
	}
}

// VR-11, VR-4: a room that comes later owes signatures from its first day on, and its first month can be signed; a room whose gateway recorded
// before the room stood in the directory owes them from its first line on.
func TestDaysOfARoomThatComesLater(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // on 24 November, in another room
	c.at = time.Date(2027, 2, 15, 9, 0, 0, 0, c.site.Zone)
	c.edit(func(s *directory.Snapshot) {
		i := slices.IndexFunc(s.Zones, func(z directory.Zone) bool { return z.ID == archive })
		later := s.Zones[i]
		later.ID, later.Name, later.NameEN, later.Parent, later.Level = annex, "別館", "Annex", "", 1
		s.Zones = append(s.Zones, later)
	})
	c.at = time.Date(2027, 3, 2, 9, 0, 0, 0, c.site.Zone)
	p := c.registers()
	p.begins = newZoneBegins()
	first := func(zone access.ZoneID, want string) {
		t.Helper()
		days, err := p.ReviewDays(t.Context(), zone, "2026-04-01", "2027-03-31")
		c.must(err)
		if len(days) == 0 || days[0].Day != want {
			t.Errorf("%s: %d days, want the first on %s", zone, len(days), want)
		}
	}
	first(archive, "2026-11-24")
	first(annex, "2027-02-15")
	act := web.Action{At: c.at, Actor: chief.Account}
	if _, err := p.ReviewDay(t.Context(), annex, "2027-02-14", true); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("the day before: %v", err)
	}
	signed, err := p.SignQuiet(t.Context(), annex, "2026-04-01", "2027-03-31", act)
	if err != nil || len(signed) != 15 { // 15 February to 1 March
		t.Errorf("%d days %v", len(signed), err)
	}
	c.must(p.SignMonth(t.Context(), annex, "2027-02", act))

	// A door that was another room's leads into it: what was recorded there before stays with that room.
	c.edit(func(s *directory.Snapshot) {
		i := slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })
		s.Doors[i].Enter = annex
	})
	first(annex, "2027-02-15")
}

// VR-11, EV-8: once the act that put a zone into the directory is disposed of, nothing that was done there later moves the begin of its days: neither who looked
// at its register or at its door, nor a change, nor that it was taken out and put there again.
func TestBeginOfAZoneAfterADisposal(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // on 24 November
	edit := func(f func(z *directory.Zone, d *directory.Door)) func() {
		return func() {
			c.edit(func(s *directory.Snapshot) {
				z := slices.IndexFunc(s.Zones, func(z directory.Zone) bool { return z.ID == archive })
				d := slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })
				f(&s.Zones[z], &s.Doors[d])
			})
		}
	}
	look := func() {
		for kind, target := range map[web.ActionKind]string{web.ActionViewRegister: string(archive), web.ActionJudge: string(store1)} {
			err := (accounts{store: c.site.Store}).RecordAction(t.Context(), web.Action{Kind: kind, Actor: chief.Account, Target: target, At: c.at})
			c.must(err)
		}
	}
	for what, later := range map[string]func(){
		"a look at its register and its door": look,
		"a change":                            edit(func(z *directory.Zone, d *directory.Door) { z.NameEN += "+"; d.NameEN += "+" }),
	} {
		z := newZoneBegins()
		z.next = c.site.Store.Size() // what is before is disposed of
		c.at = time.Date(2027, 2, 15, 9, 0, 0, 0, c.site.Zone)
		later()
		c.at = time.Date(2027, 3, 2, 9, 0, 0, 0, c.site.Zone)
		p := c.registers()
		p.begins = z
		days, err := p.ReviewDays(t.Context(), archive, "2026-04-01", "2027-03-31")
		c.must(err)
		if len(days) == 0 || days[0].Day != "2026-11-24" {
			t.Errorf("%s: %d days, want the first on 24 November", what, len(days))
		}
		if from := z.doors[string(store1)]; from != 0 {
			t.Errorf("%s: lines of the door are looked for from leaf %d on", what, from)
		}
	}

	z := newZoneBegins()
	for i, verb := range []string{"zone_remove", "zone_add", "door_remove", "door_add"} {
		target, _, _ := strings.Cut(verb, "_")
		z.take(int64(10+i), &entrylog.Action{Verb: verb, Target: target, ID: "old", AtMS: 5000})
	}
	if z.madeMS["old"] != 0 || z.doors["old"] != 0 {
		t.Errorf("taken out and put there again: since %d, leaf %d", z.madeMS["old"], z.doors["old"])
	}
}

// VR-11, VR-1: a door that recorded before it stood in the directory has its lines from the first on.
func TestBeginOfADoorNobodyKnew(t *testing.T) {
	c := newCounter(t)
	c.clock(20, 10, 0)
	c.record(c.pub.Site().Door(store1).Gateway, wire.Record{Door: "annex-1", Side: access.SideEnter, Event: door.EventForcedOpen, Attempt: door.Attempt{9}})
	c.wantFindings("forced_open", "unknown_door")
	c.clock(24, 9, 0)
	c.edit(func(s *directory.Snapshot) {
		z := slices.IndexFunc(s.Zones, func(z directory.Zone) bool { return z.ID == archive })
		d := slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })
		room, front := s.Zones[z], s.Doors[d]
		room.ID, room.Name, room.NameEN, room.Level = annex, "別館", "Annex", 1
		front.ID, front.Name, front.NameEN, front.Enter = "annex-1", "別館玄関", "Annex front door", annex
		s.Zones, s.Doors = append(s.Zones, room), append(s.Doors, front)
	})
	c.clock(25, 9, 0)
	p := c.registers()
	p.begins = newZoneBegins()
	days, err := p.ReviewDays(t.Context(), annex, "2026-11-01", "2026-11-30")
	c.must(err)
	if len(days) == 0 || days[0].Day != "2026-11-20" {
		t.Errorf("%d days, want the first on 20 November", len(days))
	}
}
