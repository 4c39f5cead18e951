package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/report"
	"monban/server/store"
	"monban/server/web"
)

// RR-1, PR-1: each morning the papers of the day before are made, unasked, for each zone where something happened: once, with a leaf each, for
// nobody's account alone. After a downtime those of three days; a run that was cut off makes none twice; one that fails is made later.
func TestDayPapers(t *testing.T) {
	c := newCounter(t)
	p := c.papers()
	var fail error
	var asked []string
	dp := &dayPapers{papers: p, zone: c.site.Zone, closed: func() calendar.Calendar { return closedOf(c.pub.Site().Directory()) }, build: func(_ context.Context, zone web.ZoneName, day calendar.Date, _ time.Time) (*report.Document, error) {
		asked = append(asked, string(zone.ID)+" "+day.String())
		d := &report.Document{Title: "日報", Tables: []report.Table{{Columns: []report.Column{{Head: "氏名"}}}}}
		if zone.ID == archive {
			d.Tables[0].Rows = [][]string{{"髙橋"}}
			if day.Day == 27 {
				return d, fail
			}
		}
		return d, nil
	}}
	morning := func(day int) (string, error) {
		t.Helper()
		return dp.make(t.Context(), c.clock(day, 6, 30))
	}
	papers := func() (out []string) {
		t.Helper()
		list, err := p.DayPapers(t.Context())
		c.must(err)
		for _, j := range list {
			if j.State == report.Done {
				out = append(out, j.Zone+" "+j.Query[strings.LastIndex(j.Query, "to=")+3:strings.LastIndex(j.Query, "to=")+13])
			}
		}
		return out
	}
	size := c.site.Store.Size()
	if note, err := morning(25); err != nil || !strings.HasPrefix(note, "1 made, ") || strings.Join(papers(), ",") != "media-store 2026-11-24" {
		t.Fatalf("%q, %v, %v", note, err, papers())
	}
	if n := c.site.Store.Size() - size; n != 1 {
		t.Errorf("%d leaves", n)
	}
	if strings.Contains(strings.Join(asked, ","), "2026-11-23") {
		t.Errorf("a new site asks for older days: %q", asked)
	}
	list, err := p.DayPapers(t.Context())
	c.must(err)
	if f, err := p.DayPaperFile(t.Context(), list[0].ID, 0); err != nil || !strings.Contains(string(f.Data), "髙橋") || f.Name != "day-media-store-20261124.html" {
		t.Errorf("%s, %v", f.Name, err)
	}
	for _, account := range []string{chief.Account, ""} { // it is in nobody's own list
		if _, err := p.ReportFile(t.Context(), account, list[0].ID, 0); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("%q: %v", account, err)
		}
	}
	if note, err := morning(25); err != nil || note != "0 made, 0 with nothing in them" || len(papers()) != 1 {
		t.Errorf("made twice: %q, %v", note, err)
	}
	// The server ended before it wrote down that the day is done.
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(dayPaperKey, "2026-11-23") }))
	if _, err := morning(25); err != nil || len(papers()) != 1 {
		t.Errorf("made twice after a run that was cut off: %v, %v", papers(), err)
	}
	// Away for a week: three days, and a paper that fails is tried again with those that are left.
	fail, asked = fmt.Errorf("no room"), nil
	if _, err := morning(29); err == nil || strings.Join(papers(), ",") != "media-store 2026-11-26" || strings.Contains(strings.Join(asked, ","), "11-25") {
		t.Fatalf("%v, %q, %v", papers(), asked, err)
	}
	fail = nil
	if _, err := morning(29); err != nil || len(papers()) != 3 {
		t.Errorf("%v, %v", papers(), err)
	}
	if _, err := morning(29); err != nil || len(papers()) != 3 {
		t.Errorf("made twice: %v, %v", papers(), err)
	}
	c.noNames("髙橋")
}

// RR-1, VR-11: a paper lies there on the next open day, until its evening, also one of before the Golden Week; and on one after it no longer. More zones than
// an account may have reports do not fail the job, and leave each account what it may have.
func TestDayPapersOverClosedDays(t *testing.T) {
	c := newCounter(t)
	p := c.papers()
	closed := calendar.Calendar{}
	dp := &dayPapers{papers: p, zone: c.site.Zone, closed: func() calendar.Calendar { return closed }, build: func(context.Context, web.ZoneName, calendar.Date, time.Time) (*report.Document, error) {
		return &report.Document{Title: "日報", Tables: []report.Table{{Columns: []report.Column{{Head: "氏名"}}, Rows: [][]string{{"髙橋"}}}}}, nil
	}}
	zones, err := p.RegisterZones(t.Context())
	c.must(err)
	at := func(month time.Month, day, hour, minute int) {
		c.at = time.Date(2026, month, day, hour, minute, 0, 0, c.site.Zone)
	}
	has := func(day string, want bool) {
		t.Helper()
		list, err := p.DayPapers(t.Context())
		c.must(err)
		n := 0
		for _, j := range list {
			if j.State == report.Done && strings.HasSuffix(j.Query, "to="+day+"&zone=media-store") || strings.Contains(j.Query, "to="+day+"&") && j.State == report.Done {
				n++
			}
		}
		if want && n != len(zones) || !want && n != 0 {
			t.Errorf("%s: %d papers of %s", c.at.Format(time.DateTime), n, day)
		}
	}
	morning := func(month time.Month, day int) {
		t.Helper()
		at(month, day, 6, 30)
		_, err := dp.make(t.Context(), c.at)
		c.must(err)
	}
	for day := 28; day <= 30; day++ { // Saturday to Monday
		morning(11, day)
	}
	has("2026-11-27", true)
	at(11, 30, 23, 59)
	has("2026-11-27", true)
	at(12, 1, 0, 0)
	has("2026-11-27", false)
	morning(12, 1)
	has("2026-11-29", false)
	has("2026-11-30", true)

	var days []calendar.ClosedDay
	for day := 29; day <= 29+7; day++ { // 29 April to 6 May
		days = append(days, calendar.ClosedDay{Date: calendar.Date{Year: 2026, Month: 4, Day: 1}.AddDays(day - 1), Kind: calendar.OwnClosed, Name: "休"})
	}
	closed = calendar.NewCalendar(days...)
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(dayPaperKey, "2026-04-27") }))
	for day := 29; day <= 30+7; day++ {
		d := calendar.Date{Year: 2026, Month: 4, Day: 1}.AddDays(day - 1)
		morning(d.Month, d.Day)
	}
	at(5, 7, 17, 15)
	has("2026-04-28", true)
	has("2026-05-06", true)
}
