package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Kind says why a day is closed. The zero value is "not closed".
type Kind uint8

// Why a day is closed.
const (
	Open            Kind = iota
	NationalHoliday      // 祝日
	Substitute           // 振替休日, 国民の祝日に関する法律 (1948, No. 178) art. 3(2)
	CitizensHoliday      // 国民の休日, art. 3(3): a day between two holidays
	YearEnd              // 年末年始, 12/29–1/3 (地方自治法 art. 4-2)
	OwnClosed            // the city's own
)

var kindNames = [...]string{"open", "national_holiday", "substitute", "citizens_holiday", "year_end", "own_closed"}
var kindJapanese = [...]string{"開庁日", "祝日", "振替休日", "国民の休日", "年末年始", "閉庁日"}

// String is the stable name.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Japanese is the name on Japanese pages and forms.
func (k Kind) Japanese() string {
	if int(k) < len(kindJapanese) {
		return kindJapanese[k]
	}
	return k.String()
}

// ParseKind reads a stable name.
func ParseKind(s string) (Kind, error) {
	if i := slices.Index(kindNames[:], s); i >= 0 {
		return Kind(i), nil
	}
	return Open, fmt.Errorf("unknown kind of day %q", s)
}

// MarshalText is the stable name; a value outside the enum is an error.
func (k Kind) MarshalText() ([]byte, error) {
	if int(k) >= len(kindNames) {
		return nil, fmt.Errorf("unknown kind of day %d", uint8(k))
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText reads a stable name.
func (k *Kind) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKind(string(text))
	return err
}

// ClosedDay is a day on which the offices are closed, beside Saturdays and Sundays.
type ClosedDay struct {
	Date Date   `json:"date"`
	Kind Kind   `json:"kind"`
	Name string `json:"name,omitempty"` // as shown, such as 勤労感謝の日
}

// Calendar is the closed days, as a compiled policy carries them. A day that is not listed is an
// ordinary one. The zero Calendar has none.
type Calendar struct {
	Closed []ClosedDay `json:"closed"` // sorted by date, one a date
}

// NewCalendar sorts days into a calendar. Of two entries for one date the first counts: pass what
// shall win (an import, own days) first.
func NewCalendar(days ...ClosedDay) Calendar {
	out := slices.Clone(days)
	slices.SortStableFunc(out, func(a, b ClosedDay) int { return a.Date.Compare(b.Date) })
	return Calendar{slices.CompactFunc(out, func(a, b ClosedDay) bool { return a.Date == b.Date })}
}

// Validate checks that the days exist, are closed, sorted and named once.
func (c *Calendar) Validate() error {
	for i := range c.Closed {
		d := &c.Closed[i]
		if !d.Date.Valid() {
			return fmt.Errorf("closed day %d: no such day", i+1)
		}
		if d.Kind == Open || int(d.Kind) >= len(kindNames) {
			return fmt.Errorf("closed day %s: kind %s", d.Date, d.Kind)
		}
		if i > 0 && !c.Closed[i-1].Date.Before(d.Date) {
			return fmt.Errorf("closed day %s: listed twice or out of order", d.Date)
		}
	}
	return nil
}

// IsClosed says whether d is a listed closed day and of which kind. Saturdays and Sundays are not
// listed.
func (c *Calendar) IsClosed(d Date) (Kind, bool) {
	day, ok := c.Find(d)
	return day.Kind, ok
}

// Find gives the entry of a closed day.
func (c *Calendar) Find(d Date) (ClosedDay, bool) {
	i, ok := slices.BinarySearchFunc(c.Closed, d.number(), func(e ClosedDay, n int) int { return cmp.Compare(e.Date.number(), n) })
	if !ok {
		return ClosedDay{}, false
	}
	return c.Closed[i], true
}

// Within is the part of c from one day to another, both included.
func (c *Calendar) Within(from, until Date) Calendar {
	var out Calendar
	for _, d := range c.Closed {
		if !d.Date.Before(from) && !d.Date.After(until) {
			out.Closed = append(out.Closed, d)
		}
	}
	return out
}

// IsBusinessDay reports whether d is a Monday to Friday that is not closed.
func (c *Calendar) IsBusinessDay(d Date) bool {
	_, closed := c.IsClosed(d)
	w := d.Weekday()
	return !closed && w != time.Saturday && w != time.Sunday
}

// NextBusinessDay is d when it is a business day, else the first one after it. With no business day
// in the ten years after d it is none.
func (c *Calendar) NextBusinessDay(d Date) Date {
	for range 3660 {
		if c.IsBusinessDay(d) {
			return d
		}
		d = d.AddDays(1)
	}
	return Date{}
}

// DueDate is the last day of a term of n ≥ 1 days that counts its first day as day 1. A term that
// would end on a day on which the offices are closed ends on the next business day (行政機関の休日に
// 関する法律 art. 2 and the cities' ordinances after it).
func (c *Calendar) DueDate(first Date, n int) Date { return c.NextBusinessDay(first.AddDays(n - 1)) }

// Hours is when an office is open on a business day, in seconds since local midnight: Open included,
// Close excluded, 0 ≤ Open < Close ≤ 86400. The zero Hours is never open.
type Hours struct {
	Open  int `json:"open"`
	Close int `json:"close"`
}

// InHours reports whether the office is open at t.
func (c *Calendar) InHours(h Hours, t time.Time, loc *time.Location) bool {
	day, second := local(t, loc)
	return second >= h.Open && second < h.Close && c.IsBusinessDay(day)
}

// local is the wall clock of t in loc: the day, and the seconds that a clock on the wall shows.
func local(t time.Time, loc *time.Location) (Date, int) {
	t = t.In(loc)
	hour, minute, second := t.Clock()
	return DateOf(t), hour*3600 + minute*60 + second
}
