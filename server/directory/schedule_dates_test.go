package directory

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func scheduleFile(rows ...string) []File {
	return []File{{Name: "schedules.csv", Kind: KindSchedules, Data: []byte("schedule_id,name,days,from,to,date,first_day,last_day\n" + strings.Join(rows, "\n") + "\n")}}
}

// AD-5: a schedule has days on which it begins and ends to hold, and dates that differ from its week; the same file again changes
// nothing. What cannot be meant is refused.
func TestImportDatesOfASchedule(t *testing.T) {
	cfg := ImportConfig{Now: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), Zone: time.UTC}
	files := scheduleFile("school,学期,mon-fri,8:30,17:00,,2026-09-01,2026-12-24", "school,学期,,9:00,12:00,2026-11-28,,", "school,学期,,13:00,15:00,2026-11-28,,", "school,学期,,,,2026-10-09,,")
	next, changes, err := Import(Snapshot{}, files, cfg)
	if err != nil || len(changes) != 1 || len(next.Schedules) != 1 {
		t.Fatal(changes, err)
	}
	s := next.Schedules[0]
	want := []DateHours{{Day: Date{2026, 10, 9}}, {Day: Date{2026, 11, 28}, Windows: []Window{{From: 9 * 3600, To: 12 * 3600}, {From: 13 * 3600, To: 15 * 3600}}}}
	if !slices.EqualFunc(s.Dates, want, DateHours.equal) || s.ValidFrom != (Date{2026, 9, 1}) || s.ValidUntil != (Date{2026, 12, 24}) || len(s.Windows) != 1 {
		t.Errorf("%+v", s)
	}
	if _, changes, err := Import(next, files, cfg); err != nil || len(changes) != 0 {
		t.Errorf("again: %v, %v", changes, err)
	}
	for row, text := range map[string]string{
		"x,x,mon,9:00,12:00,2026-11-28,,": "stands beside a date", "x,x,,9:00,12:00,2026-02-30,,": "2026-02-30", "x,x,,,,,,": "is empty", "x,x,mon,8:00,9:00,,2026-05-02,2026-05-01": "last day before its first",
		"x,x,,12:00,12:00,2026-11-28,,": "same as the start", "x,x,,,,2026-11-28,,\nx,x,,9:00,10:00,2026-11-28,,": "once without hours",
	} {
		if _, _, err := Import(Snapshot{}, scheduleFile(strings.Split(row, "\n")...), cfg); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", row, err, text)
		}
	}
}

// D27: a date without hours only takes away; any other change of dates or of the days on which a schedule holds may give, where a
// right at level 2 or 3 has it.
func TestDatesOfASchedulePropose(t *testing.T) {
	base := Snapshot{
		Zones: []Zone{{ID: "room", Name: "室", Level: 2}}, People: []Person{{ID: "1", Name: "一", Category: Staff, Active: true}},
		Schedules: []Schedule{{ID: "s", Name: "時間", Windows: []Window{{Days: DayMonday, From: 1, To: 2}}, ValidFrom: Date{2026, 4, 1}, ValidUntil: Date{2027, 3, 31}, Dates: []DateHours{{Day: Date{2026, 5, 1}}}}},
		Grants:    []Grant{{ID: "g", Person: "1", Zone: "room", Schedule: "s", ValidUntil: Date{2027, 3, 31}}},
	}
	hours := []Window{{From: 1, To: 2}}
	for what, c := range map[string]struct {
		edit func(*Schedule)
		adds bool
	}{
		"a date without hours": {func(s *Schedule) { s.Dates = append(slices.Clone(s.Dates), DateHours{Day: Date{2026, 6, 1}}) }, false},
		"ends earlier":         {func(s *Schedule) { s.ValidUntil = Date{2026, 12, 31} }, false},
		"begins later":         {func(s *Schedule) { s.ValidFrom = Date{2026, 5, 1} }, false},
		"a date with hours": {func(s *Schedule) {
			s.Dates = append(slices.Clone(s.Dates), DateHours{Day: Date{2026, 6, 1}, Windows: hours})
		}, true},
		"a date gone":      {func(s *Schedule) { s.Dates = nil }, true},
		"hours for a date": {func(s *Schedule) { s.Dates = []DateHours{{Day: Date{2026, 5, 1}, Windows: hours}} }, true},
		"ends later":       {func(s *Schedule) { s.ValidUntil = Date{2027, 4, 1} }, true},
		"never ends":       {func(s *Schedule) { s.ValidUntil = Date{} }, true},
	} {
		next := base.clone()
		c.edit(&next.Schedules[0])
		if got := len(AddsRights(&base, &next, Diff(base, next))) > 0; got != c.adds {
			t.Errorf("%s: adds rights %v, want %v", what, got, c.adds)
		}
	}
	if (&Schedule{Windows: []Window{{Days: DayEvery, To: 86400}}, ValidUntil: Date{2026, 12, 31}}).Always() {
		t.Error("a schedule that ends is taken for one that always holds")
	}
}
