// Package calendar knows days: the business calendar with Japan's holidays, the fiscal year (年度),
// the eras (和暦), and the weekly schedules by which rights hold.
//
// It reads no clock and loads no zone: instants and the location come from the caller. Whatever is
// not clearly inside a schedule is outside.
package calendar

import (
	"fmt"
	"time"
)

// Date is a day of the Gregorian calendar in the site's time zone. The zero Date means "none"; each
// field says what none stands for.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// NewDate makes a date; a day that does not exist, such as 2027-02-29, or a year outside 1–9999 is
// an error.
func NewDate(year int, month time.Month, day int) (Date, error) {
	d := Date{year, month, day}
	if !d.Valid() {
		return Date{}, fmt.Errorf("no such day: %04d-%02d-%02d", year, int(month), day)
	}
	return d, nil
}

// DateOf gives the day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, m, d}
}

// ParseDate reads 2026-11-23 and nothing else.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return Date{}, fmt.Errorf("not a date: %q; write 2026-11-23", s)
	}
	return DateOf(t), nil
}

// IsZero reports whether d is "none".
func (d Date) IsZero() bool { return d == Date{} }

// Valid reports whether the day exists.
func (d Date) Valid() bool {
	return d.Year >= 1 && d.Year <= 9999 && d.Month >= 1 && d.Month <= 12 && d.Day >= 1 && DateOf(d.utc()) == d
}

// utc is the day's midnight in UTC, where every day has 24 hours.
func (d Date) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }

// AddDays is the day n days later, or earlier when n is negative.
func (d Date) AddDays(n int) Date {
	return DateOf(time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC))
}

// Sub is the number of days from e to d.
func (d Date) Sub(e Date) int { return int(d.utc().Sub(e.utc()) / (24 * time.Hour)) }

// Compare is -1, 0 or +1: d is before, the same as or after e.
func (d Date) Compare(e Date) int {
	switch a, b := d.number(), e.number(); {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// number grows with the date; it is 0 for none.
func (d Date) number() int { return (d.Year*100+int(d.Month))*100 + d.Day }

// Before reports whether d is earlier than e.
func (d Date) Before(e Date) bool { return d.number() < e.number() }

// After reports whether d is later than e.
func (d Date) After(e Date) bool { return d.number() > e.number() }

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// Start is the first instant of the day in loc. Where summer time skips midnight that is the first
// instant after the gap; where it repeats midnight, the first of the two.
func (d Date) Start(loc *time.Location) time.Time {
	t := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
	if begin, _ := t.ZoneBounds(); !begin.IsZero() && DateOf(t) != d {
		_, t = t.ZoneBounds() // before the gap: the zone that follows begins with the day
	} else if !begin.IsZero() {
		// The same wall time may exist once more before the change.
		_, before := begin.Add(-time.Second).Zone()
		_, after := t.Zone()
		if early := t.Add(time.Duration(after-before) * time.Second); early.Before(begin) && DateOf(early) == d {
			t = early
		}
	}
	return t
}

// String is 2026-11-23, "" for none.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// MarshalText is 2026-11-23, empty for none.
func (d Date) MarshalText() ([]byte, error) {
	if !d.IsZero() && !d.Valid() {
		return nil, fmt.Errorf("no such day: %04d-%02d-%02d", d.Year, int(d.Month), d.Day)
	}
	return []byte(d.String()), nil
}

// UnmarshalText reads what MarshalText writes.
func (d *Date) UnmarshalText(text []byte) (err error) {
	*d = Date{}
	if len(text) > 0 {
		*d, err = ParseDate(string(text))
	}
	return err
}
