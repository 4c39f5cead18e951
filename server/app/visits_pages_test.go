package app

import (
	"testing"

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
