package webtest

import (
	"context"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// Rollouts is a memory of a roll-out that the second of four gateways has stopped.
type Rollouts struct {
	m  *Memory
	mu sync.Mutex

	Now web.Rollout
}

func newRollouts(m *Memory) *Rollouts {
	now := jst()
	return &Rollouts{m: m, Now: web.Rollout{Version: "0.9~20261127", State: "stopped", Cause: "rolled_back", Where: "gw-2", Began: now.Add(-time.Hour), Gateways: []web.RolloutGateway{
		{ID: "gw-1", Stage: "done", Word: "kept", Heard: now, Done: now.Add(-20 * time.Minute)},
		{ID: "gw-2", Stage: "waiting", Word: "failed", Heard: now},
		{ID: "gw-3", Stage: "left_out", Word: "refused", Heard: now.Add(-9 * time.Minute)},
		{ID: "gw-4", Stage: "waiting"},
	}}}
}

// Rollout implements web.Rollouts.
func (r *Rollouts) Rollout(context.Context) (web.Rollout, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Now, nil
}

// StopRollout implements web.Rollouts.
func (r *Rollouts) StopRollout(ctx context.Context, act web.Action) error {
	return r.turn(ctx, "running", "stopped", "person", "", act)
}

// ResumeRollout implements web.Rollouts.
func (r *Rollouts) ResumeRollout(ctx context.Context, without access.GatewayID, act web.Action) error {
	return r.turn(ctx, "stopped", "running", "", without, act)
}

func (r *Rollouts) turn(ctx context.Context, from, to, cause string, without access.GatewayID, act web.Action) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Now.State != from {
		return web.ErrRolloutOver
	}
	for i := range r.Now.Gateways {
		if g := &r.Now.Gateways[i]; g.ID == without {
			g.Stage, without = "left_out", ""
		}
	}
	if without != "" {
		return web.ErrNotFound
	}
	if err := r.m.RecordAction(ctx, act); err != nil {
		return err
	}
	r.Now.State, r.Now.Cause, r.Now.Where = to, cause, ""
	return nil
}
