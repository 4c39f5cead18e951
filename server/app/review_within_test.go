package app

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/web"
)

// day reads a day of a zone after it is over, holds it against the list of days, and says what it counts and shows.
func (c *counter) day(zone access.ZoneID, n int) (counted, shown int, sheet web.ReviewSheet) {
	c.t.Helper()
	c.clock(n+1, 9, 0)
	sheet, err := c.registers().ReviewDay(c.t.Context(), zone, fmt.Sprintf("2026-11-%02d", n), true)
	c.must(err)
	c.listed(zone, sheet.ReviewDay)
	return sheet.Rows, len(sheet.Register.Rows) + len(sheet.Ended), sheet
}

// wantDay wants a day that counts something when its page shows something, and only then.
func (c *counter) wantDay(what string, zone access.ZoneID, n int, something bool) web.ReviewSheet {
	c.t.Helper()
	counted, shown, sheet := c.day(zone, n)
	if (counted > 0) != something || (shown > 0) != something || sheet.Sheet.Quiet && something || !something && sheet.Findings == 0 && !sheet.Sheet.Quiet {
		c.t.Errorf("%s, %s: %d lines counted, %d rows on the page, %d findings, quiet %v; want something: %v", what, zone, counted, shown, sheet.Findings, sheet.Sheet.Quiet, something)
	}
	return sheet
}

func (c *counter) turnedAway(number uint64, at access.DoorID) {
	c.t.Helper()
	h, ok := c.pub.Site().Holder(c.site.Ref(number))
	if !ok {
		c.t.Fatal("unknown card")
	}
	o := h.Opening()
	c.n++
	d := entrylog.Decision{Gateway: string(c.pub.Site().Door(at).Gateway), Door: string(at), Side: "enter", Outcome: "denied", Reason: "no_grant", Policy: 1, AtMS: c.at.UnixMilli(), Assurance: "uid_only"}
	binary.BigEndian.PutUint32(d.Attempt[:], c.n)
	d.Ask = d.Attempt
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) error { _, err := tx.AppendDecision(d, &o); return err }))
}

// VR-10, VR-11, VR-12: of a zone around others, whose own border no reader watches, a day counts what makes a row in its register: who passes
// an inner door for the first time, and not who does so each day or is turned away there. Such a day is quiet, and stays signed when such a line comes late.
func TestDayOfAZoneNobodyWatches(t *testing.T) {
	c := newCounter(t)
	c.annexed(func(s *directory.Snapshot) {
		i := slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })
		s.Doors[i].Exit = annex
	})
	through := func(n int) {
		c.clock(n, 10, 0)
		c.pass(c.site.Ref(4568), store1, door.EventEntry)
		c.clock(n, 11, 0)
		c.pass(c.site.Ref(4568), store1, door.EventExit)
	}
	through(24)
	c.wantDay("seen for the first time", annex, 24, true)
	through(25)
	c.wantDay("seen again", annex, 25, false)
	c.wantDay("seen again", archive, 25, true)
	c.clock(26, 10, 0)
	c.turnedAway(4567, store1)
	c.wantDay("turned away at the inner door", annex, 26, false)
	c.wantDay("turned away at the inner door", archive, 26, true)

	const day = "2026-11-25"
	c.clock(26, 9, 0)
	p, act := c.registers(), web.Action{At: c.at, Actor: section.Account} // whose passage it is: no row of their own
	if signed, err := p.SignQuiet(t.Context(), annex, day, day, act); err != nil || len(signed) != 1 {
		t.Errorf("signed as quiet: %v %v", signed, err)
	}
	if _, err := p.SignQuiet(t.Context(), archive, day, day, act); !errors.Is(err, signoff.ErrNotQuiet) {
		t.Errorf("the archive is signed as quiet: %v", err)
	}
	c.clock(25, 17, 0)
	c.turnedAway(4567, store1)
	if sheet := c.wantDay("a late line of the inner door", annex, 25, false); sheet.Sheet.Status != signoff.Done {
		t.Errorf("signed, and %s after a late line that makes no row", sheet.Sheet.Status)
	}
}

// VR-10, VR-12: where the border is watched, a day on which somebody who came the day before goes through inner doors only is quiet; who passes one
// without having come in has a row, and so has the day.
func TestDayWithin(t *testing.T) {
	c := newCounter(t)
	c.annexed(inner)
	step := func(day, hour int, at access.DoorID, e door.Event) {
		c.clock(day, hour, 0)
		c.pass(c.site.Ref(4568), at, e)
	}
	step(24, 22, "annex-1", door.EventEntry)
	step(25, 10, store1, door.EventEntry)
	step(25, 11, store1, door.EventExit)
	step(26, 8, "annex-1", door.EventExit)
	step(27, 10, store1, door.EventEntry) // who let them in?
	step(28, 10, store1, door.EventExit)
	step(28, 11, "annex-1", door.EventExit)
	step(28, 12, store1, door.EventEntry)
	c.wantDay("comes in the evening", annex, 24, true)
	c.wantDay("goes through inner doors", annex, 25, false)
	c.wantDay("leaves", annex, 26, true)
	c.wantDay("has not come in", annex, 27, true)
	c.wantDay("leaves, and is inside again", annex, 28, true)
	for n := 25; n <= 28; n++ {
		if n != 26 {
			c.wantDay("of the archive", archive, n, true)
		}
	}
}

// RR-2, VR-10, VR-12: who passed an inner door and is not known stands in the register of the zone that they came into, and counts there and nowhere
// else: a day that counts something shows it.
func TestDayOfNobodyKnown(t *testing.T) {
	c := newCounter(t)
	const back = access.DoorID("media-store-9") // from outside straight into the archive
	c.annexed(func(s *directory.Snapshot) {
		inner(s)
		i := slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })
		d := s.Doors[i]
		d.ID, d.Name, d.NameEN, d.Exit = back, "書庫裏口", "Archive back door", ""
		s.Doors = append(s.Doors, d)
	})
	for i, x := range []struct {
		what             string
		at               access.DoorID
		event            door.Event
		archived, around bool // whether the day of the archive counts it, and that of the annex
	}{
		{"in by the inner door", store1, door.EventEntry, true, false},
		{"out by the inner door", store1, door.EventExit, false, true},
		{"in by the back door", back, door.EventEntry, true, false},
		{"out by the back door", back, door.EventExit, true, false},
		{"in by the front door", "annex-1", door.EventEntry, false, true},
		{"out by the front door", "annex-1", door.EventExit, false, true},
	} {
		side := access.SideEnter
		if x.event == door.EventExit {
			side = access.SideExit
		}
		c.clock(20+i, 10, 0)
		c.record(c.pub.Site().Door(x.at).Gateway, wire.Record{Door: x.at, Side: side, Event: x.event, Attempt: door.Attempt{0xcc, byte(i)}})
		c.wantDay(x.what, archive, 20+i, x.archived)
		c.wantDay(x.what, annex, 20+i, x.around)
	}
}
