package calendar

import (
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The oracle is ICU's Japanese calendar (testdata/wareki.tsv); it writes year 1 as 元 or 1.
func TestErasAgainstICU(t *testing.T) {
	data, err := os.ReadFile("testdata/wareki.tsv")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		date, want, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		n++
		got := strings.NewReplacer("年", "/", "月", "/", "日(", "(", "元", "1").Replace(strings.Replace(day(t, date).Japanese(), "(月)", "(Mon)", 1))
		if want = strings.Replace(strings.Replace(want, "元", "1", 1), "(月)", "(Mon)", 1); got != want {
			t.Errorf("%s: %s, want %s", date, got, want)
		}
	}
	if n < 200 {
		t.Errorf("only %d dates", n)
	}
}

func TestJapaneseDates(t *testing.T) {
	for date, want := range map[string]string{
		"2026-11-23": "令和8年11月23日(月)", "2019-04-30": "平成31年4月30日(火)", "2019-05-01": "令和元年5月1日(水)", "2019-12-31": "令和元年12月31日(火)", "2020-01-01": "令和2年1月1日(水)",
		"1989-01-07": "昭和64年1月7日(土)", "1989-01-08": "平成元年1月8日(日)", "1926-12-24": "大正15年12月24日(金)", "1926-12-25": "昭和元年12月25日(土)",
		"1912-07-29": "明治45年7月29日(月)", "1912-07-30": "大正元年7月30日(火)", "1873-01-01": "明治6年1月1日(水)", "1872-12-31": "1872年12月31日(火)",
		"2028-02-29": "令和10年2月29日(火)",
	} {
		if got := day(t, date).Japanese(); got != want {
			t.Errorf("%s: %s, want %s", date, got, want)
		}
	}
	d := day(t, "2026-11-23")
	if d.Western() != "2026年11月23日(月)" || d.English() != "2026-11-23 Mon" || d.String() != "2026-11-23" || d.WeekdayJapanese() != "月" {
		t.Error(d.Western(), d.English(), d)
	}
	if none := (Date{}); none.Japanese()+none.Western()+none.English()+none.String() != "" {
		t.Error("none is written")
	}
	e, year, ok := d.Era()
	if !ok || e.Name != "令和" || e.Romaji != "Reiwa" || e.Letter != "R" || year != 8 {
		t.Error(e, year)
	}
}

// 年度, and the retention of the requirements: created 2026-11-23, one year: through 2028-03-31.
func TestFiscalYear(t *testing.T) {
	for date, want := range map[string]FiscalYear{"2026-03-31": 2025, "2026-04-01": 2026, "2026-12-31": 2026, "2027-01-01": 2026, "2027-03-31": 2026, "2027-04-01": 2027, "2028-02-29": 2027} {
		if got := day(t, date).FiscalYear(); got != want {
			t.Errorf("%s: %d, want %d", date, got, want)
		}
	}
	y := FiscalYear(2026)
	if y.Start().String() != "2026-04-01" || y.End().String() != "2027-03-31" || y.English() != "FY2026" {
		t.Error(y.Start(), y.End(), y.English())
	}
	for y, want := range map[FiscalYear]string{2026: "令和8年度", 2019: "令和元年度", 2018: "平成30年度", 1989: "平成元年度", 1988: "昭和63年度", 1927: "昭和2年度", 1926: "大正15年度", 1912: "大正元年度", 1911: "明治44年度", 1872: "1872年度"} {
		if got := y.Japanese(); got != want {
			t.Errorf("%d: %s, want %s", y, got, want)
		}
	}
	for _, tt := range []struct {
		created string
		years   int
		want    string
	}{{"2026-11-23", 1, "2028-03-31"}, {"2027-03-31", 1, "2028-03-31"}, {"2027-04-01", 1, "2029-03-31"}, {"2026-11-23", 5, "2032-03-31"}, {"2026-11-23", 0, "2027-03-31"}} {
		if got := day(t, tt.created).RetainedThrough(tt.years); got.String() != tt.want {
			t.Errorf("%s + %d: %s, want %s", tt.created, tt.years, got, tt.want)
		}
	}
}

func TestDates(t *testing.T) {
	for _, bad := range []string{"", "2027-02-29", "2026-11-31", "2026-1-1", "26-01-01", "2026-11-23T00:00:00Z", "0000-01-01", "2026/11/23", " 2026-11-23"} {
		if d, err := ParseDate(bad); err == nil || !d.IsZero() {
			t.Errorf("%q is %v", bad, d)
		}
	}
	for _, bad := range []Date{{}, {2027, 2, 29}, {2026, 0, 1}, {2026, 13, 1}, {2026, 1, 0}, {2026, 4, 31}, {0, 1, 1}, {10000, 1, 1}, {2026, 1, -1}} {
		if bad.Valid() {
			t.Errorf("%v is valid", bad)
		}
		if _, err := NewDate(bad.Year, bad.Month, bad.Day); err == nil {
			t.Errorf("%v is made", bad)
		}
		if _, err := bad.MarshalText(); err == nil && !bad.IsZero() {
			t.Errorf("%v is written", bad)
		}
	}
	if d, err := NewDate(2028, 2, 29); err != nil || d.AddDays(366).String() != "2029-03-01" {
		t.Error(d, err)
	}
	rapid.Check(t, func(t *rapid.T) {
		a := Date{1, 1, 1}.AddDays(rapid.IntRange(0, 3_650_000).Draw(t, "day"))
		n := rapid.IntRange(-100_000, 1_000).Draw(t, "n")
		b := a.AddDays(n)
		if !a.Valid() || b.Sub(a) != n || a.Before(b) != (n > 0) || a.After(b) != (n < 0) || a.Compare(b) != -b.Compare(a) || (a.Compare(b) == 0) != (n == 0) {
			t.Fatalf("%s + %d = %s", a, n, b)
		}
		if (int(a.Weekday())+n%7+7)%7 != int(b.Weekday()) {
			t.Fatalf("%s %s", a, b)
		}
		text, err := a.MarshalText()
		var back Date
		if err != nil || back.UnmarshalText(text) != nil || back != a {
			t.Fatalf("%s: %v", a, back)
		}
	})
}

// The first instant of a day, where midnight is skipped or comes twice.
func TestStart(t *testing.T) {
	for _, tt := range []struct{ zone, date, want string }{
		{"Asia/Tokyo", "2026-11-23", "2026-11-22 15:00:00"},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04 03:00:00"}, // 00:00 is skipped: 01:00 -02
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18 03:00:00"}, // 24:00 was 23:00 again
		{"America/Havana", "2026-11-01", "2026-11-01 04:00:00"},    // 00:00 comes twice
		{"America/Havana", "2026-11-02", "2026-11-02 05:00:00"},
		{"Asia/Amman", "2021-10-29", "2021-10-28 21:00:00"},      // 00:00 comes twice, east of Greenwich
		{"Atlantic/Azores", "2026-10-25", "2026-10-25 00:00:00"}, // 00:00 comes twice
		{"Asia/Amman", "2021-03-26", "2021-03-25 22:00:00"},      // 00:00 is skipped
		{"Europe/Berlin", "2026-03-29", "2026-03-28 23:00:00"},
		{"Europe/Berlin", "2026-03-30", "2026-03-29 22:00:00"},
		{"Europe/Berlin", "2026-10-25", "2026-10-24 22:00:00"},
		{"UTC", "2026-11-23", "2026-11-23 00:00:00"},
	} {
		loc := location(t, tt.zone)
		got := day(t, tt.date).Start(loc)
		if s := got.UTC().Format("2006-01-02 15:04:05"); s != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.zone, tt.date, s, tt.want)
		}
		if DateOf(got.In(loc)) != day(t, tt.date) || DateOf(got.Add(-time.Nanosecond).In(loc)) == day(t, tt.date) {
			t.Errorf("%s %s: not the first instant", tt.zone, tt.date)
		}
	}
}

func TestKinds(t *testing.T) {
	for k, want := range map[Kind]string{Open: "open 開庁日", NationalHoliday: "national_holiday 祝日", Substitute: "substitute 振替休日", CitizensHoliday: "citizens_holiday 国民の休日", YearEnd: "year_end 年末年始", OwnClosed: "own_closed 閉庁日"} {
		if got := k.String() + " " + k.Japanese(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if back, err := ParseKind(k.String()); err != nil || back != k {
			t.Error(back, err)
		}
	}
	if _, err := Kind(9).MarshalText(); err == nil || Kind(9).String() != "kind(9)" || Kind(9).Japanese() != "kind(9)" {
		t.Error("unknown kind is written")
	}
}
