package webtest

import (
	"context"
	"time"

	"monban/server/review"
	"monban/server/web"
)

// Thresholds is web.Thresholds in memory: the configuration asks for one number that finds more and two that find less.
type Thresholds struct {
	m      *Memory
	agreed *review.Settings // m.mu; nil = nobody gave their word
	looked *review.Settings // m.mu; nil = nobody looked
	// Busy has looks refused.
	Busy bool
}

// PreviewThresholds implements web.Thresholds: a look is over at once.
func (t *Thresholds) PreviewThresholds(_ context.Context, others review.Settings) (string, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	if t.Busy {
		return "", web.ErrTooMany
	}
	t.looked = &others
	return "DONE", nil
}

// ThresholdPreview implements web.Thresholds: DONE found something, RUNNING goes on, FAILED has failed.
func (t *Thresholds) ThresholdPreview(_ context.Context, id string) (web.ThresholdPreview, error) {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	until := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	p := web.ThresholdPreview{Others: review.DefaultSettings(), From: until.AddDate(0, 0, -web.PreviewDays), Until: until, Of: 24_000}
	p.Others.UnknownCards = 8
	if t.looked != nil {
		p.Others = *t.looked
	}
	switch id {
	case "RUNNING":
		p.Done = 6_000
	case "FAILED":
		p.Over, p.Failed = true, true
	case "DONE":
		p.Over, p.Done = true, p.Of
		p.Kinds = []web.PreviewedKind{
			{Kind: "unknown_card_repeated", Now: 3, Others: 1, Gone: []web.PreviewedItem{
				{At: until.Add(-50 * time.Hour), Gateway: "gw-1", Door: "server-room"}, {At: until.Add(-26 * time.Hour), Gateway: "gw-2", Door: "media-store"},
			}},
			{Kind: "overstay", Now: 1, Others: 2, Further: []web.PreviewedItem{{At: until.Add(-8 * time.Hour), Gateway: "gw-2", Door: "media-store"}}},
			{Kind: "first_use", Now: 4, Others: 4},
		}
	default:
		return p, web.ErrNotFound
	}
	return p, nil
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
