package calendar

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func at(t testing.TB, s string, loc *time.Location) time.Time {
	t.Helper()
	got, err := time.ParseInLocation("2006-01-02 15:04:05", s, loc)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func hm(h, m int) int { return h*3600 + m*60 }

// AD-5: weekdays, holidays, year end, the second, the excluded end.
func TestScheduleAtTheSecond(t *testing.T) {
	tokyo := location(t, "Asia/Tokyo")
	c := builtIn(t).Calendar(day(t, "2026-01-01"), day(t, "2028-12-31"))
	office := Schedule{Windows: []Window{{Weekdays, hm(8, 30), hm(17, 15)}}}
	holidays := Schedule{Windows: []Window{{ClosedDays, hm(10, 0), hm(12, 0)}}}
	weekend := Schedule{Windows: []Window{{Saturday | Sunday, 0, secondsPerDay}}}
	always := Schedule{Windows: []Window{{EveryDay, 0, secondsPerDay}}}
	for _, tt := range []struct {
		name string
		s    Schedule
		when string
		want bool
	}{
		{"office", office, "2026-11-24 08:29:59.999999999", false},
		{"office", office, "2026-11-24 08:30:00", true},
		{"office", office, "2026-11-24 17:14:59.999999999", true},
		{"office", office, "2026-11-24 17:15:00", false},
		{"office", office, "2026-11-23 10:00:00", false}, // 勤労感謝の日, a Monday
		{"office", office, "2026-09-22 10:00:00", false}, // 国民の休日
		{"office", office, "2026-05-06 10:00:00", false}, // 振替休日
		{"office", office, "2026-12-29 10:00:00", false}, // 年末年始
		{"office", office, "2026-12-28 10:00:00", true},
		{"office", office, "2027-01-04 10:00:00", true},
		{"office", office, "2026-11-21 10:00:00", false}, // Saturday
		{"office", office, "2028-02-29 10:00:00", true},  // leap day, a Tuesday
		{"holidays", holidays, "2026-11-23 10:00:00", true},
		{"holidays", holidays, "2026-11-23 12:00:00", false},
		{"holidays", holidays, "2026-11-24 10:00:00", false},
		{"holidays", holidays, "2026-11-22 10:00:00", false}, // a plain Sunday
		{"holidays", holidays, "2026-05-03 10:00:00", true},  // a holiday on a Sunday
		{"weekend", weekend, "2026-11-22 00:00:00", true},
		{"weekend", weekend, "2026-11-20 23:59:59.999999999", false},
		{"weekend", weekend, "2026-11-22 23:59:59.999999999", true},
		{"weekend", weekend, "2026-11-23 00:00:00", false},
		{"weekend", weekend, "2026-05-03 10:00:00", false}, // closed counts, not Sunday
		{"always", always, "2026-05-03 10:00:00", true},
		{"always", always, "2026-12-31 23:59:59", true},
		{"none", Schedule{}, "2026-11-24 10:00:00", false},                                   // I9
		{"no day", Schedule{Windows: []Window{{0, 0, 86400}}}, "2026-11-24 10:00:00", false}, // I9
	} {
		if got := tt.s.Contains(&c, at(t, tt.when, tokyo), tokyo); got != tt.want {
			t.Errorf("%s %s: %v", tt.name, tt.when, got)
		}
	}
	if always.Contains(&c, at(t, "2026-11-24 10:00:00", tokyo), nil) {
		t.Error("no location, no right")
	}
	if !office.Contains(nil, at(t, "2026-11-23 10:00:00", tokyo), tokyo) {
		t.Error("without a calendar no day is closed")
	}
}

// A window over midnight belongs to the day on which it begins, also into and out of a holiday.
func TestWindowsOverMidnight(t *testing.T) {
	tokyo := location(t, "Asia/Tokyo")
	c := builtIn(t).Calendar(day(t, "2026-01-01"), day(t, "2027-12-31"))
	night := Schedule{Windows: []Window{{Weekdays, hm(22, 0), hm(5, 0)}}}
	sunday := Schedule{Windows: []Window{{Sunday, hm(22, 0), hm(5, 0)}}}
	closed := Schedule{Windows: []Window{{ClosedDays, hm(22, 0), hm(5, 0)}}}
	full := Schedule{Windows: []Window{{Friday, hm(8, 0), hm(8, 0)}}} // 24 hours
	for _, tt := range []struct {
		name string
		s    Schedule
		when string
		want bool
	}{
		{"night", night, "2026-11-24 22:00:00", true}, {"night", night, "2026-11-25 04:59:59", true}, {"night", night, "2026-11-25 05:00:00", false},
		{"night", night, "2026-11-24 21:59:59", false},
		{"night", night, "2026-11-24 03:00:00", false},   // would have begun on Monday, the holiday
		{"night", night, "2026-11-20 23:00:00", true},    // Friday
		{"night", night, "2026-11-21 03:00:00", true},    // of Friday
		{"night", night, "2026-11-21 23:00:00", false},   // Saturday
		{"night", night, "2026-11-23 03:00:00", false},   // of Sunday
		{"sunday", sunday, "2026-11-23 03:00:00", true},  // Sunday's goes on into the holiday
		{"sunday", sunday, "2026-11-23 22:00:00", false}, // the holiday is a Monday
		{"closed", closed, "2026-11-23 22:00:00", true},
		{"closed", closed, "2026-11-24 04:59:59", true}, // goes on into the open day
		{"closed", closed, "2026-11-23 04:00:00", false},
		{"closed", closed, "2027-01-04 04:00:00", true}, // of 3 January
		{"full", full, "2026-11-20 08:00:00", true}, {"full", full, "2026-11-21 07:59:59", true}, {"full", full, "2026-11-21 08:00:00", false}, {"full", full, "2026-11-20 07:59:59", false},
	} {
		if got := tt.s.Contains(&c, at(t, tt.when, tokyo), tokyo); got != tt.want {
			t.Errorf("%s %s: %v", tt.name, tt.when, got)
		}
	}
}

// AD-5, AD-6: date ranges and exceptions, both borders included; a fiscal year ends at midnight.
func TestDatesOfASchedule(t *testing.T) {
	tokyo := location(t, "Asia/Tokyo")
	s := Schedule{
		Windows: []Window{{EveryDay, hm(6, 0), hm(2, 0)}},
		From:    day(t, "2026-04-01"), Until: day(t, "2027-03-31"),
		Exceptions: []Exception{{Date: day(t, "2026-08-01")}, {Date: day(t, "2027-04-10"), Windows: []Window{{From: hm(9, 0), To: hm(10, 0)}}}},
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	for when, want := range map[string]bool{
		"2026-04-01 01:59:59": false, "2026-04-01 06:00:00": true, "2027-03-31 23:59:59": true, "2027-04-01 01:59:59": true, "2027-04-01 02:00:00": false, "2027-04-01 06:00:00": false,
		"2026-08-01 01:00:00": true, "2026-08-01 12:00:00": false, "2026-08-02 01:00:00": false, "2026-08-02 06:00:00": true,
		"2027-04-10 08:59:59": false, "2027-04-10 09:00:00": true, "2027-04-10 10:00:00": false, "2027-04-11 09:00:00": false,
	} {
		if got := s.Contains(nil, at(t, when, tokyo), tokyo); got != want {
			t.Errorf("%s: %v", when, got)
		}
	}
	days := Schedule{Windows: []Window{{EveryDay, 0, secondsPerDay}}, Until: FiscalYear(2026).End()}
	if !days.Contains(nil, at(t, "2027-03-31 23:59:59", tokyo), tokyo) || days.Contains(nil, at(t, "2027-04-01 00:00:00", tokyo), tokyo) {
		t.Error("the end of the fiscal year")
	}
}

// The wall clock counts: a skipped hour never comes, a repeated one comes twice.
func TestSummerTime(t *testing.T) {
	for _, tt := range []struct {
		zone       string
		from, to   int
		when       string // UTC
		want       bool
		whatIsThis string
	}{
		{"Europe/Berlin", hm(2, 30), hm(3, 30), "2026-03-29 00:59:59", false, "01:59:59 before the gap"},
		{"Europe/Berlin", hm(2, 30), hm(3, 30), "2026-03-29 01:00:00", true, "03:00 after the gap"},
		{"Europe/Berlin", hm(2, 30), hm(3, 30), "2026-03-29 01:30:00", false, "03:30"},
		{"Europe/Berlin", hm(2, 0), hm(3, 0), "2026-03-29 01:00:00", false, "the hour that never comes"},
		{"Europe/Berlin", hm(2, 0), hm(3, 0), "2026-10-25 00:00:00", true, "02:00, the first"},
		{"Europe/Berlin", hm(2, 0), hm(3, 0), "2026-10-25 01:59:59", true, "02:59:59, the second"},
		{"Europe/Berlin", hm(2, 0), hm(3, 0), "2026-10-25 02:00:00", false, "03:00"},
		{"Europe/Berlin", hm(2, 30), hm(4, 0), "2026-10-25 01:15:00", false, "02:15, the second"},
		{"Europe/Berlin", hm(8, 0), hm(17, 0), "2026-10-24 06:00:00", true, "08:00 in summer"},
		{"Europe/Berlin", hm(8, 0), hm(17, 0), "2026-10-25 06:00:00", false, "07:00 in winter"},
		{"America/New_York", hm(22, 0), hm(2, 30), "2026-11-01 05:30:00", true, "01:30, the first"},
		{"America/New_York", hm(22, 0), hm(2, 30), "2026-11-01 06:30:00", true, "01:30, the second"},
		{"America/New_York", hm(22, 0), hm(2, 30), "2026-11-01 07:30:00", false, "02:30"},
		{"America/New_York", hm(22, 0), hm(2, 30), "2026-03-08 06:59:59", true, "01:59:59"},
		{"America/New_York", hm(22, 0), hm(2, 30), "2026-03-08 07:00:00", false, "03:00"},
	} {
		s := Schedule{Windows: []Window{{EveryDay, tt.from, tt.to}}}
		if got := s.Contains(nil, at(t, tt.when, time.UTC), location(t, tt.zone)); got != tt.want {
			t.Errorf("%s %s (%s): %v", tt.zone, tt.when, tt.whatIsThis, got)
		}
	}
}

func drawSchedule(t *rapid.T, around Date) Schedule {
	second := rapid.OneOf(rapid.SampledFrom([]int{0, 1, hm(2, 0), hm(2, 30), hm(3, 0), hm(23, 0), secondsPerDay - 1}), rapid.IntRange(0, secondsPerDay-1))
	window := func(days Days) Window {
		return Window{days, second.Draw(t, "from"), second.Draw(t, "to") + 1}
	}
	var s Schedule
	for range rapid.IntRange(0, 3).Draw(t, "windows") {
		s.Windows = append(s.Windows, window(Days(rapid.IntRange(1, 255).Draw(t, "days"))))
	}
	near := func(what string) Date { return around.AddDays(rapid.IntRange(-3, 10).Draw(t, what)) }
	if rapid.Bool().Draw(t, "has from") {
		s.From = near("from")
	}
	if rapid.Bool().Draw(t, "has until") {
		s.Until = near("until")
		if s.Until.Before(s.From) {
			s.Until = s.From
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "exceptions") {
		e := Exception{Date: around.AddDays(2 + i*rapid.IntRange(1, 3).Draw(t, "apart"))}
		for range rapid.IntRange(0, 2).Draw(t, "exception windows") {
			e.Windows = append(e.Windows, window(0))
		}
		s.Exceptions = append(s.Exceptions, e)
	}
	return s
}

// Compile lists exactly the instants that Contains accepts, in every zone, over every change.
func TestCompileIsContains(t *testing.T) {
	zones := []*time.Location{location(t, "Asia/Tokyo"), location(t, "Europe/Berlin"), location(t, "America/New_York"),
		location(t, "America/Sao_Paulo"), location(t, "Australia/Lord_Howe"), location(t, "Pacific/Apia"), time.UTC, time.FixedZone("x", 20700)}
	starts := []string{"2026-03-27", "2026-10-23", "2026-11-20", "2026-03-07", "2026-10-31", "2018-11-02", "2018-02-16", "2011-12-28", "2026-04-03", "2026-05-02", "2026-12-27"}
	held := 0
	rapid.Check(t, func(t *rapid.T) {
		loc := rapid.SampledFrom(zones).Draw(t, "zone")
		first, err := ParseDate(rapid.SampledFrom(starts).Draw(t, "start"))
		if err != nil {
			t.Fatal(err)
		}
		s := drawSchedule(t, first)
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		c := NewCalendar(ClosedDay{first.AddDays(1), OwnClosed, ""}, ClosedDay{first.AddDays(4), OwnClosed, ""})
		from := first.Start(loc).Add(time.Duration(rapid.IntRange(0, secondsPerDay).Draw(t, "offset")) * time.Second)
		to := from.AddDate(0, 0, 7)
		spans, err := Compile(&s, &c, loc, from, to)
		if err != nil {
			t.Fatal(err)
		}
		for i, span := range spans {
			if span.StartMS >= span.EndMS || i > 0 && span.StartMS <= spans[i-1].EndMS || span.StartMS < from.UnixMilli() || span.EndMS > to.UnixMilli() {
				t.Fatalf("span %d of %v", i, spans)
			}
		}
		probe := func(ms int64) {
			in := ms >= from.UnixMilli() && ms < to.UnixMilli() && s.Contains(&c, time.UnixMilli(ms), loc)
			if got := ContainsMS(spans, ms); got != in {
				t.Fatalf("%s: compiled %v, Contains %v", time.UnixMilli(ms).In(loc), got, in)
			}
			if in {
				held++
			}
		}
		for _, span := range spans {
			probe(span.StartMS - 1)
			probe(span.StartMS)
			probe(span.EndMS - 1)
			probe(span.EndMS)
		}
		for at := from; at.Before(to); at = at.Add(30 * time.Minute) {
			probe(at.UnixMilli())
			probe(at.UnixMilli() - 1)
		}
		for range 20 {
			probe(from.UnixMilli() + rapid.Int64Range(-1e6, 8*86400*1000).Draw(t, "at"))
		}
		// NextChange: nothing changes before it, and it is a change.
		now := from.Add(time.Duration(rapid.Int64Range(0, 3*86400*1e9).Draw(t, "now")))
		next, ok := s.NextChange(&c, now, loc)
		state := s.Contains(&c, now, loc)
		if ok && (!next.After(now) || s.Contains(&c, next, loc) == state || s.Contains(&c, next.Add(-time.Millisecond), loc) != state) {
			t.Fatalf("next change after %s: %s", now.In(loc), next)
		}
		until := next
		if !ok {
			until = now.AddDate(0, 0, 20)
		}
		for at, n := now, 0; at.Before(until) && n < 500; at, n = at.Add(7*time.Minute), n+1 {
			if s.Contains(&c, at, loc) != state {
				t.Fatalf("changes at %s, before %s %v", at.In(loc), next, ok)
			}
		}
	})
	if held == 0 {
		t.Error("no schedule ever held: the test tests nothing")
	}
}

func TestCompileRefuses(t *testing.T) {
	s := Schedule{Windows: []Window{{EveryDay, 0, secondsPerDay}}}
	now := at(t, "2026-11-24 10:00:00", time.UTC)
	if _, err := Compile(&s, nil, nil, now, now.Add(time.Hour)); err == nil {
		t.Error("no location")
	}
	if _, err := Compile(&s, nil, time.UTC, now, now.Add(-1)); err == nil {
		t.Error("backwards")
	}
	if _, err := Compile(&s, nil, time.UTC, now, now.AddDate(101, 0, 0)); err == nil {
		t.Error("too long")
	}
	if _, ok := s.NextChange(nil, now, time.UTC); ok {
		t.Error("always has no change")
	}
	if _, ok := (&Schedule{}).NextChange(nil, now, time.UTC); ok {
		t.Error("never has no change")
	}
	far := Schedule{Exceptions: []Exception{{Date{2033, 5, 6}, []Window{{From: 60, To: 120}}}}}
	if got, ok := far.NextChange(nil, now, time.UTC); !ok || !got.Equal(at(t, "2033-05-06 00:01:00", time.UTC)) {
		t.Errorf("%s %v", got, ok)
	}
}

func TestScheduleValidate(t *testing.T) {
	window := func(w Window) Schedule { return Schedule{Windows: []Window{w}} }
	for name, s := range map[string]Schedule{
		"no days":           window(Window{0, 0, 60}),
		"negative":          window(Window{Monday, -1, 60}),
		"from 24:00":        window(Window{Monday, secondsPerDay, 60}),
		"to 0":              window(Window{Monday, 5, 0}),
		"to 24:00:01":       window(Window{Monday, 5, secondsPerDay + 1}),
		"from no such day":  {From: Date{2026, 2, 30}},
		"until no such day": {Until: Date{2026, 13, 1}},
		"until before from": {From: Date{2026, 4, 1}, Until: Date{2026, 3, 31}},
		"exception date":    {Exceptions: []Exception{{}}},
		"exception twice":   {Exceptions: []Exception{{Date: Date{2026, 4, 1}}, {Date: Date{2026, 4, 1}}}},
		"exception days":    {Exceptions: []Exception{{Date{2026, 4, 1}, []Window{{Monday, 0, 60}}}}},
		"exception window":  {Exceptions: []Exception{{Date{2026, 4, 1}, []Window{{0, 0, 0}}}}},
	} {
		if s.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	both := Schedule{Windows: []Window{{0, 0, 60}, {Monday, -1, 60}}}
	if err := both.Validate(); err == nil || strings.Count(err.Error(), "window") != 2 {
		t.Errorf("faults are not all told: %v", err)
	}
}

// The form that policies carry.
func TestJSON(t *testing.T) {
	s := Schedule{Windows: []Window{{Weekdays, hm(8, 30), hm(17, 15)}}, Until: Date{2027, 3, 31}, Exceptions: []Exception{{Date: Date{2026, 12, 28}}}}
	c := NewCalendar(ClosedDay{Date{2026, 11, 23}, NationalHoliday, "勤労感謝の日"}, ClosedDay{Date{2026, 12, 29}, YearEnd, ""})
	for _, tt := range []struct {
		v    any
		want string
	}{
		{s, `{"windows":[{"days":31,"from":30600,"to":62100}],"until":"2027-03-31","exceptions":[{"date":"2026-12-28"}]}`},
		{c, `{"closed":[{"date":"2026-11-23","kind":"national_holiday","name":"勤労感謝の日"},{"date":"2026-12-29","kind":"year_end"}]}`},
	} {
		got, err := json.Marshal(tt.v)
		if err != nil || string(got) != tt.want {
			t.Errorf("got  %s (%v)\nwant %s", got, err, tt.want)
		}
	}
	var s2 Schedule
	var c2 Calendar
	for v, out := range map[string]any{`{"windows":[{"days":31,"from":30600,"to":62100}],"until":"2027-03-31","exceptions":[{"date":"2026-12-28"}]}`: &s2,
		`{"closed":[{"date":"2026-11-23","kind":"national_holiday","name":"勤労感謝の日"},{"date":"2026-12-29","kind":"year_end"}]}`: &c2} {
		if err := json.Unmarshal([]byte(v), out); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff(s, s2) + cmp.Diff(c, c2); d != "" {
		t.Error(d)
	}
	for _, bad := range []string{`{"closed":[{"date":"2026-02-29","kind":"year_end"}]}`, `{"closed":[{"date":"2026-02-28","kind":"holiday"}]}`} {
		if json.Unmarshal([]byte(bad), &c2) == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func TestContainsDoesNotAllocate(t *testing.T) {
	tokyo := location(t, "Asia/Tokyo")
	c := builtIn(t).Calendar(day(t, "2000-01-01"), day(t, "2050-12-31"))
	s := Schedule{Windows: []Window{{Weekdays, hm(8, 30), hm(17, 15)}, {Saturday, hm(22, 0), hm(4, 0)}}}
	when, held := at(t, "2026-11-24 10:00:00", tokyo), true
	if n := testing.AllocsPerRun(100, func() { held = held && s.Contains(&c, when, tokyo) }); n != 0 || !held {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkContains(b *testing.B) {
	tokyo := location(b, "Asia/Tokyo")
	c := builtIn(b).Calendar(day(b, "2000-01-01"), day(b, "2050-12-31"))
	s := Schedule{Windows: []Window{{Weekdays, hm(8, 30), hm(17, 15)}}}
	when := at(b, "2026-11-24 10:00:00", tokyo)
	b.ReportAllocs()
	for b.Loop() {
		s.Contains(&c, when, tokyo)
	}
}
