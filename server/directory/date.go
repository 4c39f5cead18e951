package directory

import (
	"fmt"
	"time"
)

// Date is a day of the calendar in the site's time zone. The zero Date means "none"; what none
// stands for is said by each field.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf gives the day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: m, Day: d}
}

// ParseDate reads 2027-03-31 or, as spreadsheets write it, 2027/3/31. A day that does not exist
// (2027-02-29) is an error; so is a year outside 1900–2999.
func ParseDate(s string) (Date, error) {
	for _, layout := range [...]string{"2006-01-02", "2006/1/2", "2006/01/02"} {
		t, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		if t.Year() < 1900 || t.Year() > 2999 {
			return Date{}, fmt.Errorf("year %d is outside 1900–2999", t.Year())
		}
		return DateOf(t), nil
	}
	return Date{}, fmt.Errorf("not a date; write 2027-03-31 or 2027/3/31")
}

// IsZero reports whether d is "none".
func (d Date) IsZero() bool { return d == Date{} }

// String gives 2027-03-31; none is "".
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// Before reports whether d is an earlier day than e. Both must be set.
func (d Date) Before(e Date) bool { return d.Start(time.UTC).Before(e.Start(time.UTC)) }

// AddDays gives the day n days later (earlier when n is negative).
func (d Date) AddDays(n int) Date {
	return DateOf(time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC))
}

// Start is the first instant of the day in zone.
func (d Date) Start(zone *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, zone)
}

// StartMS is the first millisecond of the day, UTC ms; 0 for none.
func (d Date) StartMS(zone *time.Location) int64 {
	if d.IsZero() {
		return 0
	}
	return d.Start(zone).UnixMilli()
}

// EndMS is the first millisecond after the day, UTC ms; 0 for none. "Valid until 31 March" holds
// through 23:59:59.999 and ends at EndMS (AD-6).
func (d Date) EndMS(zone *time.Location) int64 {
	if d.IsZero() {
		return 0
	}
	return d.AddDays(1).Start(zone).UnixMilli()
}

// FiscalYear is the Japanese fiscal year (年度, April to March) that d lies in, named by the year
// it begins in.
func (d Date) FiscalYear() int {
	if d.Month < time.April {
		return d.Year - 1
	}
	return d.Year
}

// FiscalYearEnd is 31 March of the fiscal year that d lies in: the default expiry of every grant (AD-6).
func (d Date) FiscalYearEnd() Date {
	return Date{Year: d.FiscalYear() + 1, Month: time.March, Day: 31}
}
