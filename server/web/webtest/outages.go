package webtest

import (
	"context"
	"fmt"
	"sync"

	"monban/server/visit"
	"monban/server/web"
)

// Outages keeps doors out of service, paper and drills in memory. Every moment is a gap of every door.
type Outages struct {
	m      *Memory
	mu     sync.Mutex
	out    []visit.Outage     // mu, as all below
	papers []visit.PaperEntry //
	drills []visit.Drill      //
}

// site reads the sample's directory.
func (o *Outages) site(ctx context.Context) (*visit.Site, int64, error) {
	s, err := o.m.Desk.VisitSite(ctx)
	return s, jst().UnixMilli(), err
}

func mark[T any](list []T, kind string) string { return fmt.Sprintf("%s-2026-%05d", kind, len(list)+1) }

// ListOutages implements web.Outages.
func (o *Outages) ListOutages(context.Context) ([]visit.Outage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]visit.Outage(nil), o.out...), nil
}

// BeginOutage implements web.Outages.
func (o *Outages) BeginOutage(ctx context.Context, x visit.Outage, by visit.Actor) error {
	s, now, err := o.site(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if x, err = visit.BeginOutage(x, by, now, s); err != nil {
		return err
	}
	x.ID = mark(o.out, visit.KindOutage)
	o.out = append(o.out, x)
	return nil
}

// EndOutage implements web.Outages.
func (o *Outages) EndOutage(_ context.Context, id, note string, by visit.Actor) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.out {
		if o.out[i].ID == id {
			return o.out[i].End(note, by, jst().UnixMilli())
		}
	}
	return web.ErrNotFound
}

// PaperEntries implements web.Outages.
func (o *Outages) PaperEntries(context.Context) ([]visit.PaperEntry, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]visit.PaperEntry(nil), o.papers...), nil
}

// TypePaper implements web.Outages.
func (o *Outages) TypePaper(ctx context.Context, x visit.PaperEntry, by visit.Actor) error {
	s, now, err := o.site(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, d := range s.Dir.Doors {
		if d.ID == x.Door {
			x.Zone = d.Enter
		}
	}
	if x, err = visit.TypePaper(x, []visit.Span{{}}, by, now); err != nil {
		return err
	}
	x.ID = mark(o.papers, visit.KindPaper)
	o.papers = append(o.papers, x)
	return nil
}

// ComparePaper implements web.Outages.
func (o *Outages) ComparePaper(_ context.Context, id string, by visit.Actor) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.papers {
		if o.papers[i].ID == id {
			return o.papers[i].Compare(by, jst().UnixMilli())
		}
	}
	return web.ErrNotFound
}

// Drills implements web.Outages.
func (o *Outages) Drills(context.Context) (out []visit.Drill, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.drills {
		if !x.Ended.Done() {
			out = append(out, x)
		}
	}
	return out, nil
}

// Disaster implements web.Outages.
func (o *Outages) Disaster(ctx context.Context) (*visit.Drill, error) {
	all, err := o.Drills(ctx)
	for i := range all {
		if all[i].Disaster {
			return &all[i], err
		}
	}
	return nil, err
}

// BeginDrill implements web.Outages.
func (o *Outages) BeginDrill(ctx context.Context, x visit.Drill, by visit.Actor) error {
	s, now, err := o.site(ctx)
	if err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if x, err = visit.BeginDrill(x, by, now, s); err != nil {
		return err
	}
	x.ID = mark(o.drills, visit.KindDrill)
	o.drills = append(o.drills, x)
	return nil
}

// EndDrill implements web.Outages.
func (o *Outages) EndDrill(_ context.Context, id string, by visit.Actor) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range o.drills {
		if o.drills[i].ID == id {
			return o.drills[i].End(by, jst().UnixMilli())
		}
	}
	return web.ErrNotFound
}
