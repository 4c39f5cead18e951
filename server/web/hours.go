package web

import (
	"fmt"
	"slices"
	"strings"
)

var weekdays = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "closed"}

// hoursWords says the hours of a schedule: 月–金 08:30–17:15.
func (b speaker) hoursWords(list []RegWindow) string {
	var out []string
	for _, w := range list {
		out = append(out, b.T("hours.window", "days", b.weekdayWords(w.Days), "from", clock24(w.From), "to", clock24(w.To)))
	}
	if len(out) == 0 {
		return b.T("hours.never")
	}
	return strings.Join(out, b.T("list.separator"))
}

// weekdayWords puts three days or more in a row together.
func (b speaker) weekdayWords(days []string) string {
	if len(days) == len(weekdays) {
		return b.T("hours.every")
	}
	var out []string
	for i := 0; i < len(weekdays); i++ {
		if !slices.Contains(days, weekdays[i]) {
			continue
		}
		end := i
		for end+1 < len(weekdays)-1 && slices.Contains(days, weekdays[end+1]) {
			end++
		}
		switch {
		case end >= i+2:
			out = append(out, b.T("hours.span", "from", b.T("hours_day."+weekdays[i]), "to", b.T("hours_day."+weekdays[end])))
			i = end
		default:
			out = append(out, b.T("hours_day."+weekdays[i]))
		}
	}
	return strings.Join(out, b.T("hours.day_separator"))
}

// clock24 writes seconds since midnight.
func clock24(seconds int) string { return fmt.Sprintf("%02d:%02d", seconds/3600, seconds/60%60) }
