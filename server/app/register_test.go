package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/visit"
	"monban/server/web"
)

// registers is the pages' source over a counter's log.
func (c *counter) registers() *pages {
	return &pages{
		store: c.site.Store, health: newHealth(c.at), now: func() time.Time { return c.at }, log: quiet,
		directory: func() directory.Snapshot { return *c.pub.Site().Directory() },
	}
}

// rows draws a register.
func (c *counter) rows(zone access.ZoneID, from, to string) string {
	c.t.Helper()
	out, err := c.registers().Register(c.t.Context(), web.RegisterQuery{Zone: zone, From: from, To: to, Names: true})
	c.must(err)
	return c.draw(out)
}

func (c *counter) draw(reg web.Register) string {
	hm := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.In(c.site.Zone).Round(time.Minute).Format("02T15:04") // the middle of an interval
	}
	var b strings.Builder
	for _, r := range reg.Rows {
		fmt.Fprintf(&b, "%s %s %s %s %s", r.State, orWord(r.Who.Name, "-"), r.Category, hm(r.EnteredAt), hm(r.ExitedAt))
		for _, x := range []struct{ name, text string }{
			{"other", strings.Trim(hm(r.OtherAt), "-")}, {"elsewhere", strings.Trim(hm(r.ElsewhereAt), "-")}, {"purpose", r.Purpose}, {"by", r.PurposeSource},
			{"system", r.System}, {"approver", r.Approver}, {"attendee", r.Attendee}, {"leader", r.Leader}, {"badge", r.Badge}, {"id", r.Identity},
		} {
			if x.text != "" {
				fmt.Fprintf(&b, " %s=%s", x.name, x.text)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (c *counter) want(what, got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
	}
}

// RR-1, RR-2, RR-3, AD-2, VE-9, VE-11, RR-7: a night and a day of the media store as a person would read them: a stay over midnight is one row of
// the day of entry, a party on one badge is a row each with what the visit tells, blanks say why.
func TestRegister(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		for i := range s.People {
			s.People[i].MayEscort = s.People[i].ID == "1002"
		}
	})
	sakiyama := c.site.Ref(4568)
	c.clock(23, 22, 0)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(24, 5, 0)
	c.pass(sakiyama, store1, door.EventExit)
	c.clock(24, 9, 0)
	v := c.approved(c.application("来訪 一", "来訪 二"))
	for i, b := range []string{"B-1", "B-4"} {
		c.clock(24, 10, 0)
		form := ReceptionForm{Guest: i, Identity: visit.Passport, Badge: b}
		if i == 1 {
			form.Carrier = "1002"
		}
		_, err := c.ReceiveGuest(ctx, v.ID, form, clerk)
		c.must(err)
	}
	c.clock(24, 10, 0)
	c.pass(c.site.Ref(30001), store1, door.EventEntry)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(24, 11, 0)
	c.pass(sakiyama, store1, door.EventExit)
	gw := c.pub.Site().Door(store1).Gateway
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xaa}})
	_, err := c.ReturnBadge(ctx, "B-4", false, "", clerk)
	c.must(err)
	c.clock(24, 13, 0)
	c.pass(sakiyama, store1, door.EventNoEntry)
	c.clock(24, 14, 0)
	c.pass(sakiyama, store1, door.EventEntry)
	c.clock(25, 8, 0)
	c.pass(sakiyama, store1, door.EventEntry)

	night := "complete 﨑山 直子 staff 23T22:00 24T05:00\n"
	c.want("the day before", c.rows("media-store", "2026-11-23", "2026-11-23"), night)
	day := "inside 来訪 一 visitor 24T10:00 - purpose=設備の下見 by=approved_work system=空調 approver=髙橋 健一 attendee=﨑山 直子 badge=100 id=passport\n" +
		"complete 﨑山 直子 staff 24T10:00 24T11:00 purpose=設備の下見 by=approved_work system=空調 approver=髙橋 健一\n" +
		"complete 来訪 二 visitor 24T10:00 24T11:00 purpose=設備の下見 by=approved_work system=空調 approver=髙橋 健一 attendee=﨑山 直子 leader=﨑山 直子 badge=103 id=passport\n" +
		"exit_unattributed -  - - other=24T11:00\n" +
		"no_entry 﨑山 直子 staff - - other=24T13:00\n" +
		"exit_not_recorded 﨑山 直子 staff 24T14:00 - elsewhere=25T08:00\n"
	c.want("the day", c.rows("media-store", "2026-11-24", "2026-11-24"), day)
	c.want("both", c.rows("media-store", "2026-11-23", "2026-11-24"), night+day)
	c.want("another zone", c.rows("server-room", "2026-11-23", "2026-11-24"), "")

	for at, want := range map[time.Time]string{
		c.clock(23, 23, 0):  night,
		c.clock(24, 5, 0):   "",
		c.clock(24, 10, 30): day[:strings.Index(day, "exit_unattributed")],
	} {
		got, err := c.registers().Present(ctx, "media-store", at, true)
		c.must(err)
		c.want("present at "+at.In(c.site.Zone).Format("02 15:04"), c.draw(got), want)
	}

	masked, err := c.registers().Register(ctx, web.RegisterQuery{Zone: "media-store", From: "2026-11-24", To: "2026-11-24"})
	c.must(err)
	if text := fmt.Sprintf("%+v", masked); strings.ContainsAny(text, "﨑髙訪") || strings.Contains(text, "設備の下見") || len(masked.Rows) != 6 {
		t.Errorf("without names: %s", text)
	}
	for _, q := range []web.RegisterQuery{
		{Zone: "nowhere", From: "2026-11-24", To: "2026-11-24"}, {Zone: "media-store", From: "2026-11-25", To: "2026-11-24"},
		{Zone: "media-store", From: "2025-11-24", To: "2026-11-25"}, {Zone: "media-store", From: "x", To: "2026-11-24"},
	} {
		if _, err := c.registers().Register(ctx, q); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// RR-6: what the person says of an exit that is missing stands beside it, with who confirmed it.
func TestRegisterOfStatedExit(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	const front = access.DoorID("server-room-1") // leaving is read there
	c.clock(24, 14, 0)
	entry := c.pass(c.site.Ref(4568), front, door.EventEntry)
	c.clock(25, 8, 0)
	c.pass(c.site.Ref(4568), front, door.EventEntry)
	c.clock(25, 9, 0)
	said := func() web.RegisterRow {
		t.Helper()
		got, err := c.registers().Register(ctx, web.RegisterQuery{Zone: "server-room", From: "2026-11-24", To: "2026-11-24", Names: true})
		c.must(err)
		if len(got.Rows) != 1 || got.Rows[0].Attempt != entry {
			t.Fatalf("%+v", got.Rows)
		}
		return got.Rows[0]
	}
	if r := said(); !r.StatedAt.IsZero() {
		t.Errorf("stated by nobody: %+v", r)
	}
	stated, err := c.StateExit(ctx, entry, time.Date(2026, 11, 24, 15, 0, 0, 0, c.site.Zone), section)
	c.must(err)
	if r := said(); r.StatedAt.UnixMilli() != c.ms(24, 15, 0) || r.ConfirmedBy != "" || r.State != register.ExitNotRecorded {
		t.Errorf("stated: %+v", r)
	}
	_, err = c.ConfirmExit(ctx, stated.ID, chief)
	c.must(err)
	if r := said(); r.ConfirmedBy != "chief" {
		t.Errorf("confirmed: %+v", r)
	}
}
