package webtest

import (
	"context"

	"monban/server/review"
	"monban/server/web"
)

// Thresholds is web.Thresholds in memory: the configuration asks for one number that finds more and two that find less.
type Thresholds struct {
	m      *Memory
	agreed *review.Settings // m.mu; nil = nobody gave their word
}

// Thresholds implements web.Thresholds.
func (t *Thresholds) Thresholds(context.Context) (web.ThresholdState, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	out := web.ThresholdState{Running: review.DefaultSettings(), Agreed: review.DefaultSettings(), Asked: review.DefaultSettings()}
	out.Asked.UnknownCards, out.Asked.OverstayMS[1], out.Asked.Flood = 8, 0, 20
	if t.agreed != nil {
		out.Agreed = *t.agreed
	}
	return out, nil
}

// AgreeThresholds implements web.Thresholds.
func (t *Thresholds) AgreeThresholds(_ context.Context, asked review.Settings, act web.Action) error {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if t.agreed != nil && t.agreed.Same(&asked) {
		return web.ErrState
	}
	t.agreed = &asked
	t.m.actions = append(t.m.actions, act)
	return nil
}
