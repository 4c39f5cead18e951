package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
)

// RR-2: somebody's stays from their lines: inner rooms lie in the stay around them, a night is one stay, an exit that was not read and an entry that was
// not are said, and nobody is inside for ever.
func TestStaysOfAPerson(t *testing.T) {
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	now := day.Add(80 * time.Hour)
	at := func(h int, r Result, door string) Attempt {
		return Attempt{At: day.Add(time.Duration(h) * time.Hour), Result: r, DoorName: door}
	}
	for name, c := range map[string]struct {
		lines []Attempt // oldest first
		want  string
	}{
		"a day":            {[]Attempt{at(9, ResultEntered, "a"), at(12, ResultExited, "a"), at(13, ResultEntered, "a"), at(17, ResultExited, "a")}, "9-12 13-17"},
		"a night":          {[]Attempt{at(22, ResultEntered, "a"), at(29, ResultExited, "a")}, "22-29"},
		"an inner room":    {[]Attempt{at(9, ResultEntered, "a"), at(10, ResultEntered, "b"), at(11, ResultExited, "b"), at(12, ResultExited, "a")}, "9-12"},
		"exit not read":    {[]Attempt{at(9, ResultEntered, "a"), at(13, ResultEntered, "a"), at(17, ResultExited, "a")}, "9-9? 13-17"},
		"entry not read":   {[]Attempt{at(9, ResultExited, "a")}, "?9-9"},
		"never came out":   {[]Attempt{at(9, ResultEntered, "a")}, "9-9?"},
		"left a day later": {[]Attempt{at(9, ResultEntered, "a"), at(40, ResultExited, "a")}, "9-9? ?40-40"},
		"inside now":       {[]Attempt{at(78, ResultEntered, "a")}, "78-80"},
		"refused":          {[]Attempt{at(9, ResultDenied, "a")}, ""},
	} {
		var lines []Attempt
		for _, a := range c.lines {
			a.Door = access.DoorID(a.DoorName)
			lines = append([]Attempt{a}, lines...)
		}
		var got []string
		for _, s := range staysOf(lines, now) {
			text := fmt.Sprintf("%d-%d", int(s.from.Sub(day).Hours()), int(s.until.Sub(day).Hours()))
			if s.noEntry {
				text = "?" + text
			}
			if s.noExit {
				text += "?"
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, strings.Join(got, " "), c.want)
		}
	}
}
