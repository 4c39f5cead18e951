package casework

import (
	"testing"
	"time"
)

// closings are those of a city hall that closes at 17:15, with the closed days of the requirements around them.
func closings(t *testing.T) func(ms int64, n int) int64 {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	closed := map[string]bool{"2026-11-23": true, "2026-09-21": true, "2026-09-22": true, "2026-09-23": true, "2026-05-04": true, "2026-05-05": true, "2026-05-06": true, "2026-04-29": true, "2027-01-01": true}
	for d := 29; d <= 31; d++ {
		closed[time.Date(2026, 12, d, 0, 0, 0, 0, zone).Format(time.DateOnly)] = true
	}
	return func(ms int64, n int) int64 {
		y, m, d := time.UnixMilli(ms).In(zone).Date()
		day := time.Date(y, m, d, 17, 15, 0, 0, zone)
		for n > 0 {
			day = day.AddDate(0, 0, 1)
			if w := day.Weekday(); w != time.Saturday && w != time.Sunday && !closed[day.Format(time.DateOnly)] {
				n--
			}
		}
		return day.UnixMilli()
	}
}

// VR-3, VR-11: an open finding rises at the closing time of its due day, to the millisecond, and on to the CISO office two open days
// later. Closed days do not count: 2026-11-23, the 国民の休日 2026-09-22, the 振替休日 2026-05-06 and the year's end.
func TestRises(t *testing.T) {
	closing := closings(t)
	zone, _ := time.LoadLocation("Asia/Tokyo") // loaded above
	at := func(s string) int64 {
		v, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixMilli()
	}
	for _, tc := range []struct {
		found     string
		days      int
		due, ciso string
	}{
		{"2026-11-20 14:00", 1, "2026-11-24 17:15", "2026-11-26 17:15"}, // Friday before a holiday Monday
		{"2026-11-24 23:59", 1, "2026-11-25 17:15", "2026-11-27 17:15"},
		{"2026-11-24 08:30", 3, "2026-11-27 17:15", "2026-12-01 17:15"},
		{"2026-09-18 10:00", 1, "2026-09-24 17:15", "2026-09-28 17:15"},
		{"2026-04-28 10:00", 1, "2026-04-30 17:15", "2026-05-07 17:15"}, // 1 May is open, then five closed days
		{"2026-12-28 18:00", 1, "2027-01-04 17:15", "2027-01-06 17:15"},
		{"2026-11-24 10:00", 0, "2026-11-25 17:15", "2026-11-27 17:15"}, // a kind that says nothing is due the next open day
	} {
		c := Rises(at(tc.found), tc.days, closing)
		for ms, want := range map[int64]Level{
			at(tc.due) - 1: Reviewer, at(tc.due): ZoneManager, at(tc.ciso) - 1: ZoneManager, at(tc.ciso): CISOOffice, at(tc.ciso) + 1e12: CISOOffice, at(tc.found): Reviewer,
		} {
			if got := c.At(ms); got != want {
				t.Errorf("found %s, due after %d: level %d at %s, want %d", tc.found, tc.days, got, time.UnixMilli(ms).In(zone), want)
			}
		}
	}
}

// VR-3: what the log says of a case's level is the highest since it was opened last; rising gives nobody the case and closes none.
func TestReached(t *testing.T) {
	acts := []Act{{Kind: Take, By: Actor{Account: "a"}}, {Kind: ToZoneManager}, {Kind: ToCISOOffice}}
	if got := Reached(acts); got != CISOOffice {
		t.Errorf("level %d", got)
	}
	if c := Read(acts); c.Status != InReview || c.Owner != "a" {
		t.Errorf("%+v", c)
	}
	if got := Reached(append(acts, Act{Kind: Mistake}, Act{Kind: Reopen})); got != Reviewer {
		t.Errorf("opened again: level %d", got)
	}
	for l, want := range map[Level]Kind{Reviewer: "", ZoneManager: ToZoneManager, CISOOffice: ToCISOOffice} {
		if got := l.Risen(); got != want {
			t.Errorf("%d: %q", l, got)
		}
	}
}
