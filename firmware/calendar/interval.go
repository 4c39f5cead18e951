package calendar

import (
	"errors"
	"slices"
	"time"
)

// Interval is a span of time in Unix milliseconds, start included, end excluded.
type Interval struct {
	StartMS int64 `json:"start_ms"`
	EndMS   int64 `json:"end_ms"`
}

// Compile lists the spans between from and to in which the schedule holds: sorted, not touching,
// and exactly the instants for which Contains is true. Who has the list needs no location any more.
// A range of more than 100 years or a nil location is an error.
func Compile(s *Schedule, c *Calendar, loc *time.Location, from, to time.Time) ([]Interval, error) {
	if loc == nil {
		return nil, errors.New("compile schedule: no location")
	}
	if to.Before(from) || DateOf(to).Sub(DateOf(from)) > 100*366 {
		return nil, errors.New("compile schedule: range is negative or longer than 100 years")
	}
	var out []Interval
	for from.Before(to) {
		// Within one zone period the wall clock runs evenly.
		_, end := from.In(loc).ZoneBounds()
		if end.IsZero() || end.After(to) {
			end = to
		}
		out = s.even(out, c, loc, from, end)
		from = end
	}
	return merge(out), nil
}

// even adds the spans between from and to, during which the offset from UTC is one.
func (s *Schedule) even(out []Interval, c *Calendar, loc *time.Location, from, to time.Time) []Interval {
	_, offset := from.In(loc).Zone()
	first, last := DateOf(from.In(loc)), DateOf(to.Add(time.Duration(offset)*time.Second).UTC())
	for d := first.AddDays(-1); !d.After(last); d = d.AddDays(1) {
		midnight := d.utc().UnixMilli() - int64(offset)*1000
		sort, windows := s.begin(c, d)
		for _, w := range windows {
			if !w.on(sort) {
				continue
			}
			until := w.To
			if w.overnight() {
				until += secondsPerDay
			}
			span := Interval{
				max(midnight+int64(w.From)*1000, ceilMilli(from)),
				min(midnight+int64(until)*1000, ceilMilli(to)),
			}
			if span.StartMS < span.EndMS {
				out = append(out, span)
			}
		}
	}
	return out
}

// ceilMilli is the first millisecond that is not before t.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// merge sorts and joins spans that overlap or touch.
func merge(in []Interval) []Interval {
	slices.SortFunc(in, func(a, b Interval) int {
		switch {
		case a.StartMS < b.StartMS:
			return -1
		case a.StartMS > b.StartMS:
			return 1
		}
		return 0
	})
	out := in[:0]
	for _, i := range in {
		if n := len(out); n > 0 && i.StartMS <= out[n-1].EndMS {
			out[n-1].EndMS = max(out[n-1].EndMS, i.EndMS)
			continue
		}
		out = append(out, i)
	}
	return out
}

// ContainsMS reports whether ms lies in one of the sorted spans.
func ContainsMS(spans []Interval, ms int64) bool {
	i, found := slices.BinarySearchFunc(spans, ms, func(s Interval, ms int64) int {
		switch {
		case ms < s.StartMS:
			return 1
		case ms >= s.EndMS:
			return -1
		}
		return 0
	})
	return found && spans[i].StartMS <= ms
}

// NextChange is the first instant after t at which the schedule begins or ceases to hold. ok is
// false when nothing changes for ten years and more.
func (s *Schedule) NextChange(c *Calendar, t time.Time, loc *time.Location) (at time.Time, ok bool) {
	if loc == nil || len(s.Windows) == 0 && len(s.Exceptions) == 0 {
		return time.Time{}, false
	}
	now := s.Contains(c, t, loc)
	for step, from := 8, t; step < 366*10*2; step *= 2 {
		to := t.AddDate(0, 0, step)
		spans, err := Compile(s, c, loc, from, to)
		if err != nil {
			return time.Time{}, false
		}
		for _, i := range spans {
			for _, ms := range [...]int64{i.StartMS, i.EndMS} {
				if at := time.UnixMilli(ms).In(loc); s.Contains(c, at, loc) != now {
					return at, true
				}
			}
		}
		from = to
	}
	return time.Time{}, false
}
