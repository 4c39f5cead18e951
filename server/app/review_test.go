package app

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

const archive = access.ZoneID("media-store")

// sign has an account do something with a day, having seen all of it.
func (c *counter) sign(day string, kind signoff.Kind, by visit.Actor, reason string, want error) {
	c.t.Helper()
	p := c.registers()
	sheet, err := p.ReviewDay(c.t.Context(), archive, day, true)
	c.must(err)
	err = p.ActOnDay(c.t.Context(), archive, day, kind, sheet.Size, web.Action{At: c.at, Actor: by.Account, Reason: reason, Address: by.Address})
	if !errors.Is(err, want) {
		c.t.Fatalf("%s of %s by %s: %v, want %v", kind, day, by.Account, err, want)
	}
}

func (c *counter) stands(day string, want signoff.Status) web.ReviewSheet {
	c.t.Helper()
	sheet, err := c.registers().ReviewDay(c.t.Context(), archive, day, true)
	c.must(err)
	if sheet.Sheet.Status != want {
		c.t.Fatalf("%s is %s, want %s", day, sheet.Sheet.Status, want)
	}
	c.listed(archive, sheet.ReviewDay)
	return sheet
}

// listed holds a day's own page against the list of days, which adds its lines up without reading them.
func (c *counter) listed(zone access.ZoneID, want web.ReviewDay) {
	c.t.Helper()
	date, err := directory.ParseDate(want.Day)
	c.must(err)
	list, err := c.registers().ReviewDays(c.t.Context(), zone, date.AddDays(-1).String(), date.AddDays(1).String())
	c.must(err)
	i := slices.IndexFunc(list, func(d web.ReviewDay) bool { return d.Day == want.Day })
	if i < 0 {
		c.t.Fatalf("%s is not among %d days", want.Day, len(list))
	}
	if got := list[i]; !reflect.DeepEqual(got, want) {
		c.t.Errorf("the list says\n%+v\nof the day, its page\n%+v", got, want)
	}
}

// VR-10, VR-11, VR-12, RR-2: a day of the media store is signed by its manager, whose own row another person countersigns; a record that
// comes later opens it to an addition; each act is a leaf and verify finds nothing.
func TestDayIsReviewed(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // person 1002, as section
	c.clock(24, 11, 0)
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	const day = "2026-11-24"
	c.sign(day, signoff.Sign, section, "", signoff.ErrNotOver)
	c.clock(25, 8, 40)
	if s := c.stands(day, signoff.Open); s.Rows != 2 || len(s.Register.Rows) != 1 || s.Sheet.Overdue {
		t.Errorf("%+v", s)
	}
	err := c.registers().ActOnDay(t.Context(), archive, day, signoff.Sign, 1, web.Action{At: c.at, Actor: section.Account})
	if !errors.Is(err, signoff.ErrUnseen) {
		t.Errorf("signed without having seen it: %v", err)
	}
	// Nobody has seen what is not written yet: with such a number no late record would ever open the day again (VR-11).
	err = c.registers().ActOnDay(t.Context(), archive, day, signoff.Sign, 1<<60, web.Action{At: c.at, Actor: section.Account})
	if !errors.Is(err, signoff.ErrUnseen) {
		t.Errorf("signed what is not written yet: %v", err)
	}
	c.sign(day, signoff.Sign, section, "", nil)
	c.stands(day, signoff.Waiting)
	c.sign(day, signoff.Countersign, section, "", signoff.ErrSamePerson)
	c.sign(day, signoff.Countersign, chief, "", nil)
	if s := c.stands(day, signoff.Done); s.SignedBy != "section" || s.SecondBy != "chief" {
		t.Errorf("%+v", s)
	}
	// A gateway that was cut off sends an exit of that day a day later.
	gw := c.pub.Site().Door(store1).Gateway
	c.received, c.at = c.clock(25, 9, 0), c.clock(24, 17, 0)
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xbb}})
	c.received = time.Time{}
	c.clock(25, 9, 10)
	s := c.stands(day, signoff.Additional)
	if len(s.Late) != 1 || !strings.HasPrefix(s.Late[0], "bb") || len(s.Register.Rows) != 2 {
		t.Errorf("late: %v of %d rows", s.Late, len(s.Register.Rows))
	}
	c.sign(day, signoff.Add, chief, "", nil)
	c.stands(day, signoff.Done)
	c.sign(day, signoff.Reopen, section, "", signoff.ErrNoReason)
	c.sign(day, signoff.Reopen, section, "﨑山さんの目的が違う", nil)
	s = c.stands(day, signoff.Open)
	var kinds []string
	for _, x := range s.History {
		kinds = append(kinds, string(x.Kind))
	}
	if got := strings.Join(kinds, " "); got != "day_signed day_countersigned day_added day_reopened" || s.History[3].Reason != "﨑山さんの目的が違う" {
		t.Errorf("%s %+v", got, s.History)
	}
	masked, err := c.registers().ReviewDay(t.Context(), archive, day, false)
	c.must(err)
	if text := fmt.Sprintf("%+v", masked); strings.Contains(text, "﨑山") {
		t.Errorf("without names: %s", text)
	}
	c.noNames("﨑山", "1002")
}

// VR-11, I10: over a holiday the quiet days are signed in one act, one leaf each; a day with an entry or without a sign of life waits. A
// holiday's days are due on the next open day.
func TestQuietDays(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // on the 24th
	c.clock(26, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.clock(30, 9, 0)
	gw := c.pub.Site().Door(store1).Gateway
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		at := c.ms(28, 12, 0)
		_, err := tx.AppendCoverage(attempt.Coverage{Gateway: string(gw), FromMS: at, ToMS: at + 3_600_000, State: "dead"}, at+3_600_000)
		return err
	}))
	p := c.registers()
	days, err := p.ReviewDays(t.Context(), archive, "2026-11-25", "2026-11-30")
	c.must(err)
	var got []string
	for _, d := range days {
		got = append(got, fmt.Sprintf("%s %s quiet=%v overdue=%v", d.Day[8:], d.Sheet.Status, d.Sheet.Quiet, d.Sheet.Overdue))
	}
	want := []string{
		"25 open quiet=true overdue=true", "26 open quiet=false overdue=true", "27 open quiet=true overdue=false", // due on Monday 30
		"28 open quiet=false overdue=false", "29 open quiet=true overdue=false", "30 not_over quiet=false overdue=false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant\n%q", got, want)
	}
	size := c.site.Store.Size()
	act := web.Action{At: c.at, Actor: chief.Account}
	signed, err := p.SignQuiet(t.Context(), archive, "2026-11-25", "2026-11-30", act)
	if err != nil || !slices.Equal(signed, []string{"2026-11-25", "2026-11-27", "2026-11-29"}) || c.site.Store.Size() != size+3 {
		t.Errorf("%v %v, %d leaves", signed, err, c.site.Store.Size()-size)
	}
	if _, err := p.SignQuiet(t.Context(), archive, "2026-11-25", "2026-11-30", act); !errors.Is(err, signoff.ErrNotQuiet) {
		t.Errorf("a second time: %v", err)
	}
}

// VR-4: a month is signed when each of its days is, even when empty; it cannot be skipped, nor signed twice.
func TestMonthIsSigned(t *testing.T) {
	c := newCounter(t)
	c.clock(20, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // the log begins on 20 November
	c.at = time.Date(2027, 1, 5, 9, 0, 0, 0, c.site.Zone)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account}
	sign := func(month string, want error) {
		t.Helper()
		if err := p.SignMonth(t.Context(), archive, month, act); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", month, err, want)
		}
	}
	sign("2026-11", signoff.ErrMonth) // no day is
	sign("2027-01", signoff.ErrNotOver)
	sign("2026-10", web.ErrNotFound)
	sign("x", web.ErrNotFound)
	_, err := p.SignQuiet(t.Context(), archive, "2026-11-01", "2026-12-31", act)
	c.must(err)
	sign("2026-12", signoff.ErrMonth) // November is not signed
	sign("2026-11", signoff.ErrMonth) // the 20th has an entry
	c.sign("2026-11-20", signoff.Sign, chief, "", nil)
	sign("2026-11", nil)
	sign("2026-11", signoff.ErrSigned)
	sign("2026-12", nil)
	sign("2027-01", signoff.ErrNotOver)
	got, err := p.ReviewMonths(t.Context(), archive, "2026-04", "2027-03")
	if err != nil || len(got) != 2 || got["2026-12"].By != "chief" {
		t.Errorf("%v %v", got, err)
	}
	c.noNames("1002")
}

// VR-4, VR-11: a month with an addition after its signature is signed again once its days are done; the first signature stays on record, and the
// month after it keeps its own.
func TestMonthIsSignedAgain(t *testing.T) {
	c := newCounter(t)
	c.clock(30, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.at = time.Date(2027, 1, 5, 9, 0, 0, 0, c.site.Zone)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account}
	sign := func(month string, want error) {
		t.Helper()
		if err := p.SignMonth(t.Context(), archive, month, act); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", month, err, want)
		}
	}
	const day = "2026-11-30"
	c.sign(day, signoff.Sign, chief, "", nil)
	_, err := p.SignQuiet(t.Context(), archive, "2026-11-01", "2026-12-31", act)
	c.must(err)
	sign("2026-11", nil)
	sign("2026-12", nil)
	gw := c.pub.Site().Door(store1).Gateway
	c.received = act.At
	c.clock(30, 17, 0)
	c.record(gw, wire.Record{Door: store1, Side: access.SideExit, Event: door.EventExitUnattributed, Attempt: door.Attempt{0xbb}})
	c.at, c.received = act.At, time.Time{}
	c.stands(day, signoff.Additional)
	sign("2026-11", signoff.ErrMonth) // the addition waits
	sign("2026-12", signoff.ErrSigned)
	c.sign(day, signoff.Add, chief, "", nil)
	act.Actor = section.Account
	sign("2026-11", nil)
	sign("2026-11", signoff.ErrSigned)
	got, err := p.ReviewMonths(t.Context(), archive, "2026-11", "2026-12")
	c.must(err)
	if got["2026-11"].By != "section" || got["2026-12"].By != "chief" {
		t.Errorf("%v", got)
	}
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	sign("2026-11", signoff.ErrMonth)
	c.site.Read(func(r *store.ReadTx) error {
		acts, err := r.DayActs(string(archive), "2026-11", "2026-11")
		if len(acts) != 2 || acts[0].Account != chief.Account || acts[1].Account != section.Account || acts[1].Idx != got["2026-11"].Leaf {
			t.Errorf("%+v", acts)
		}
		return err
	})
}

// VR-4: a month is not signed while the one before waits again after its signature: else nobody would have to look at what came.
func TestChangedMonthIsNotSkipped(t *testing.T) {
	c := newCounter(t)
	c.clock(30, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.at = time.Date(2027, 1, 5, 9, 0, 0, 0, c.site.Zone)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account}
	sign := func(month string, want error) {
		t.Helper()
		if err := p.SignMonth(t.Context(), archive, month, act); !errors.Is(err, want) {
			t.Fatalf("%s: %v, want %v", month, err, want)
		}
	}
	const day = "2026-11-30"
	c.sign(day, signoff.Sign, chief, "", nil)
	_, err := p.SignQuiet(t.Context(), archive, "2026-11-01", "2026-12-31", act)
	c.must(err)
	sign("2026-11", nil)
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	sign("2026-12", signoff.ErrBefore)
	c.sign(day, signoff.Sign, chief, "", nil)
	sign("2026-12", signoff.ErrBefore) // each of its days is done, and the month is not
	sign("2026-11", nil)
	sign("2026-12", nil)
}

// VR-4, VR-12: a zone that comes to want two signatures signs on from there: the days of a month signed before, which one person signed, do not
// hold up the months after it. One that is acted on since does.
func TestTwoSignaturesFromNowOn(t *testing.T) {
	c := newCounter(t)
	c.clock(30, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.at = time.Date(2027, 1, 5, 9, 0, 0, 0, c.site.Zone)
	p := c.registers()
	act := web.Action{At: c.at, Actor: chief.Account, Reason: "二人で確認する"}
	const day = "2026-11-30"
	c.sign(day, signoff.Sign, chief, "", nil)
	_, err := p.SignQuiet(t.Context(), archive, "2026-11-01", "2026-12-31", act)
	c.must(err)
	c.must(p.SignMonth(t.Context(), archive, "2026-11", act))
	c.must(p.SetTwoSign(t.Context(), archive, true, []string{section.Account, chief.Account}, act))
	c.stands(day, signoff.Waiting)
	december := func(want error) {
		t.Helper()
		if err := p.SignMonth(t.Context(), archive, "2026-12", act); !errors.Is(err, want) {
			t.Fatalf("2026-12: %v, want %v", err, want)
		}
	}
	december(signoff.ErrMonth) // its own days wait
	by := act
	by.Actor = section.Account
	_, err = p.SignQuiet(t.Context(), archive, "2026-12-01", "2026-12-31", by)
	c.must(err)
	december(nil)
	c.sign("2026-12-31", signoff.Reopen, section, "誤って署名", nil)
	c.sign("2026-12-31", signoff.Sign, chief, "", nil)
	c.sign("2026-12-31", signoff.Countersign, section, "", nil)
	c.sign(day, signoff.Reopen, section, "誤って署名", nil)
	december(signoff.ErrBefore)
}
