package app

import (
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/visit"
	"monban/server/web/webtest"
)

// The pages of visits get from the store what the tests' sources in memory give them.
func TestVisitsOfPages(t *testing.T) {
	c := newCounter(t)
	now := c.clock(24, 10, 0)
	webtest.CheckVisits(t, webtest.Reception{
		Visits: c.Visits, Asker: section, Chief: chief, Clerk: clerk, Zone: "server-room", Attendee: "1001", Forgetful: "1007",
		Badge: "B-1", Temporary: "B-5", Key: "KEY-1", Now: now, Leaves: func() int { return len(actions(t, c.site.Store)) },
	})
	if list, err := c.OwnEntries(t.Context(), "1001", 30); err != nil || len(list) != 0 {
		t.Errorf("entries of a new site: %v, %v", list, err)
	}
}

// RR-7: My page lists the own entries with their purpose, and which of them ask for one; a visit's work is the purpose of who
// attends it.
func TestOwnEntries(t *testing.T) {
	c := newCounter(t)
	c.clock(24, 10, 0)
	id := c.pass(c.site.Ref(4567), store1, door.EventEntry)
	list, err := c.OwnEntries(t.Context(), "1001", 3)
	c.must(err)
	if len(list) != 1 || list[0].Attempt != id || !list[0].Asks || !list[0].Passed || list[0].Purpose != "" {
		t.Fatalf("own entries %+v", list)
	}
	if other, err := c.OwnEntries(t.Context(), "1002", 3); err != nil || len(other) != 0 {
		t.Errorf("somebody else's: %+v, %v", other, err)
	}
	_, err = c.StatePurpose(t.Context(), id, "バックアップ媒体の交換", chief)
	c.must(err)
	list, err = c.OwnEntries(t.Context(), "1001", 3)
	c.must(err)
	if list[0].Asks || list[0].Purpose != "バックアップ媒体の交換" || list[0].From != visit.FromPerson {
		t.Errorf("after it was stated: %+v", list[0])
	}
}

// RR-6: an entry that no exit followed is asked about once its day is over; only who entered states the exit, once; another
// person confirms it; the record itself stays as it was, and the leaves name nobody (PR-2).
func TestStatedExit(t *testing.T) {
	c := newCounter(t)
	c.clock(24, 10, 0)
	c.pass(c.site.Ref(4567), store1, door.EventEntry) // left by the handle: no exit is read there, none is missed
	c.clock(24, 10, 30)
	id := c.pass(c.site.Ref(4567), "server-room-1", door.EventEntry)
	own := func() visit.OwnEntry {
		t.Helper()
		list, err := c.OwnEntries(t.Context(), "1001", 3)
		c.must(err)
		var found visit.OwnEntry
		for _, e := range list {
			switch {
			case e.Attempt == id:
				found = e
			case e.NoExit:
				t.Errorf("asked about %s", e.Door)
			}
		}
		return found
	}
	if own().NoExit {
		t.Error("asked on the day itself, while the person may be inside")
	}
	c.clock(25, 9, 0)
	if e := own(); !e.NoExit {
		t.Fatalf("not asked on the next day: %+v", e)
	}
	left := c.at.Add(-20 * time.Hour)
	_, err := c.StateExit(t.Context(), id, left, section)
	c.refused(err, visit.ErrNotHolder)
	_, err = c.StateExit(t.Context(), id, c.at.Add(time.Hour), chief)
	c.refused(err, visit.ErrWindow)
	x, err := c.StateExit(t.Context(), id, left, chief)
	c.must(err)
	_, err = c.StateExit(t.Context(), id, left, chief)
	c.refused(err, visit.ErrState)
	if e := own(); e.NoExit || e.LeftMS != left.UnixMilli() || e.Confirmed {
		t.Errorf("after the statement: %+v", e)
	}
	_, err = c.ConfirmExit(t.Context(), x.ID, chief)
	c.refused(err, visit.ErrSamePerson)
	if list, err := c.ExitStatements(t.Context()); err != nil || len(list) != 1 || list[0].Attempt != id {
		t.Errorf("to confirm: %+v, %v", list, err)
	}
	_, err = c.ConfirmExit(t.Context(), x.ID, section)
	c.must(err)
	if e := own(); !e.Confirmed || !e.Passed {
		t.Errorf("after the confirmation: %+v", e)
	}
	if list, err := c.ExitStatements(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("confirmed and still listed: %+v, %v", list, err)
	}
	c.noNames("髙橋", "1001")
}
