package policypub

import (
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
)

// calendarOf makes the policy's closed days. Decisions look at whether a day is closed, not at why,
// so every day is listed as the city's own.
func calendarOf(dir *directory.Snapshot) calendar.Calendar {
	days := make([]calendar.ClosedDay, len(dir.ClosedDays))
	for i, c := range dir.ClosedDays {
		days[i] = calendar.ClosedDay{
			Date: calendar.Date{Year: c.Day.Year, Month: c.Day.Month, Day: c.Day.Day},
			Kind: calendar.OwnClosed, Name: c.Name,
		}
	}
	return calendar.NewCalendar(days...)
}

// scheduleOf makes the policy's form of a schedule; both count days and seconds alike.
func scheduleOf(s *directory.Schedule) calendar.Schedule {
	out := calendar.Schedule{Windows: make([]calendar.Window, len(s.Windows))}
	for i, w := range s.Windows {
		out.Windows[i] = calendar.Window{Days: calendar.Days(w.Days), From: w.From, To: w.To}
	}
	out.From, out.Until = dateOf(s.ValidFrom), dateOf(s.ValidUntil)
	for _, d := range s.Dates {
		e := calendar.Exception{Date: dateOf(d.Day)}
		for _, w := range d.Windows {
			e.Windows = append(e.Windows, calendar.Window{From: w.From, To: w.To})
		}
		out.Exceptions = append(out.Exceptions, e)
	}
	return out
}

func dateOf(d directory.Date) calendar.Date {
	return calendar.Date{Year: d.Year, Month: d.Month, Day: d.Day}
}

// Hours gives the periods in which a schedule holds, as every door will count them: closed days, dates and nights that
// go on past midnight included. Periods are clipped to [from, to).
func Hours(dir *directory.Snapshot, s *directory.Schedule, zone *time.Location, from, to time.Time) ([]calendar.Interval, error) {
	days, hours := calendarOf(dir), scheduleOf(s)
	return calendar.Compile(&hours, &days, zone, from, to)
}
