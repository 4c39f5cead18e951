package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// outages implements web.Outages over the matters.
type outages struct {
	*Visits
	health *health
}

const twoMonths = 62 * 24 * 3_600_000

// recent reads the matters of a kind that are open or began within the last two months, newest first.
func recent[T any, P interface {
	*T
	visit.Matter
}](r store.Reader, kind string, nowMS int64) ([]T, error) {
	rows, err := r.OpenMatters(kind)
	if err != nil {
		return nil, err
	}
	more, err := r.MattersBetween(kind, nowMS-twoMonths, nowMS+twoMonths)
	for _, m := range more {
		if !m.Open {
			rows = append(rows, m)
		}
	}
	slices.SortFunc(rows, func(a, b store.Matter) int { return strings.Compare(b.ID, a.ID) })
	return list[T, P](r, rows, err)
}

// ListOutages implements web.Outages.
func (o *outages) ListOutages(ctx context.Context) (out []visit.Outage, err error) {
	err = o.read(ctx, func(r store.Reader, _ *visit.Site) error {
		out, err = recent[visit.Outage](r, visit.KindOutage, o.nowMS())
		return err
	})
	return out, err
}

// BeginOutage implements web.Outages.
func (o *outages) BeginOutage(ctx context.Context, x visit.Outage, by visit.Actor) error {
	_, err := begin(ctx, o.Visits, visit.KindOutage, false, deed{by, "door_out_of_service", x.Why}, func(t *visitTx, id string) (none visit.Outage, err error) {
		open, err := list[visit.Outage](openOf(t.Reader, visit.KindOutage))
		if err != nil {
			return none, err
		}
		if slices.ContainsFunc(open, func(y visit.Outage) bool { return y.Door == x.Door }) {
			return none, visit.ErrState
		}
		x, err := visit.BeginOutage(x, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return err
}

// EndOutage implements web.Outages.
func (o *outages) EndOutage(ctx context.Context, id, note string, by visit.Actor) error {
	_, err := step(ctx, o.Visits, visit.KindOutage, id, false, deed{by, "door_in_service", note}, func(t *visitTx, m *visit.Outage) error { return m.End(note, by, t.nowMS) })
	return err
}

// PaperEntries implements web.Outages.
func (o *outages) PaperEntries(ctx context.Context) (out []visit.PaperEntry, err error) {
	err = o.read(ctx, func(r store.Reader, _ *visit.Site) error {
		out, err = recent[visit.PaperEntry](r, visit.KindPaper, o.nowMS())
		return err
	})
	return out, err
}

// TypePaper implements web.Outages.
func (o *outages) TypePaper(ctx context.Context, x visit.PaperEntry, by visit.Actor) error {
	_, err := begin(ctx, o.Visits, visit.KindPaper, false, deed{by, "paper_entry_typed", ""}, func(t *visitTx, id string) (none visit.PaperEntry, err error) {
		i := slices.IndexFunc(t.site.Dir.Doors, func(d directory.Door) bool { return d.ID == x.Door })
		if i < 0 {
			return none, &visit.Error{Word: visit.ErrUnknown.Word, Field: "door", Text: visit.ErrUnknown.Text}
		}
		d := &t.site.Dir.Doors[i]
		gaps, err := o.gaps(t, d, min(x.InMS, t.nowMS))
		if err != nil {
			return none, err
		}
		x.Zone = d.Enter
		x, err := visit.TypePaper(x, gaps, by, t.nowMS)
		x.ID = id
		return x, err
	}, nil)
	return err
}

// gaps are the times since fromMS of which a door's records are missing: its gateway was not heard, or the door was declared out of service.
func (o *outages) gaps(t *visitTx, d *directory.Door, fromMS int64) (out []visit.Span, err error) {
	silent, err := t.CoverageOf(fromMS, t.nowMS+1)
	if err != nil {
		return nil, err
	}
	for _, g := range silent {
		if g.Gateway == string(d.Gateway) {
			out = append(out, visit.Span{FromMS: g.FromMS, ToMS: g.ToMS})
		}
	}
	if g, ok := o.health.silence(d.Gateway, time.UnixMilli(t.nowMS)); ok {
		out = append(out, visit.Span{FromMS: g.From.UnixMilli()})
	}
	all, err := recent[visit.Outage](t.Reader, visit.KindOutage, t.nowMS)
	for i := range all {
		if all[i].Door == d.ID {
			out = append(out, visit.Span{FromMS: all[i].FromMS, ToMS: all[i].Until()})
		}
	}
	return out, err
}

// ComparePaper implements web.Outages.
func (o *outages) ComparePaper(ctx context.Context, id string, by visit.Actor) error {
	_, err := step(ctx, o.Visits, visit.KindPaper, id, false, deed{by, "paper_entry_compared", ""}, func(t *visitTx, m *visit.PaperEntry) error {
		if err := t.twoAccounts(m.Typed, by); err != nil {
			return err
		}
		return m.Compare(by, t.nowMS)
	})
	return err
}

// Drills implements web.Outages.
func (o *outages) Drills(ctx context.Context) (out []visit.Drill, err error) {
	err = o.read(ctx, func(r store.Reader, _ *visit.Site) error {
		out, err = list[visit.Drill](openOf(r, visit.KindDrill))
		return err
	})
	return slices.DeleteFunc(out, func(x visit.Drill) bool { return x.UntilMS <= o.nowMS() }), err // over by itself, also before the sweep
}

// Disaster implements web.Outages.
func (o *outages) Disaster(ctx context.Context) (*visit.Drill, error) {
	all, err := o.Drills(ctx)
	if i := slices.IndexFunc(all, func(x visit.Drill) bool { return x.Disaster }); i >= 0 {
		return &all[i], err
	}
	return nil, err
}

// BeginDrill implements web.Outages.
func (o *outages) BeginDrill(ctx context.Context, x visit.Drill, by visit.Actor) error {
	verb := "drill_begun"
	if x.Disaster {
		verb = "disaster_begun"
	}
	_, err := begin(ctx, o.Visits, visit.KindDrill, false, deed{by, verb, x.Why}, func(t *visitTx, id string) (visit.Drill, error) {
		x, err := visit.BeginDrill(x, by, t.nowMS, t.site)
		x.ID = id
		return x, err
	}, nil)
	return err
}

// EndDrill implements web.Outages.
func (o *outages) EndDrill(ctx context.Context, id string, by visit.Actor) error {
	_, err := step(ctx, o.Visits, visit.KindDrill, id, false, deed{by, "drill_ended", ""}, func(t *visitTx, m *visit.Drill) error { return m.End(by, t.nowMS) })
	return err
}

// withPaper adds to a zone's rows what was typed in from paper, in the order of time (OP-8). A line that nobody has compared says so.
func (b *book) withPaper(rows []web.RegisterRow, zone access.ZoneID, from, to directory.Date, show bool) []web.RegisterRow {
	tree := zoneTree{}
	for z, parent := range b.tree {
		tree[access.ZoneID(z)] = access.ZoneID(parent)
	}
	n := len(rows)
	for i := range b.paper {
		x := &b.paper[i]
		day := directory.DateOf(time.UnixMilli(x.InMS).In(b.zone))
		if !tree.within(x.Zone, zone) || day.Before(from) || to.Before(day) {
			continue
		}
		r := web.RegisterRow{
			State: register.Complete, Day: day.String(), Door: b.names.door(x.Door), EnteredAt: moment(x.InMS), ExitedAt: moment(x.OutMS), Last: uint64(b.paperLeaf[x.ID]),
			Paper: x.No, PurposeSource: "paper", PaperTyped: accountName(b.r, x.Typed.Account),
		}
		if x.Second.Done() {
			r.PaperSecond = accountName(b.r, x.Second.Account)
		}
		if x.OutMS == 0 {
			r.State = register.ExitNotRecorded
		}
		if show {
			r.Who.Name, r.Who.Section, r.Purpose = x.Name, x.Company, x.Purpose
		}
		rows = append(rows, r)
	}
	if len(rows) > n {
		slices.SortStableFunc(rows, func(a, b web.RegisterRow) int { return a.Begins().Compare(b.Begins()) })
	}
	return rows
}

// drilled reports whether a door was in a drill at a moment (OP-6).
func drilled(r store.Reader, door string, atMS int64) (bool, error) {
	if door == "" {
		return false, nil
	}
	return r.MatterAtDoor(visit.KindDrill, door, atMS)
}
