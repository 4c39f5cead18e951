package access

import (
	"time"

	"monban/firmware/calendar"
)

// window answers whether an instant lies in one of the schedules; the only file that knows how
// package calendar is asked.
type window struct {
	schedules []calendar.Schedule
	calendar  calendar.Calendar
	loc       *time.Location
}

func newWindow(schedules []calendar.Schedule, cal calendar.Calendar, loc *time.Location) (window, error) {
	return window{schedules: append([]calendar.Schedule(nil), schedules...), calendar: cal, loc: loc}, nil
}

// contains reports whether the instant ms (UTC milliseconds) lies in schedule number n.
func (w *window) contains(n int32, ms int64) bool {
	return w.schedules[n].Contains(&w.calendar, time.UnixMilli(ms), w.loc)
}

func (v *validator) schedules() {
	for i := range v.rules.Schedules {
		if err := v.rules.Schedules[i].Validate(); err != nil {
			v.fault("schedule %d: %w", i, err)
		}
	}
	if err := v.rules.Calendar.Validate(); err != nil {
		v.fault("calendar: %w", err)
	}
}
