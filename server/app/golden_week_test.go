package app

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/signoff"
	"monban/server/web"
)

// may sets the time of a day of May 2026 in Tokyo.
func (c *counter) may(day, hour, minute int) time.Time {
	c.at = time.Date(2026, 5, day, hour, minute, 0, 0, c.site.Zone)
	return c.at
}

// VR-11, VR-10: Golden Week 2026. On Friday 1 May somebody works; 2 to 6 May are closed days. On Thursday the 7th nothing is overdue, the five
// quiet days are signed in one act, one leaf each, and a record of the 4th that a gateway sends later opens that day alone, to an addition that
// is signed for itself.
func TestGoldenWeek(t *testing.T) {
	c := newCounter(t)
	c.may(1, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.may(1, 11, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	c.may(7, 8, 40)
	p := c.registers()
	days, err := p.ReviewDays(t.Context(), archive, "2026-05-01", "2026-05-07")
	c.must(err)
	for _, d := range days {
		quiet := d.Day > "2026-05-01" && d.Day < "2026-05-07"
		if d.Sheet.Overdue || d.Sheet.Quiet != quiet {
			t.Errorf("%s: overdue=%v quiet=%v", d.Day, d.Sheet.Overdue, d.Sheet.Quiet)
		}
		if due := time.UnixMilli(d.DueMS).In(c.site.Zone).Format("01-02 15:04"); d.Day < "2026-05-07" && due != "05-07 17:15" {
			t.Errorf("%s is due %s, want the closing time of the first open day", d.Day, due)
		}
	}
	size := c.site.Store.Size()
	signed, err := p.SignQuiet(t.Context(), archive, "2026-05-01", "2026-05-07", web.Action{At: c.at, Actor: chief.Account})
	if err != nil || len(signed) != 5 || c.site.Store.Size() != size+5 {
		t.Fatalf("signed %v, %d leaves, %v", signed, c.site.Store.Size()-size, err)
	}
	c.sign("2026-05-01", signoff.Sign, chief, "", nil)

	received := c.may(7, 9, 5)
	gw := c.pub.Site().Door(store1).Gateway
	c.may(4, 3, 0)
	c.received = received
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xee}})
	c.received = time.Time{}
	c.may(7, 9, 10)
	for day, want := range map[string]signoff.Status{"2026-05-03": signoff.Done, "2026-05-04": signoff.Additional, "2026-05-05": signoff.Done, "2026-05-01": signoff.Done} {
		c.stands(day, want)
	}
	c.sign("2026-05-04", signoff.Add, chief, "", nil)
	c.stands("2026-05-04", signoff.Done)
	if _, err := p.SignQuiet(t.Context(), archive, "2026-05-01", "2026-05-07", web.Action{At: c.at, Actor: chief.Account}); err == nil {
		t.Error("the quiet days are signed twice")
	}
}

// VR-10: an office of five. The manager works in the room and signs; the own rows wait until the deputy, whose role has dates, countersigns; the
// officer's two accounts are one person and cannot do it alone.
func TestFivePersonOffice(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // the manager, person 1002
	c.clock(25, 8, 40)
	const day = "2026-11-24"
	c.sign(day, signoff.Sign, section, "", nil)
	s := c.stands(day, signoff.Waiting)
	if _, ok := s.Sheet.QuietAct(signoff.Actor{Account: section.Account, Person: string(section.Person)}); ok {
		t.Error("a day with rows is quiet")
	}
	c.sign(day, signoff.Countersign, section, "", signoff.ErrSamePerson)
	c.sign(day, signoff.Return, chief, "出た時刻がない", nil)
	c.stands(day, signoff.Returned)
	c.sign(day, signoff.Sign, section, "", nil)
	c.sign(day, signoff.Countersign, chief, "", nil)
	c.stands(day, signoff.Done)
	people := []signoff.Actor{{Account: "manager", Person: "1"}, {Account: "manager2", Person: "1"}}
	if signoff.Satisfiable(true, people) == nil || signoff.Satisfiable(true, append(people, signoff.Actor{Account: "deputy", Person: "2"})) != nil {
		t.Error("two signatures with one person, or not with two")
	}
}
