package incident

import (
	"errors"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/visit"
)

func closedDays(t *testing.T) *calendar.Calendar {
	t.Helper()
	table, err := calendar.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	date := func(s string) calendar.Date {
		d, err := calendar.ParseDate(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	c := table.Calendar(date("2026-04-01"), date("2027-03-31"))
	return &c
}

// AL-5: the day of knowledge is day 1; what falls on a closed day is due on the next open one.
func TestBreachClock(t *testing.T) {
	closed := closedDays(t)
	for name, c := range map[string]struct {
		known  string
		attack bool
		want   [3]string
	}{
		"over the year's end":    {"2026-11-30", false, [3]string{"2026-12-02", "2026-12-04", "2027-01-04"}}, // day 30 is 29 December
		"an attack":              {"2026-11-30", true, [3]string{"2026-12-02", "2026-12-04", "2027-01-28"}},
		"on a Friday":            {"2026-11-20", false, [3]string{"2026-11-24", "2026-11-24", "2026-12-21"}}, // Sunday, holiday Monday, Tuesday; day 30 is Saturday 19
		"before the silver week": {"2026-09-17", false, [3]string{"2026-09-24", "2026-09-24", "2026-10-16"}}, // 22 September is a day between holidays
		"on a closed day":        {"2026-05-03", true, [3]string{"2026-05-07", "2026-05-07", "2026-07-01"}},
	} {
		known, err := calendar.ParseDate(c.known)
		if err != nil {
			t.Fatal(err)
		}
		d := Breach{known, c.attack}.Clock(closed)
		if got := [3]string{d.Preliminary.String(), d.PreliminaryLast.String(), d.Final.String()}; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// AL-4, AL-5: an incident has a class of three, a timeline to which is only added, and closes after both reports where personal data leaked.
func TestIncident(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 0, 0, 0, time.UTC).UnixMilli()
	by := visit.Actor{Account: "csirt"}
	good := Record{Class: Leak, Title: "媒体の紛失", KnownMS: now - 3_600_000, Personal: true}
	for name, c := range map[string]struct {
		change func(x *Record)
		want   error
	}{
		"no class":    {func(x *Record) { x.Class = 0 }, ErrClass},
		"class 4":     {func(x *Record) { x.Class = 4 }, ErrClass},
		"no title":    {func(x *Record) { x.Title = "" }, ErrNoText},
		"in future":   {func(x *Record) { x.KnownMS = now + 1 }, ErrTime},
		"no time":     {func(x *Record) { x.KnownMS = 0 }, ErrTime},
		"200 and one": {func(x *Record) { x.Findings = make([]int64, 201) }, ErrTooLong},
	} {
		x := good
		c.change(&x)
		if _, err := Begin(x, by, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	x, err := Begin(good, by, now)
	if err != nil {
		t.Fatal(err)
	}
	refuse := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	refuse("a line", x.Write(now-1000, "台帳にない", by, now), nil)
	refuse("an earlier line", x.Write(now-9_000_000, "棚を開けた", by, now), nil)
	refuse("in the future", x.Write(now+1, "x", by, now), ErrTime)
	refuse("nothing", x.Write(now, "", by, now), ErrNoText)
	if len(x.Timeline) != 2 || x.Timeline[0].Text != "棚を開けた" {
		t.Errorf("%+v", x.Timeline)
	}
	refuse("final first", x.Report(true, "x", by, now), ErrReported)
	refuse("close", x.Close("見つかった", by, now), ErrReports)
	refuse("preliminary", x.Report(false, "電話と書面", by, now), nil)
	refuse("again", x.Report(false, "x", by, now), ErrReported)
	refuse("close between", x.Close("見つかった", by, now), ErrReports)
	refuse("final", x.Report(true, "書面", by, now), nil)
	refuse("close", x.Close("見つかった", by, now), nil)
	for what, err := range map[string]error{"write": x.Write(now, "x", by, now), "judge": x.Judge(1, false, false, now, "x", by, now), "close": x.Close("x", by, now)} {
		refuse(what, err, ErrClosed)
	}
	if h := x.Head(); h.Open || h.State != "closed" {
		t.Errorf("%+v", h)
	}
	y, _ := Begin(good, by, now)
	refuse("judged", y.Judge(Outage, false, false, now, "個人情報はなかった", by, now), nil)
	if y.Personal || y.Class != Outage || len(y.Timeline) != 1 {
		t.Errorf("%+v", y)
	}
	refuse("no clock, no report", y.Report(false, "x", by, now), ErrReported)
	refuse("closed", y.Close("復旧した", by, now), nil)
}
