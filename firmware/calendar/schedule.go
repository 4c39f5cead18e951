package calendar

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Days is a set of days: bit 0 Monday … bit 6 Sunday, bit 7 closed days.
type Days uint8

// The days of a window. On a closed day (Calendar) only ClosedDays counts, whatever its weekday.
const (
	Monday Days = 1 << iota
	Tuesday
	Wednesday
	Thursday
	Friday
	Saturday
	Sunday
	ClosedDays
	Weekdays = Monday | Tuesday | Wednesday | Thursday | Friday
	EveryDay = Weekdays | Saturday | Sunday | ClosedDays
)

// secondsPerDay is what a wall clock counts; on a day of a summer-time change the day itself is
// shorter or longer.
const secondsPerDay = 86400

// Window is a span of the wall clock in seconds since midnight: From included, To excluded;
// 0 ≤ From < 86400 and 0 < To ≤ 86400. With To ≤ From it ends on the next day (22:00–05:00). A
// window belongs to the day on which it begins: one that begins on an open Monday evening goes on
// into a closed Tuesday, and one that would begin on a closed day does not exist.
//
// In the night of a summer-time change the wall clock counts: a skipped hour never comes, a
// repeated one comes twice.
type Window struct {
	Days Days `json:"days"`
	From int  `json:"from"`
	To   int  `json:"to"`
}

// Exception replaces, on one date, all windows that would begin on it. Without windows none begins.
type Exception struct {
	Date    Date     `json:"date"`
	Windows []Window `json:"windows,omitempty"` // Days is 0: the date says when
}

// Schedule says when a right holds (AD-5). Without windows and exceptions it never does.
type Schedule struct {
	Windows    []Window    `json:"windows"`
	From       Date        `json:"from,omitzero"`  // first day on which a window may begin; none = always
	Until      Date        `json:"until,omitzero"` // last such day, included; none = for ever
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Validate checks the ranges of all windows and dates, and that no date has two exceptions. All
// faults come back joined.
func (s *Schedule) Validate() error {
	var faults []error
	for i, w := range s.Windows {
		if w.Days == 0 {
			faults = append(faults, fmt.Errorf("window %d: no day", i+1))
		}
		if err := w.validate(); err != nil {
			faults = append(faults, fmt.Errorf("window %d: %w", i+1, err))
		}
	}
	for _, d := range [...]Date{s.From, s.Until} {
		if !d.IsZero() && !d.Valid() {
			faults = append(faults, fmt.Errorf("no such day: %s", d))
		}
	}
	if !s.From.IsZero() && !s.Until.IsZero() && s.Until.Before(s.From) {
		faults = append(faults, fmt.Errorf("until %s is before from %s", s.Until, s.From))
	}
	for i, e := range s.Exceptions {
		if !e.Date.Valid() {
			faults = append(faults, fmt.Errorf("exception %d: no such day", i+1))
		}
		if slices.ContainsFunc(s.Exceptions[:i], func(o Exception) bool { return o.Date == e.Date }) {
			faults = append(faults, fmt.Errorf("exception %s: listed twice", e.Date))
		}
		for _, w := range e.Windows {
			if w.Days != 0 {
				faults = append(faults, fmt.Errorf("exception %s: a window there has no days", e.Date))
			}
			if err := w.validate(); err != nil {
				faults = append(faults, fmt.Errorf("exception %s: %w", e.Date, err))
			}
		}
	}
	return errors.Join(faults...)
}

func (w Window) validate() error {
	if w.From < 0 || w.From >= secondsPerDay || w.To <= 0 || w.To > secondsPerDay {
		return fmt.Errorf("from %d to %d is not within 0 to %d seconds", w.From, w.To, secondsPerDay)
	}
	return nil
}

// Contains reports whether t lies in the schedule, by the wall clock in loc. It does not allocate.
// Without a location it is false.
func (s *Schedule) Contains(c *Calendar, t time.Time, loc *time.Location) bool {
	if loc == nil || len(s.Windows) == 0 && len(s.Exceptions) == 0 {
		return false
	}
	today, second := local(t, loc)
	days, windows := s.begin(c, today)
	for _, w := range windows {
		if w.on(days) && second >= w.From && (second < w.To || w.overnight()) {
			return true
		}
	}
	days, windows = s.begin(c, today.AddDays(-1))
	for _, w := range windows {
		if w.on(days) && w.overnight() && second < w.To {
			return true
		}
	}
	return false
}

// overnight: the window ends on the day after the one on which it begins.
func (w Window) overnight() bool { return w.To <= w.From }

// on reports whether the window begins on a day of this sort; byDate = the date alone has said so.
func (w Window) on(sort Days) bool { return sort == byDate || w.Days&sort != 0 }

// byDate is the sort of day of an exception, where each window begins.
const byDate Days = 0

// begin gives the windows that may begin on d, and d's sort: one bit, or byDate.
func (s *Schedule) begin(c *Calendar, d Date) (Days, []Window) {
	for i := range s.Exceptions {
		if s.Exceptions[i].Date == d {
			return byDate, s.Exceptions[i].Windows
		}
	}
	if !s.From.IsZero() && d.Before(s.From) || !s.Until.IsZero() && d.After(s.Until) {
		return byDate, nil
	}
	if c != nil {
		if _, closed := c.IsClosed(d); closed {
			return ClosedDays, s.Windows
		}
	}
	return 1 << ((int(d.Weekday()) + 6) % 7), s.Windows
}
