package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"monban/server/config"
	"monban/server/rollout"
)

// rolloutRequest is what `update rollout` asks a running server for; without a verb how it stands.
type rolloutRequest struct {
	Verb    string `json:"verb,omitempty"` // begin, stop or resume
	Number  int64  `json:"number,omitempty"`
	First   string `json:"first,omitempty"`
	Without string `json:"without,omitempty"`
	By      string `json:"by,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// RolloutBegin is what BeginRollout needs.
type RolloutBegin struct {
	Dir    string // folder of the release
	Root   string // at the first time: the root, which came another way
	First  string // gateway that has the first turn, "" = who has the fewest controlled doors
	By     string
	Reason string
}

// BeginRollout checks a release, copies it to where the server serves it from, and has the running server begin.
func BeginRollout(ctx context.Context, cfg *config.Config, b RolloutBegin) (RolloutStatus, error) {
	if cfg.Updates.Listen == "" {
		return RolloutStatus{}, errors.New("[updates] listen is not set: gateways have nowhere to fetch a release from; set it and start the server anew")
	}
	switch s, err := AskRollout(ctx, cfg); { // before anything is copied
	case err != nil:
		return RolloutStatus{}, err
	case s.State == rollout.Running:
		return RolloutStatus{}, fmt.Errorf("the roll-out of version %s is running: stop it first", s.Version)
	}
	number, err := takeRelease(cfg, b.Dir, b.Root, time.Now())
	if err != nil {
		return RolloutStatus{}, err
	}
	return askRollout(ctx, cfg, rolloutRequest{Verb: "begin", Number: number, First: b.First, By: b.By, Reason: b.Reason})
}

// StopRollout has nobody get a turn any more.
func StopRollout(ctx context.Context, cfg *config.Config, by, reason string) (RolloutStatus, error) {
	return askRollout(ctx, cfg, rolloutRequest{Verb: "stop", By: by, Reason: reason})
}

// ResumeRollout goes on with a stopped roll-out; without names a gateway that is left out, "" = none.
func ResumeRollout(ctx context.Context, cfg *config.Config, without, by, reason string) (RolloutStatus, error) {
	return askRollout(ctx, cfg, rolloutRequest{Verb: "resume", Without: without, By: by, Reason: reason})
}

// AskRollout asks how it stands.
func AskRollout(ctx context.Context, cfg *config.Config) (RolloutStatus, error) {
	return askRollout(ctx, cfg, rolloutRequest{})
}

func askRollout(ctx context.Context, cfg *config.Config, q rolloutRequest) (RolloutStatus, error) {
	if err := served(cfg); err != nil {
		return RolloutStatus{}, err
	}
	a, err := askServer(ctx, cfg.Path(requestDir), request{Rollout: &q})
	if err != nil {
		return RolloutStatus{}, err
	}
	if a.Rollout == nil {
		return RolloutStatus{}, errors.New("the server that runs is too old to be asked")
	}
	return *a.Rollout, nil
}

// served is an error when no server uses the data directory.
func served(cfg *config.Config) error {
	l, err := lock(cfg.Path(lockFile))
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(errors.New("the server does not run: start it first; it alone gives gateways their turns"), l.Close())
}

// rolloutRequested does what `update rollout` asks this server for.
func (a *App) rolloutRequested(ctx context.Context, q *rolloutRequest) (out answer, err error) {
	by := author{name: q.By, from: "cli", reason: strings.TrimSpace(q.Reason)}
	if q.Verb != "" && (by.reason == "" || by.name == "") {
		return out, errors.New("a reason and a name are needed")
	}
	switch q.Verb {
	case "":
	case "begin":
		if a.updates == nil {
			return out, errors.New("this server runs without [updates] listen: start it anew with it")
		}
		err = a.rollouts.begin(ctx, q.Number, q.First, by)
	case "stop":
		err = a.rollouts.stop(ctx, by)
	case "resume":
		err = a.rollouts.resume(ctx, q.Without, by)
	default:
		err = errors.New("not a request")
	}
	if err != nil {
		return out, err
	}
	s := a.rollouts.status()
	out.Rollout = &s
	return out, nil
}
