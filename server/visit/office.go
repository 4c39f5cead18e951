package visit

import (
	"time"

	"monban/server/directory"
)

// dayOf is the site's date of a moment, UTC ms.
func (s *Site) dayOf(ms int64) directory.Date { return directory.DateOf(time.UnixMilli(ms).In(s.Zone)) }

// open reports whether the offices are open on a day: Monday to Friday and no closed day.
func (s *Site) open(d directory.Date) bool {
	switch d.Start(time.UTC).Weekday() {
	case time.Saturday, time.Sunday:
		return false
	}
	for _, c := range s.Dir.ClosedDays {
		if c.Day == d {
			return false
		}
	}
	return true
}

// nextOpen is the n-th open day after d. Should the table of closed days leave none within a year, it is the last day looked at.
func (s *Site) nextOpen(d directory.Date, n int) directory.Date {
	for range 366 {
		if n == 0 {
			return d
		}
		d = d.AddDays(1)
		if s.open(d) {
			n--
		}
	}
	return d
}

// closing is the closing time of a day, UTC ms.
func (s *Site) closing(d directory.Date) int64 {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, s.Settings.ClosingS, 0, s.Zone).UnixMilli()
}

// nextClosing is the closing time of the n-th open day after the day of ms: until when something has to be put right.
func (s *Site) nextClosing(ms int64, n int) int64 { return s.closing(s.nextOpen(s.dayOf(ms), n)) }

// ClosingAfter is the closing time of the n-th open day after the day of a moment, UTC ms: until when something of that day is to be
// done. On 29 April the next open day may be a week away.
func (s *Site) ClosingAfter(ms int64, n int) int64 { return s.nextClosing(ms, n) }
