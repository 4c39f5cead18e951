package webtest

import (
	"context"
	"time"

	"monban/server/web"
)

// Retention is a memory of what is kept, held and disposed of.
type Retention struct {
	m     *Memory
	runs  []web.RetentionRun
	holds []web.RetentionHold
	years map[string]int
	asker map[string]string // hold → account that asked for its release
}

// RetentionBook implements web.Retention.
func (r *Retention) RetentionBook(context.Context) (web.RetentionBook, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	book := web.RetentionBook{
		Rules: []web.RetentionRule{{Class: "register", Years: 3}, {Class: "action", Years: 3}, {Class: "violation", Years: 5}, {Class: "directory", Years: 3}, {Class: "system"}},
		Items: []web.RetentionItem{{Class: "register", Year: 2021, Count: 48211, DueOn: "2025-04-01", Due: true}, {Class: "action", Year: 2021, Count: 912, DueOn: "2025-04-01", Due: true},
			{Class: "violation", Year: 2019, Count: 31, DueOn: "2025-04-01", Due: true, Open: 2}, {Class: "register", Year: 2026, Count: 31007, DueOn: "2030-04-01"}},
		Runs: r.runs, Holds: r.holds,
	}
	for i := range book.Rules {
		if n := r.years[book.Rules[i].Class]; n > 0 {
			book.Rules[i].Years = n
		}
	}
	for i := range book.Items {
		x := &book.Items[i]
		for _, h := range r.holds {
			if h.State != "released" && (h.Class == "" || h.Class == x.Class) && h.FromFY <= x.Year && x.Year <= h.ToFY {
				x.Holds = append(x.Holds, h.ID)
			}
		}
		for _, d := range r.runs {
			x.Asked = x.Asked || d.Class == x.Class && d.Year == x.Year && d.State != "done" && d.State != "withdrawn"
		}
	}
	return book, nil
}

// DisposalRun implements web.Retention.
func (r *Retention) DisposalRun(_ context.Context, id string) (web.RetentionRun, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for _, d := range r.runs {
		if d.ID == id {
			return d, nil
		}
	}
	return web.RetentionRun{}, web.ErrNotFound
}

// SetRetention implements web.Retention.
func (r *Retention) SetRetention(_ context.Context, class string, years int, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if years < 1 || years > 100 || class == "system" || class == "" {
		return web.ErrBadRetention
	}
	if r.years == nil {
		r.years = map[string]int{}
	}
	r.years[class] = years
	return r.m.record(act)
}

// AskDisposal implements web.Retention.
func (r *Retention) AskDisposal(ctx context.Context, class string, year int, act web.Action) error {
	book, err := r.RetentionBook(ctx)
	if err != nil {
		return err
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for _, x := range book.Items {
		switch {
		case x.Class != class || x.Year != year:
			continue
		case !x.Due:
			return web.ErrNotAllowed
		case len(x.Holds) > 0:
			return web.ErrHeld
		case x.Open > 0:
			return web.ErrOpenCases
		case x.Asked:
			return web.ErrExists
		}
		r.runs = append(r.runs, web.RetentionRun{ID: "disposal-2026-0000" + string(rune('1'+len(r.runs))), Class: class, Year: year, State: "asked", Count: x.Count, Asked: act.At, AskedBy: "加藤", Asker: act.Actor, Started: -1, Done: -1})
		return r.m.record(act)
	}
	return web.ErrNotFound
}

// DecideDisposal implements web.Retention.
func (r *Retention) DecideDisposal(_ context.Context, id string, approve bool, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for i := range r.runs {
		d := &r.runs[i]
		switch {
		case d.ID != id:
			continue
		case d.State != "asked" && (approve || d.State != "approved"):
			return web.ErrTooLate
		case !approve:
			d.State = "withdrawn"
		case d.Asker == act.Actor:
			return web.ErrSamePerson
		default:
			d.State, d.Approved, d.ApprovedBy = "approved", act.At, "佐藤"
		}
		return r.m.record(act)
	}
	return web.ErrNotFound
}

// PlaceHold implements web.Retention.
func (r *Retention) PlaceHold(_ context.Context, class string, from, to int, until string, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if _, err := time.Parse(time.DateOnly, until); err != nil || from < 1970 || to < from {
		return web.ErrBadRetention
	}
	r.holds = append(r.holds, web.RetentionHold{ID: "hold-0000" + string(rune('1'+len(r.holds))), Class: class, FromFY: from, ToFY: to, Until: until, State: "held", By: "加藤", Why: act.Reason})
	return r.m.record(act)
}

// ReleaseHold implements web.Retention.
func (r *Retention) ReleaseHold(_ context.Context, id string, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for i := range r.holds {
		h := &r.holds[i]
		switch {
		case h.ID != id:
			continue
		case h.State == "released":
			return web.ErrTooLate
		case h.State == "held":
			h.State = "release_asked"
			if r.asker == nil {
				r.asker = map[string]string{}
			}
			r.asker[id] = act.Actor
		case r.asker[id] == act.Actor:
			return web.ErrSamePerson
		default:
			h.State = "released"
		}
		return r.m.record(act)
	}
	return web.ErrNotFound
}
