package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
)

// Rollouts is the roll-out of a release to the gateways.
type Rollouts interface {
	// Rollout gives how the newest one stands; the zero one when there was never one.
	Rollout(ctx context.Context) (Rollout, error)
	// StopRollout gives nobody a turn any more; ErrRolloutOver when none is running.
	StopRollout(ctx context.Context, act Action) error
	// ResumeRollout goes on, without a gateway when one is named; ErrRolloutOver when none is stopped, ErrNotFound for a gateway that is not in it.
	ResumeRollout(ctx context.Context, without access.GatewayID, act Action) error
}

// ErrRolloutOver says that a roll-out is not in the state for that any more.
var ErrRolloutOver = errors.New("the roll-out has gone on meanwhile")

// Rollout is how one stands. State, cause, stage and word are those of server/rollout.
type Rollout struct {
	Version  string // "" = there was never one
	State    string
	Cause    string
	Where    access.GatewayID // of the cause
	Began    time.Time
	Gateways []RolloutGateway
}

// RolloutGateway is one line of it.
type RolloutGateway struct {
	ID    access.GatewayID
	Stage string
	Word  string    // what it said last, "" = nothing
	Heard time.Time // zero = not since the server has started
	Done  time.Time
}

// Kinds of actions of the page.
const (
	ActionRolloutStopped ActionKind = "rollout_stopped"
	ActionRolloutResumed ActionKind = "rollout_resumed"
)
