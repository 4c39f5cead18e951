package config

import (
	"testing"
	"time"
)

// OP-4: the hours in which turns are given, over midnight too; the end is excluded, and what cannot be read is never.
func TestHoursOfUpdates(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("JST", 9*3600)
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 11, day, hour, minute, 0, 0, zone) }
	for _, c := range []struct {
		from, until string
		at          time.Time
		since       time.Time
		open        bool
	}{
		{"", "", at(27, 3, 0), time.Time{}, true},
		{"01:00", "05:00", at(27, 0, 59), time.Time{}, false},
		{"01:00", "05:00", at(27, 1, 0), at(27, 1, 0), true},
		{"01:00", "05:00", at(27, 4, 59), at(27, 1, 0), true},
		{"01:00", "05:00", at(27, 5, 0), time.Time{}, false},
		{"22:00", "02:30", at(27, 23, 0), at(27, 22, 0), true},
		{"22:00", "02:30", at(27, 2, 29), at(26, 22, 0), true},
		{"22:00", "02:30", at(27, 2, 30), time.Time{}, false},
		{"22:00", "02:30", at(27, 12, 0), time.Time{}, false},
		{"x", "02:30", at(27, 12, 0), time.Time{}, false},
	} {
		u := Updates{From: c.from, Until: c.until}
		if since, open := u.Hours(c.at.UTC(), zone); !since.Equal(c.since) || open != c.open {
			t.Errorf("%s–%s at %v: %v %t", c.from, c.until, c.at, since, open)
		}
	}
}
