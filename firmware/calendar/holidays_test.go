package calendar

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func day(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func builtIn(t testing.TB) Table {
	t.Helper()
	table, err := BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// lawHolidays computes a year's holidays from 国民の祝日に関する法律 as amended (and the special laws for
// 2019–2021), independently of the table. Equinox days by the usual approximation, good for 1980–2099.
func lawHolidays(y int) map[Date]ClosedDay {
	out := map[Date]ClosedDay{}
	add := func(m time.Month, d int, name string) {
		out[Date{y, m, d}] = ClosedDay{Date{y, m, d}, NationalHoliday, name}
	}
	monday := func(m time.Month, nth int) int {
		first := Date{y, m, 1}
		return 1 + (int(time.Monday-first.Weekday())+7)%7 + 7*(nth-1)
	}
	equinox := func(base float64) int {
		n := float64(y - 1980)
		return int(math.Floor(base + 0.242194*n - math.Floor(n/4)))
	}
	pick := func(years map[int]int, d int) int {
		if special, ok := years[y]; ok {
			return special
		}
		return d
	}
	add(1, 1, "元日")
	add(1, monday(1, 2), "成人の日")
	add(2, 11, "建国記念の日")
	add(3, equinox(20.8431), "春分の日")
	if y < 2007 {
		add(4, 29, "みどりの日")
	} else {
		add(4, 29, "昭和の日")
		add(5, 4, "みどりの日")
	}
	add(5, 3, "憲法記念日")
	add(5, 5, "こどもの日")
	marine, aged := monday(7, 3), monday(9, 3)
	if y < 2003 {
		marine, aged = 20, 15
	}
	add(7, pick(map[int]int{2020: 23, 2021: 22}, marine), "海の日")
	if y >= 2016 {
		add(8, pick(map[int]int{2020: 10, 2021: 8}, 11), "山の日")
	}
	add(9, aged, "敬老の日")
	add(9, equinox(23.2488), "秋分の日")
	switch {
	case y < 2020:
		add(10, monday(10, 2), "体育の日")
	case y == 2020:
		add(7, 24, "スポーツの日")
	case y == 2021:
		add(7, 23, "スポーツの日")
	default:
		add(10, monday(10, 2), "スポーツの日")
	}
	add(11, 3, "文化の日")
	add(11, 23, "勤労感謝の日")
	switch {
	case y < 2019:
		add(12, 23, "天皇誕生日")
	case y == 2019:
		add(5, 1, "天皇の即位の日")
		add(10, 22, "即位礼正殿の儀の行われる日")
	default:
		add(2, 23, "天皇誕生日")
	}

	var extra []ClosedDay
	substitutes := map[Date]bool{}
	for d := range out {
		if d.Weekday() != time.Sunday {
			continue
		}
		next := d.AddDays(1)
		for _, taken := out[next]; taken; _, taken = out[next] {
			if y < 2007 {
				break // then a Monday that was a holiday itself gave no other day
			}
			next = next.AddDays(1)
		}
		if _, taken := out[next]; !taken {
			extra = append(extra, ClosedDay{next, Substitute, "振替休日"})
			substitutes[next] = true
		}
	}
	for d := (Date{y, 1, 2}); d.Year == y; d = d.AddDays(1) {
		_, before := out[d.AddDays(-1)]
		_, itself := out[d]
		_, after := out[d.AddDays(1)]
		if before && after && !itself && !substitutes[d] && (d.Weekday() != time.Sunday || y >= 2007) {
			extra = append(extra, ClosedDay{d, CitizensHoliday, "国民の休日"})
		}
	}
	for _, e := range extra {
		out[e.Date] = e
	}
	return out
}

// AD-5: every holiday of 2000–2050, its kind and name, against the law.
func TestBuiltInFollowsTheLaw(t *testing.T) {
	table := builtIn(t)
	c := Calendar{table.Days}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for y := 2000; y <= 2050; y++ {
		law := lawHolidays(y)
		n += len(law)
		for d := (Date{y, 1, 1}); d.Year == y; d = d.AddDays(1) {
			got, _ := c.Find(d)
			if want := law[d]; got != want {
				t.Errorf("%s: %+v, want %+v", d, got, want)
			}
		}
	}
	if n != len(table.Days) || n != 895 {
		t.Errorf("%d days in the table, %d by the law", len(table.Days), n)
	}
	if table.From != (Date{2000, 1, 1}) || table.Through != (Date{2050, 12, 31}) {
		t.Errorf("covers %s to %s", table.From, table.Through)
	}
}

// OP-2: whether the next fiscal year is covered.
func TestCovers(t *testing.T) {
	table := builtIn(t)
	for y, want := range map[FiscalYear]bool{1999: false, 2000: true, 2026: true, 2049: true, 2050: false, 2051: false} {
		if got := table.Covers(y); got != want {
			t.Errorf("%d: %v", y, got)
		}
	}
	if (Table{}).Covers(2026) {
		t.Error("an empty table covers nothing")
	}
}

// AD-5: the dates that the requirements name, and the days around them.
func TestClosedDays(t *testing.T) {
	c := builtIn(t).Calendar(day(t, "2018-01-01"), day(t, "2032-12-31"), ClosedDay{day(t, "2026-10-30"), OwnClosed, "市制記念日"})
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]Kind{
		"2026-11-23": NationalHoliday, "2026-11-24": Open, "2026-11-22": Open, // a Sunday is not listed
		"2026-09-21": NationalHoliday, "2026-09-22": CitizensHoliday, "2026-09-23": NationalHoliday, "2026-09-24": Open,
		"2026-05-03": NationalHoliday, "2026-05-04": NationalHoliday, "2026-05-05": NationalHoliday, "2026-05-06": Substitute, "2026-05-07": Open,
		"2026-12-28": Open, "2026-12-29": YearEnd, "2026-12-31": YearEnd, "2027-01-01": NationalHoliday, "2027-01-02": YearEnd, "2027-01-03": YearEnd, "2027-01-04": Open,
		"2023-01-02": Substitute, "2023-01-03": YearEnd, // New Year's Day on a Sunday
		"2019-04-29": NationalHoliday, "2019-04-30": CitizensHoliday, "2019-05-01": NationalHoliday, "2019-05-02": CitizensHoliday, "2019-05-06": Substitute, "2019-05-07": Open,
		"2020-05-06": Substitute, "2032-09-21": CitizensHoliday, "2026-10-30": OwnClosed,
		"2024-02-29": Open, "2028-02-29": Open, "2027-02-23": NationalHoliday,
	} {
		kind, closed := c.IsClosed(day(t, s))
		if kind != want || closed != (want != Open) {
			t.Errorf("%s: %v %v, want %v", s, kind, closed, want)
		}
	}
	if d, _ := c.Find(day(t, "2026-11-23")); d.Name != "勤労感謝の日" {
		t.Error(d.Name)
	}
}

// The breach clock of the requirements: known on 2026-11-30 (day 1), day 30 is closed, due 2027-01-04.
func TestDueDate(t *testing.T) {
	c := builtIn(t).Calendar(day(t, "2026-01-01"), day(t, "2028-12-31"))
	for _, tt := range []struct {
		first string
		n     int
		want  string
	}{
		{"2026-11-30", 30, "2027-01-04"}, {"2026-11-30", 1, "2026-11-30"}, {"2026-11-29", 1, "2026-11-30"},
		{"2026-11-29", 30, "2026-12-28"}, {"2026-11-19", 3, "2026-11-24"}, {"2026-04-29", 5, "2026-05-07"},
	} {
		if got := c.DueDate(day(t, tt.first), tt.n); got.String() != tt.want {
			t.Errorf("%d days from %s: %s, want %s", tt.n, tt.first, got, tt.want)
		}
	}
	var never Calendar
	for d := day(t, "2000-01-01"); d.Year < 2012; d = d.AddDays(1) {
		never.Closed = append(never.Closed, ClosedDay{d, OwnClosed, ""})
	}
	if got := never.NextBusinessDay(day(t, "2001-01-01")); !got.IsZero() {
		t.Error("a business day in a closed decade:", got)
	}
}

// AL-2: 2026-11-24 opens at 08:30:00 and closes at 17:15:00, the end excluded; the day before is closed.
func TestBusinessHours(t *testing.T) {
	tokyo := location(t, "Asia/Tokyo")
	c := builtIn(t).Calendar(day(t, "2026-01-01"), day(t, "2027-12-31"))
	h := Hours{8*3600 + 30*60, 17*3600 + 15*60}
	for s, want := range map[string]bool{
		"2026-11-24 08:29:59.999": false, "2026-11-24 08:30:00": true, "2026-11-24 17:14:59.999": true, "2026-11-24 17:15:00": false,
		"2026-11-23 10:00:00": false, "2026-11-22 10:00:00": false, "2026-11-21 10:00:00": false, "2026-11-20 10:00:00": true,
		"2026-09-22 10:00:00": false, "2026-05-06 10:00:00": false, "2026-12-29 10:00:00": false, "2026-12-28 10:00:00": true, "2027-01-04 10:00:00": true,
	} {
		if got := c.InHours(h, at(t, s, tokyo), tokyo); got != want {
			t.Errorf("%s: %v", s, got)
		}
		if got := c.InHours(h, at(t, s, tokyo).UTC(), tokyo); got != want {
			t.Errorf("%s as UTC: %v", s, got)
		}
	}
	if c.InHours(Hours{}, at(t, "2026-11-24 00:00:00", tokyo), tokyo) {
		t.Error("no hours are never open")
	}
}

func TestCalendarValidate(t *testing.T) {
	good := ClosedDay{Date{2026, 1, 1}, NationalHoliday, "元日"}
	for name, c := range map[string]Calendar{
		"no such day": {[]ClosedDay{{Date{2026, 2, 29}, OwnClosed, ""}}},
		"zero day":    {[]ClosedDay{{Date{}, OwnClosed, ""}}},
		"open":        {[]ClosedDay{{Date: Date{2026, 1, 1}}}},
		"kind":        {[]ClosedDay{{Date{2026, 1, 1}, 6, ""}}},
		"twice":       {[]ClosedDay{good, good}},
		"order":       {[]ClosedDay{good, {Date{2025, 1, 1}, OwnClosed, ""}}},
	} {
		if c.Validate() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	c := NewCalendar(ClosedDay{Date{2026, 1, 2}, YearEnd, ""}, good, ClosedDay{Date{2026, 1, 1}, YearEnd, ""})
	if err := c.Validate(); err != nil || len(c.Closed) != 2 || c.Closed[0] != good {
		t.Errorf("%v, %v", c, err)
	}
}

// cabinetText writes a table as the Cabinet Office does.
func cabinetText(days []ClosedDay) string {
	var b strings.Builder
	b.WriteString("国民の祝日・休日月日,国民の祝日・休日名称\r\n")
	for _, d := range days {
		name := d.Name
		if d.Kind != NationalHoliday {
			name = "休日"
		}
		fmt.Fprintf(&b, "%d/%d/%d,%s\r\n", d.Date.Year, int(d.Date.Month), d.Date.Day, name)
	}
	return b.String()
}

// What the file calls 休日 is told apart by the days around: all of 2000–2050 come back as they were.
func TestImportRoundTrip(t *testing.T) {
	want := builtIn(t)
	for _, text := range []string{cabinetText(want.Days), "\ufeff" + strings.ReplaceAll(cabinetText(want.Days), "\r", "") + ",\n\n"} {
		got, err := ImportCabinetOffice(text)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Days, want.Days) || got.From != want.From || got.Through != want.Through {
			for i := range got.Days {
				if got.Days[i] != want.Days[i] {
					t.Fatalf("%v, want %v", got.Days[i], want.Days[i])
				}
			}
			t.Fatal("tables differ")
		}
	}
	// 1998-05-04 was a substitute although between two holidays: 3 May was a Sunday.
	got, err := ImportCabinetOffice("国民の祝日・休日月日,名称\n1998/5/3,憲法記念日\n1998/5/4,休日\n1998/5/5,こどもの日\n1998/4/29,みどりの日\n")
	if err != nil || got.Days[2].Kind != Substitute || got.Days[0].Name != "みどりの日" {
		t.Errorf("%v, %v", got.Days, err)
	}
}

// An import wins over the built-in table in all years it covers, and nowhere else.
func TestImportWins(t *testing.T) {
	imported, err := ImportCabinetOffice("国民の祝日・休日月日,国民の祝日・休日名称\r\n2030/1/1,元日\r\n2031/6/1,新しい祝日\r\n")
	if err != nil {
		t.Fatal(err)
	}
	both := builtIn(t).Override(imported)
	c := both.Calendar(day(t, "2029-01-01"), day(t, "2032-12-31"))
	for s, want := range map[string]bool{"2029-11-23": true, "2030-11-23": false, "2031-06-01": true, "2031-05-03": false, "2032-11-23": true, "2030-12-29": true} {
		if _, closed := c.IsClosed(day(t, s)); closed != want {
			t.Errorf("%s: closed %v", s, closed)
		}
	}
	if both.From.Year != 2000 || both.Through.Year != 2050 {
		t.Errorf("covers %s to %s", both.From, both.Through)
	}
	if got := (Table{}).Override(imported); !slices.Equal(got.Days, imported.Days) {
		t.Error("over nothing")
	}
	if got := imported.Override(Table{}); !slices.Equal(got.Days, imported.Days) {
		t.Error("over by nothing")
	}
	later, err := ImportCabinetOffice("国民の祝日・休日\n2051/1/1,元日\n")
	if err != nil {
		t.Fatal(err)
	}
	if got := builtIn(t).Override(later); !got.Covers(2050) || len(got.Days) != 896 {
		t.Error("a later year is not added")
	}
}

func TestImportRefuses(t *testing.T) {
	const head = "国民の祝日・休日月日,国民の祝日・休日名称\n"
	for text, want := range map[string]string{
		"":                   "heading",
		"2026/1/1,元日\n":      "heading",
		head:                 "no holiday",
		head + "2026/1/1\n":  "line 2",
		head + "2026/1/1,\n": "line 2",
		head + "2026/1/1,元日\n2026-1-2,休日\n":                 "line 3",
		head + "2026/2/29,元日\n":                             "line 2",
		head + "2026/1/1/1,元日\n":                            "line 2",
		head + "1947/1/1,元日\n":                              "line 2",
		head + "-2026/1/1,元日\n":                             "line 2",
		head + "2026/1/1,元日\n2026/1/1,元日\n":                 "line 3: 2026-01-01 is also on line 2",
		head + "2026/1/1,元\x07日\n":                          "line 2",
		head + "2026/1/1," + strings.Repeat("日", 41) + "\n": "line 2",
		head + "2026/1/1,\x8c\xb3\x93\xfa\n":                "UTF-8",
		head + strings.Repeat("\n", 1<<20):                  "more than",
	} {
		table, err := ImportCabinetOffice(text)
		if err == nil || !strings.Contains(err.Error(), want) || len(table.Days) > 0 {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

// Whatever is imported is a valid table that imports to itself.
func FuzzImportCabinetOffice(f *testing.F) {
	f.Add("国民の祝日・休日月日,国民の祝日・休日名称\r\n2026/9/21,敬老の日\r\n2026/9/22,休日\r\n2026/9/23,秋分の日\r\n")
	f.Add("\ufeff国民の祝日\n2019/5/1,休日（祝日扱い）\n2019/4/29,昭和の日\n2019/4/30,休日,\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ImportCabinetOffice(text)
		if err != nil {
			if len(table.Days) > 0 {
				t.Fatal("days of a refused file")
			}
			return
		}
		c := Calendar{table.Days}
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		again, err := ImportCabinetOffice(cabinetText(table.Days))
		if err != nil || !slices.Equal(again.Days, table.Days) {
			t.Fatalf("imports to another table, %v", err)
		}
	})
}
