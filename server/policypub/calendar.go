package policypub

import (
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
	return out
}
