package web

import (
	"time"

	"monban/firmware/calendar"
)

// dayLayout is a day in URLs and forms.
const dayLayout = "2006-01-02"

// showDay writes a day as screens do : 2026年11月23日(月), 2026-11-23 Mon.
func showDay(t time.Time, l Lang) string {
	d := calendar.DateOf(t)
	if l == Japanese {
		return d.Western()
	}
	return d.English()
}

// showDayTime adds the time of day, 24 hours.
func showDayTime(t time.Time, l Lang) string { return showDay(t, l) + " " + showTime(t) }

func showTime(t time.Time) string { return t.Format("15:04:05") }
