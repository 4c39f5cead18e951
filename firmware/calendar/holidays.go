package calendar

import (
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// holidaysCSV is data, not state: what BuiltIn reads.
//
//go:embed holidays.csv
var holidaysCSV string

// Table is the national holidays of a run of whole years.
type Table struct {
	Days    []ClosedDay // sorted by date
	From    Date        // first day covered
	Through Date        // last day covered
}

// BuiltIn is the table that comes with the program, 2000–2050. Its later years follow the law as it
// stands; a newer law, or an announced date of an equinox, comes by import. An error is a defect of
// the build, which the tests exclude.
func BuiltIn() (Table, error) {
	var t Table
	for n, line := range strings.Split(strings.TrimSuffix(holidaysCSV, "\n"), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		date, rest, _ := strings.Cut(line, ",")
		kind, name, _ := strings.Cut(rest, ",")
		d, err := ParseDate(date)
		if err != nil {
			return Table{}, fmt.Errorf("built-in holidays line %d: %w", n+1, err)
		}
		k, err := ParseKind(kind)
		if err != nil {
			return Table{}, fmt.Errorf("built-in holidays line %d: %w", n+1, err)
		}
		t.Days = append(t.Days, ClosedDay{d, k, name})
	}
	return t.finish("built-in holidays")
}

// finish sorts and checks the days and sets the years they cover.
func (t Table) finish(what string) (Table, error) {
	if len(t.Days) == 0 {
		return Table{}, fmt.Errorf("%s: no holiday", what)
	}
	c := NewCalendar(t.Days...)
	if err := c.Validate(); err != nil {
		return Table{}, fmt.Errorf("%s: %w", what, err)
	}
	first, last := c.Closed[0].Date.Year, c.Closed[len(c.Closed)-1].Date.Year
	return Table{c.Closed, Date{first, time.January, 1}, Date{last, time.December, 31}}, nil
}

// Covers reports whether every day of the fiscal year is covered (OP-2 asks it of the next one).
func (t Table) Covers(y FiscalYear) bool {
	return !t.From.IsZero() && !y.Start().Before(t.From) && !y.End().After(t.Through)
}

// Override is t with the years of newer in place of its own: an import wins, also where it no longer
// has a holiday that t has.
func (t Table) Override(newer Table) Table {
	if len(newer.Days) == 0 {
		return t
	}
	if len(t.Days) == 0 {
		return newer
	}
	out := Table{From: t.From, Through: t.Through}
	days := newer.Days
	for _, d := range t.Days {
		if d.Date.Before(newer.From) || d.Date.After(newer.Through) {
			days = append(days[:len(days):len(days)], d)
		}
	}
	out.Days = NewCalendar(days...).Closed
	if newer.From.Before(out.From) {
		out.From = newer.From
	}
	if newer.Through.After(out.Through) {
		out.Through = newer.Through
	}
	return out
}

// Calendar lists the closed days from one day to another, both included: the holidays, the year-end
// closure 12/29–1/3, and own closed days. A day with two reasons is listed once, with the first of
// them.
func (t Table) Calendar(from, through Date, own ...ClosedDay) Calendar {
	days := append(t.Days[:len(t.Days):len(t.Days)], yearEnds(from.Year, through.Year)...)
	c := NewCalendar(append(days, own...)...)
	return c.Within(from, through)
}

// yearEnds lists the closures of the calendar years.
func yearEnds(first, last int) []ClosedDay {
	var out []ClosedDay
	for y := first; y <= last; y++ {
		for _, d := range [...]Date{{y, time.January, 1}, {y, time.January, 2}, {y, time.January, 3},
			{y, time.December, 29}, {y, time.December, 30}, {y, time.December, 31}} {
			out = append(out, ClosedDay{d, YearEnd, YearEnd.Japanese()})
		}
	}
	return out
}

// Limits of an imported file; the Cabinet Office's has about 1,050 rows and 20 KiB.
const (
	maxImportBytes = 1 << 20
	maxNameRunes   = 40
)

// ImportCabinetOffice reads the Cabinet Office's list of holidays (国民の祝日・休日, published as
// syukujitsu.csv in CP932) after it was decoded to UTF-8: a heading, then rows such as
// "2026/11/23,勤労感謝の日". The file calls 振替休日 and 国民の休日 both 休日; which of them it is
// follows from the days around. Any row that is not understood refuses the whole file, with its line
// number: half a calendar would open doors on a closed day.
func ImportCabinetOffice(text string) (Table, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if len(text) > maxImportBytes {
		return Table{}, fmt.Errorf("import holidays: file has more than %d bytes", maxImportBytes)
	}
	if !utf8.ValidString(text) {
		return Table{}, errors.New("import holidays: text is not UTF-8; decode it from CP932 first")
	}
	var t Table
	seen := map[Date]int{}
	for n, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if n == 0 {
			if !strings.HasPrefix(line, "国民の祝日") {
				return Table{}, errors.New("import holidays: line 1 is not the heading 国民の祝日…")
			}
			continue
		}
		if strings.Trim(line, ", ") == "" {
			continue
		}
		day, err := cabinetRow(line)
		if err != nil {
			return Table{}, fmt.Errorf("import holidays: line %d: %w", n+1, err)
		}
		if other, twice := seen[day.Date]; twice {
			return Table{}, fmt.Errorf("import holidays: line %d: %s is also on line %d", n+1, day.Date, other)
		}
		seen[day.Date] = n + 1
		t.Days = append(t.Days, day)
	}
	t, err := t.finish("import holidays")
	if err != nil {
		return Table{}, err
	}
	t.nameRestDays()
	return t, nil
}

// restDay is what the file calls a day that is no 祝日 itself.
const restDay = "休日"

func cabinetRow(line string) (ClosedDay, error) {
	date, name, ok := strings.Cut(line, ",")
	name = strings.TrimRight(name, ", ")
	if !ok || name == "" || utf8.RuneCountInString(name) > maxNameRunes || strings.ContainsFunc(name, unicode.IsControl) {
		return ClosedDay{}, errors.New("want a date, a comma and a name")
	}
	parts := strings.Split(date, "/")
	if len(parts) != 3 {
		return ClosedDay{}, fmt.Errorf("not a date: %q; want 2026/11/23", date)
	}
	var v [3]int
	for i, p := range parts {
		u, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return ClosedDay{}, fmt.Errorf("not a date: %q; want 2026/11/23", date)
		}
		v[i] = int(u)
	}
	d := Date{v[0], time.Month(v[1]), v[2]}
	if !d.Valid() || d.Year < 1948 || d.Year > 2999 { // the law is of 1948
		return ClosedDay{}, fmt.Errorf("no such day since 1948: %q", date)
	}
	if name == restDay {
		return ClosedDay{d, Substitute, name}, nil // nameRestDays looks closer
	}
	return ClosedDay{d, NationalHoliday, name}, nil
}

// nameRestDays tells 国民の休日 (art. 3(3): the day before and the day after are holidays) from
// 振替休日 (art. 3(2): a holiday of the run before fell on a Sunday).
func (t Table) nameRestDays() {
	c := Calendar{t.Days}
	holiday := func(d Date) bool {
		kind, _ := c.IsClosed(d)
		return kind == NationalHoliday
	}
	for i := range t.Days {
		d := &t.Days[i]
		if d.Name != restDay {
			continue
		}
		d.Kind = Substitute
		if before := d.Date.AddDays(-1); holiday(before) && holiday(d.Date.AddDays(1)) {
			d.Kind = CitizensHoliday
			for ; holiday(before); before = before.AddDays(-1) {
				if before.Weekday() == time.Sunday {
					d.Kind = Substitute
				}
			}
		}
		d.Name = d.Kind.Japanese()
	}
}
