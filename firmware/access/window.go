package access

import (
	"slices"
	"time"
	"unicode/utf8"

	"monban/firmware/calendar"
)

// window answers whether an instant lies in one of the schedules; the only file that knows how
// package calendar is asked.
type window struct {
	schedules []calendar.Schedule
	calendar  calendar.Calendar
	loc       *time.Location
}

// newWindow copies everything, so that a policy shares nothing with the rules it came from.
func newWindow(schedules []calendar.Schedule, cal calendar.Calendar, loc *time.Location) window {
	return window{schedules: cloneSchedules(schedules), calendar: cloneCalendar(cal), loc: loc}
}

func cloneSchedules(in []calendar.Schedule) []calendar.Schedule {
	out := make([]calendar.Schedule, len(in))
	for i, s := range in {
		s.Windows = orEmpty(slices.Clone(s.Windows))
		s.Exceptions = slices.Clone(s.Exceptions)
		for j := range s.Exceptions {
			s.Exceptions[j].Windows = slices.Clone(s.Exceptions[j].Windows)
		}
		out[i] = s
	}
	return out
}

func cloneCalendar(c calendar.Calendar) calendar.Calendar {
	c.Closed = orEmpty(slices.Clone(c.Closed))
	return c
}

// contains reports whether the instant ms (UTC milliseconds) lies in schedule number n.
func (w *window) contains(n int32, ms int64) bool {
	return w.schedules[n].Contains(&w.calendar, time.UnixMilli(ms), w.loc)
}

// maxDayName bounds the name of a closed day, in bytes.
const maxDayName = 200

func (v *validator) schedules() {
	for i := range v.rules.Schedules {
		if err := v.rules.Schedules[i].Validate(); err != nil {
			v.fault("schedule %d: %w", i, err)
		}
	}
	if err := v.rules.Calendar.Validate(); err != nil {
		v.fault("calendar: %w", err)
	}
	for i, d := range v.rules.Calendar.Closed {
		if len(d.Name) > maxDayName || !utf8.ValidString(d.Name) {
			v.fault("calendar: closed day %d (%s): its name is not text of at most %d bytes", i, d.Date, maxDayName)
		}
	}
}
