package app

import (
	"context"
	"errors"
	"time"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/store"
	"monban/server/web"
)

// retainPages implements web.Retention.
type retainPages struct{ t *Retainer }

func operatorOf(a web.Action) Operator { return Operator{Account: a.Actor, Address: a.Address} }

// retained turns this package's errors into those of the pages.
func retained(err error) error {
	switch {
	case errors.Is(err, store.ErrHeld):
		return web.ErrHeld
	case errors.Is(err, store.ErrOpenCases):
		return web.ErrOpenCases
	case errors.Is(err, errNoReason), errors.Is(err, errNoName), errors.Is(err, errBadRetention):
		return web.ErrBadRetention
	}
	return mapped(err)
}

// RetentionBook implements web.Retention.
func (p *retainPages) RetentionBook(ctx context.Context) (out web.RetentionBook, err error) {
	plan, err := p.t.Plan(ctx)
	if err != nil {
		return out, err
	}
	for _, r := range plan.Rules {
		out.Rules = append(out.Rules, web.RetentionRule{Class: string(r.Class), Years: r.Years})
	}
	open := map[keystore.Period]bool{}
	err = p.t.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		if err != nil {
			return err
		}
		for _, d := range runs {
			if d.State != store.RunDone && d.State != store.RunWithdrawn {
				open[keystore.Period{Class: d.Class, FiscalYear: d.Year}] = true
			}
			out.Runs = append(out.Runs, p.t.runOf(r.Reader, d))
		}
		holds, err := r.Holds()
		for _, h := range holds {
			x := web.RetentionHold{ID: h.ID, Class: string(h.Class), FromFY: h.FromFY, ToFY: h.ToFY, Until: h.Until, State: h.State, By: accountName(r.Reader, h.PlacedBy)}
			if o, err := r.Opening(h.PlacedIdx); err == nil { // gone with its year: the hold stays
				x.Why = o.Text
			}
			out.Holds = append(out.Holds, x)
		}
		return err
	})
	for _, x := range plan.Items {
		y := web.RetentionItem{Class: string(x.Class), Year: x.Year, Count: x.Count, Due: x.Due, Open: x.Open, Holds: x.Holds, Asked: open[keystore.Period{Class: x.Class, FiscalYear: x.Year}]}
		if !x.DueOn.IsZero() {
			y.DueOn = x.DueOn.String()
		}
		out.Items = append(out.Items, y)
	}
	return out, err
}

func (t *Retainer) runOf(r store.Reader, d store.DisposalRun) web.RetentionRun {
	x := web.RetentionRun{ID: d.ID, Class: string(d.Class), Year: d.Year, State: d.State, Count: d.Count, Rows: d.Rows, Asked: time.UnixMilli(d.AskedMS), AskedBy: accountName(r, d.AskedBy), Asker: d.AskedBy,
		Started: d.Started, Done: d.Done}
	if t.void(d) {
		x.State = "void"
	}
	if d.ApprovedBy != "" {
		x.Approved, x.ApprovedBy = time.UnixMilli(d.ApprovedMS), accountName(r, d.ApprovedBy)
	}
	if d.DoneMS > 0 {
		x.DoneAt = time.UnixMilli(d.DoneMS)
	}
	return x
}

// DisposalRun implements web.Retention.
func (p *retainPages) DisposalRun(ctx context.Context, id string) (out web.RetentionRun, err error) {
	err = p.t.store.Read(ctx, func(r *store.ReadTx) error {
		d, err := r.DisposalRun(id)
		out = p.t.runOf(r.Reader, d)
		return err
	})
	return out, mapped(err)
}

// SetRetention implements web.Retention.
func (p *retainPages) SetRetention(ctx context.Context, class string, years int, act web.Action) error {
	return retained(p.t.SetYears(ctx, entrylog.Class(class), years, act.Reason, operatorOf(act)))
}

// AskDisposal implements web.Retention.
func (p *retainPages) AskDisposal(ctx context.Context, class string, year int, act web.Action) error {
	_, err := p.t.Ask(ctx, entrylog.Class(class), year, act.Reason, operatorOf(act))
	return retained(err)
}

// DecideDisposal implements web.Retention.
func (p *retainPages) DecideDisposal(ctx context.Context, id string, approve bool, act web.Action) error {
	return retained(p.t.Approve(ctx, id, act.Reason, !approve, operatorOf(act)))
}

// PlaceHold implements web.Retention.
func (p *retainPages) PlaceHold(ctx context.Context, class string, from, to int, until string, act web.Action) error {
	_, err := p.t.PlaceHold(ctx, entrylog.Class(class), from, to, until, act.Reason, operatorOf(act))
	return retained(err)
}

// ReleaseHold implements web.Retention.
func (p *retainPages) ReleaseHold(ctx context.Context, id string, act web.Action) error {
	_, err := p.t.ReleaseHold(ctx, id, act.Reason, operatorOf(act))
	return retained(err)
}
