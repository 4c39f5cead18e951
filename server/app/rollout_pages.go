package app

import (
	"context"
	"fmt"

	"monban/firmware/access"
	"monban/server/rollout"
	"monban/server/web"
)

// rolloutPages implements web.Rollouts.
type rolloutPages struct{ r *rollouts }

func authorOf(act web.Action) author {
	return author{account: act.Actor, from: originOf(act), address: addressOf(act), reason: act.Reason}
}

// Rollout implements web.Rollouts.
func (p rolloutPages) Rollout(context.Context) (web.Rollout, error) {
	s := p.r.status()
	out := web.Rollout{Version: s.Version, State: string(s.State), Cause: string(s.Cause), Where: access.GatewayID(s.Where), Began: s.Began}
	for _, g := range s.Gateways {
		out.Gateways = append(out.Gateways, web.RolloutGateway{ID: access.GatewayID(g.ID), Stage: string(g.Stage), Word: string(g.Word), Heard: g.Heard, Done: g.Done})
	}
	return out, nil
}

// StopRollout implements web.Rollouts.
func (p rolloutPages) StopRollout(ctx context.Context, act web.Action) error {
	if p.r.status().State != rollout.Running {
		return web.ErrRolloutOver
	}
	return p.r.stop(ctx, authorOf(act))
}

// ResumeRollout implements web.Rollouts.
func (p rolloutPages) ResumeRollout(ctx context.Context, without access.GatewayID, act web.Action) error {
	s := p.r.status()
	if s.State != rollout.Stopped {
		return web.ErrRolloutOver
	}
	known := without == ""
	for _, g := range s.Gateways {
		known = known || g.ID == string(without)
	}
	if !known {
		return fmt.Errorf("gateway %q: %w", without, web.ErrNotFound)
	}
	return p.r.resume(ctx, string(without), authorOf(act))
}
