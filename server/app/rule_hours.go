package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/web"
)

// previewDays is how far a form of a schedule looks ahead.
const previewDays = 14

// RuleSchedules implements web.Rules.
func (r *rulePages) RuleSchedules(ctx context.Context, days int) (out []web.RuleSchedule, err error) {
	dir, err := r.registry.Directory(ctx)
	if err != nil {
		return nil, err
	}
	rows := ruleRows(ctx, &dir, directory.KindSchedules)
	grants := map[directory.ScheduleID]int{}
	for i := range dir.Grants {
		grants[dir.Grants[i].Schedule]++
	}
	for i := range dir.Schedules {
		s := &dir.Schedules[i]
		x := web.RuleSchedule{RuleRow: rows[i], Windows: windowsToWeb(s.Windows), From: s.ValidFrom.String(), Until: s.ValidUntil.String(), Grants: grants[s.ID]}
		for _, d := range s.Dates {
			x.Dates = append(x.Dates, web.RuleDate{Day: d.Day.String(), Windows: windowsToWeb(d.Windows)})
		}
		if x.Days, err = r.acts(&dir, s, days); err != nil {
			return nil, fmt.Errorf("schedule %s: %w", s.ID, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func windowsToWeb(list []directory.Window) (out []web.RegWindow) {
	for _, w := range list {
		span := web.RegWindow{From: w.From, To: w.To}
		for bit, word := range dayWords {
			if w.Days&(1<<bit) != 0 {
				span.Days = append(span.Days, word)
			}
		}
		out = append(out, span)
	}
	return out
}

// acts says how a schedule acts on each of the next days.
func (r *rulePages) acts(dir *directory.Snapshot, s *directory.Schedule, days int) (out []web.RuleDay, err error) {
	zone, today := r.registry.store.Zone(), r.registry.Today()
	spans, err := policypub.Hours(dir, s, zone, today.Start(zone), today.AddDays(days).Start(zone))
	if err != nil {
		return nil, err
	}
	for n := range days {
		day := today.AddDays(n)
		x := web.RuleDay{Day: day.String()}
		if i := slices.IndexFunc(dir.ClosedDays, func(c directory.ClosedDay) bool { return c.Day == day }); i >= 0 {
			x.Closed = dir.ClosedDays[i].Name
		}
		x.Dated = slices.ContainsFunc(s.Dates, func(d directory.DateHours) bool { return d.Day == day })
		x.Beyond = !x.Dated && (!s.ValidFrom.IsZero() && day.Before(s.ValidFrom) || !s.ValidUntil.IsZero() && s.ValidUntil.Before(day))
		from, to := day.Start(zone), day.AddDays(1).Start(zone)
		for _, span := range spans {
			a, b := later(time.UnixMilli(span.StartMS), from), time.UnixMilli(span.EndMS)
			if b.After(to) {
				b = to
			}
			if a.Before(b) {
				x.Spans = append(x.Spans, web.RuleSpan{From: secondOf(a.In(zone), from), To: secondOf(b.In(zone), from)})
			}
		}
		out = append(out, x)
	}
	return out, nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// secondOf is the second of the day that a clock on the wall shows; the next midnight is 86400.
func secondOf(t, day time.Time) int {
	if t.YearDay() != day.YearDay() || t.Year() != day.Year() {
		return 24 * 3600
	}
	return t.Hour()*3600 + t.Minute()*60 + t.Second()
}
