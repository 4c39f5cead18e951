package web

import (
	"fmt"
	"time"
)

// dayLayout is a day in URLs and forms.
const dayLayout = "2006-01-02"

var weekdays = map[Lang][7]string{
	Japanese: {"日", "月", "火", "水", "木", "金", "土"},
	English:  {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
}

// showDay writes a day as screens do (ui.md §3): 2026年11月23日(月), 2026-11-23 Mon.
func showDay(t time.Time, l Lang) string {
	w := weekdays[l][t.Weekday()]
	if l == Japanese {
		return fmt.Sprintf("%d年%d月%d日(%s)", t.Year(), t.Month(), t.Day(), w)
	}
	return t.Format(dayLayout) + " " + w
}

// showDayTime adds the time of day, 24 hours.
func showDayTime(t time.Time, l Lang) string { return showDay(t, l) + " " + showTime(t) }

func showTime(t time.Time) string { return t.Format("15:04:05") }
