package app

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/signoff"
	"monban/server/web"
)

// moveStore has the media store become the tape room, with its doors and rights, and takes the zone out.
func (c *counter) moveStore() {
	c.edit(func(s *directory.Snapshot) {
		for i := range s.Zones {
			if s.Zones[i].ID == archive {
				s.Zones[i].ID, s.Zones[i].Name = "tape-room", "テープ室"
			}
		}
		for i := range s.Doors {
			if s.Doors[i].Enter == archive {
				s.Doors[i].Enter = "tape-room"
			}
		}
		for i := range s.Exceptions {
			if s.Exceptions[i].SubjectID == string(archive) {
				s.Exceptions[i].SubjectID = "tape-room"
			}
		}
		for i := range s.Grants {
			if s.Grants[i].Zone == archive {
				s.Grants[i].Zone = "tape-room"
			}
		}
	})
}

// RR-1, RR-3, VR-10: after a room has moved the days before are those of the old room: its register, its list of who was inside, its signed days, and records that
// come late. It can be chosen although the zone is gone, by whoever looked after it.
func TestRegisterOfARoomThatIsGone(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	sakiyama := c.site.Ref(4568)
	c.clock(24, 10, 0)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(24, 11, 0)
	c.pass(sakiyama, store1, door.EventExit)
	c.clock(25, 8, 40)
	c.sign("2026-11-24", signoff.Sign, chief, "", nil)
	signed := c.stands("2026-11-24", signoff.Done)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(25, 9, 0)
	c.pass(sakiyama, store1, door.EventExit)
	c.clock(25, 10, 0)
	c.moveStore()
	c.clock(25, 14, 0)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(25, 15, 0)
	c.pass(sakiyama, store1, door.EventExit)
	c.clock(27, 9, 0)

	first, before, after := "complete 﨑山 直子 staff 24T10:00 24T11:00\n", "complete 﨑山 直子 staff 25T08:40 25T09:00\n", "complete 﨑山 直子 staff 25T14:00 25T15:00\n"
	c.want("the old room", c.rows(archive, "2026-11-23", "2026-11-26"), first+before)
	c.want("the new one", c.rows("tape-room", "2026-11-23", "2026-11-26"), after)

	p := c.registers()
	zones, err := p.RegisterZones(ctx)
	c.must(err)
	if last := zones[len(zones)-1]; last != (web.ZoneName{ID: archive, Name: "媒体保管庫", Level: 2, Gone: "2026-11-25"}) {
		t.Errorf("zones to choose from: %+v", zones)
	}
	for zone, want := range map[access.ZoneID]bool{archive: true, "floor-3": true, "tape-room": false} {
		in, err := p.ReachOf(ctx, []access.ZoneID{zone})
		c.must(err)
		if in.Zone(archive) != want {
			t.Errorf("who looks after %s reaches the old room: %v, want %v", zone, in.Zone(archive), want)
		}
	}

	now := c.at
	present, err := p.Present(ctx, archive, c.clock(24, 10, 30), true)
	c.must(err)
	c.at = now
	if len(present.Rows) != 1 || present.Zone.Name != "媒体保管庫" {
		t.Errorf("inside then: %+v", present)
	}
	if got := c.stands("2026-11-24", signoff.Done); got.Rows != signed.Rows || len(got.Register.Rows) != len(signed.Register.Rows) || len(got.Late) != 0 {
		t.Errorf("the day that was signed: %+v, was %+v", got, signed)
	}
	days, err := p.ReviewDays(ctx, archive, "2026-11-23", "2026-11-26")
	c.must(err)
	slices.SortFunc(days, func(a, b web.ReviewDay) int { return cmp.Compare(a.Day, b.Day) })
	if n := len(days); n == 0 || days[n-1].Day != "2026-11-25" {
		t.Errorf("days of the old room: %+v", days)
	}
	days, err = p.ReviewDays(ctx, "tape-room", "2026-11-24", "2026-11-26")
	c.must(err)
	rows := map[string]int{}
	for _, d := range days {
		rows[d.Day] = d.Rows
	}
	if rows["2026-11-24"] != 0 || rows["2026-11-26"] != 0 || rows["2026-11-25"] == 0 {
		t.Errorf("lines by day of the new room: %v", rows)
	}

	// A record of before the move that comes after it is the old room's.
	gw := c.pub.Site().Door(store1).Gateway
	c.received, c.at = now, c.clock(24, 17, 0)
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xbb}})
	c.received, c.at = time.Time{}, now
	if s := c.stands("2026-11-24", signoff.Additional); len(s.Late) != 1 {
		t.Errorf("late: %v", s.Late)
	}
	if _, err := p.Register(ctx, web.RegisterQuery{Zone: "nowhere", From: "2026-11-24", To: "2026-11-24"}); err == nil {
		t.Error("a zone that never was has a register")
	}
}
