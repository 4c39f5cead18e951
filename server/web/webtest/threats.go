package webtest

import (
	"context"

	"monban/server/review"
	"monban/server/web"
)

// Threats is web.Threats in memory.
type Threats struct {
	m   *Memory
	all review.ThreatCatalogue // m.mu
}

// Threats implements web.Threats.
func (t *Threats) Threats(context.Context) (review.ThreatCatalogue, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	return t.all, nil
}

// SaveThreats implements web.Threats.
func (t *Threats) SaveThreats(ctx context.Context, names map[review.Threat]review.ThreatName, act web.Action) error {
	t.m.mu.Lock()
	next, changed, err := t.all.Changed(names, act.At.UnixMilli())
	t.m.mu.Unlock()
	if err != nil {
		return web.FormFault{{Field: "reason", Word: "refused"}}
	}
	if !changed {
		return nil
	}
	if err := t.m.RecordAction(ctx, act); err != nil {
		return err
	}
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.all = next
	return nil
}
