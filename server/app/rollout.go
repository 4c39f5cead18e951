package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/rollout"
	"monban/server/store"
)

// rolloutLook is how often it is looked whether a turn is over or has to end.
const rolloutLook = 5 * time.Second

// rollouts is the roll-out of a release to the gateways (ADR 0084). What server/rollout decides is in the database, with its leaves, before a
// gateway hears of it.
//
// The doors: a server that cannot write, or that ends, gives no turn; gateways go on with the program that they have.
type rollouts struct {
	store    *store.Store
	dir      string // folder of releases
	rules    rollout.Rules
	hours    func(time.Time) (since time.Time, open bool)
	heard    func(access.GatewayID) time.Time // the last heartbeat; zero = none
	gateways func() []rollout.Candidate
	now      func() time.Time
	since    time.Time // since when this server listens
	log      *slog.Logger

	mu    sync.Mutex
	id    int64 // key of plan, 0 = there was never one
	plan  rollout.Plan
	files *releaseFiles // of plan; nil = not readable
	seen  map[string]rollout.Seen
}

// author is who wants something, for its leaf. The zero author is the server itself.
type author struct {
	account, name, from, address, reason string
}

func newRollouts(ctx context.Context, a *App) (*rollouts, error) {
	r := &rollouts{
		store: a.site.Store, dir: a.site.Config.Path(rolloutDir), now: time.Now, since: time.Now(), log: a.log, seen: map[string]rollout.Seen{},
		rules: rollout.Rules{Settle: a.site.Config.Updates.Settle.Std(), Limit: a.site.Config.Updates.Limit.Std()},
		hours: func(at time.Time) (time.Time, bool) {
			return a.site.Config.Updates.Hours(at, a.site.Config.Location())
		},
		heard: func(gw access.GatewayID) time.Time {
			b, _ := a.health.last(gw) // zero when it was never heard
			return b.at
		},
		gateways: func() []rollout.Candidate { return candidates(*a.pub.Site().Directory()) },
	}
	return r, r.load(ctx)
}

// load takes up the roll-out that the database knows.
func (r *rollouts) load(ctx context.Context) error {
	err := r.store.Read(ctx, func(tx *store.ReadTx) (err error) {
		r.id, r.plan, err = tx.Rollout()
		return err
	})
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("roll-out: %w", err)
	case r.plan.State == rollout.Done:
		return nil
	}
	if r.files, err = openRelease(r.dir, r.plan.Number, r.now()); err != nil { // no gateway gets anything; in its time the roll-out stops
		r.log.LogAttrs(ctx, slog.LevelError, "release of the roll-out is not readable", slog.Any("err", err))
	}
	return nil
}

// candidates are the gateways of a directory with how many controlled doors hang on each.
func candidates(dir directory.Snapshot) (out []rollout.Candidate) {
	for _, g := range dir.Gateways {
		c := rollout.Candidate{ID: string(g.ID)}
		for _, d := range dir.Doors {
			if d.Gateway == g.ID && d.Kind == door.KindControlled {
				c.Doors++
			}
		}
		out = append(out, c)
	}
	return out
}

// facts is the world as it is. The caller holds mu.
func (r *rollouts) facts() rollout.Facts {
	now := r.now()
	f := rollout.Facts{Now: now, Since: r.since, Seen: map[string]rollout.Seen{}}
	f.Hour, f.Open = r.hours(now)
	for _, g := range r.plan.Gateways {
		s := r.seen[g.ID]
		s.Heard = r.heard(access.GatewayID(g.ID))
		f.Seen[g.ID] = s
	}
	return f
}

// step lets the plan go on. What it decides counts only once it is stored; on an error everything is as before. The caller holds mu.
func (r *rollouts) step(ctx context.Context) error {
	next, acts := r.plan.Step(r.rules, r.facts())
	if len(acts) == 0 {
		r.plan = next
		return nil
	}
	return r.keep(ctx, next, acts, author{})
}

// keep stores a plan with its leaves and then goes on with it. Whoever asked may have gone meanwhile: what is begun is brought to its end, so
// that memory and database agree. The caller holds mu.
func (r *rollouts) keep(ctx context.Context, next rollout.Plan, acts []rollout.Act, by author) error {
	ctx = context.WithoutCancel(ctx)
	err := r.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.UpdateRollout(r.id, next); err != nil {
			return err
		}
		return r.leaves(tx, next, acts, by)
	})
	if err == nil {
		r.plan = next
	}
	return err
}

func (r *rollouts) leaves(tx *store.Tx, p rollout.Plan, acts []rollout.Act, by author) error {
	at := r.now().UnixMilli()
	for _, act := range acts {
		leaf := entrylog.Action{
			Account: by.account, Verb: string(act.Verb), Target: "version", ID: strings.Map(leafID, p.Version), From: by.from, Result: "ok", Reason: by.reason != "", AtMS: at,
		}
		if by.from == "" {
			leaf.From = "local"
		}
		if act.Gateway != "" {
			leaf.Target, leaf.ID = "gateway", act.Gateway
		}
		text := by.reason
		if act.Cause != "" {
			text = joined(text, "cause "+string(act.Cause))
		}
		if _, err := tx.AppendAction(leaf, &entrylog.Opening{Name: by.name, Address: by.address, Text: joined(text, "version "+p.Version)}); err != nil {
			return err
		}
		if act.Verb != rollout.VerbStopped || act.Cause == rollout.Person {
			continue
		}
		f := review.New(review.RolloutStopped, review.NoCause)
		_, err := tx.AppendFinding(attempt.Finding{
			Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: act.Gateway, Cause: f.Cause, Detail: string(act.Cause) + "/" + strings.Map(leafID, p.Version), AtMS: at,
		}, nil)
		if err != nil {
			return fmt.Errorf("log finding %s: %w", f.Kind, err)
		}
	}
	return nil
}

// said takes what a gateway tells when it asks for its turn, and gives its turn's number and the files; nil when it has none.
func (r *rollouts) said(ctx context.Context, gw string, s rollout.Seen) (try int, files *releaseFiles, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.Said = r.now()
	r.seen[gw] = s
	if err := r.step(ctx); err != nil {
		return 0, nil, err
	}
	if !r.plan.Serves(gw, s) {
		return 0, nil, nil
	}
	return r.plan.Find(gw).Tries, r.files, nil
}

// serving gives the files when it is this gateway's turn, else nil.
func (r *rollouts) serving(gw string) *releaseFiles {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.plan.Serves(gw, r.seen[gw]) {
		return nil
	}
	return r.files
}

// run lets the plan go on until ctx ends.
func (r *rollouts) run(ctx context.Context) {
	t := time.NewTicker(rolloutLook)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			r.mu.Lock()
			err := r.step(ctx)
			r.mu.Unlock()
			if err != nil && ctx.Err() == nil {
				r.log.LogAttrs(ctx, slog.LevelError, "roll-out", slog.Any("err", err))
			}
		}
	}
}

// begin starts a roll-out of a release that lies in the folder of releases.
func (r *rollouts) begin(ctx context.Context, number int64, first string, by author) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plan.State == rollout.Running {
		return fmt.Errorf("the roll-out of version %s is running: stop it first", r.plan.Version)
	}
	files, err := openRelease(r.dir, number, r.now())
	if err != nil {
		return err
	}
	order, err := rollout.Order(r.gateways(), first)
	if err != nil {
		return err
	}
	p := rollout.Begin(r.now(), number, files.version, order)
	var id int64
	err = r.store.Write(ctx, func(tx *store.Tx) (err error) {
		if id, err = tx.InsertRollout(p); err != nil {
			return err
		}
		return r.leaves(tx, p, []rollout.Act{{Verb: rollout.VerbBegun}}, by)
	})
	if err != nil {
		return err
	}
	r.id, r.plan, r.files = id, p, files
	r.sweep(number)
	return r.store.SignNow(ctx)
}

// sweep removes releases that no roll-out uses any more; what it cannot remove takes space and nothing else.
func (r *rollouts) sweep(used int64) {
	list, err := os.ReadDir(r.dir)
	if err != nil {
		return
	}
	for _, e := range list {
		if n, err := strconv.ParseInt(e.Name(), 10, 64); err == nil && n != used {
			_ = os.RemoveAll(filepath.Join(r.dir, e.Name()))
		}
	}
}

// stop is a person's.
func (r *rollouts) stop(ctx context.Context, by author) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next, acts, err := r.plan.Stop()
	if err != nil {
		return err
	}
	return errors.Join(r.keep(ctx, next, acts, by), r.store.SignNow(ctx))
}

// resume is a person's; without names a gateway that is left out from now on, "" = none.
func (r *rollouts) resume(ctx context.Context, without string, by author) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	files, err := openRelease(r.dir, r.plan.Number, r.now())
	if err != nil && r.plan.State == rollout.Stopped {
		return err
	}
	next, acts, err := r.plan.Resume(r.now(), without)
	if err != nil {
		return err
	}
	if err := r.keep(ctx, next, acts, by); err != nil {
		return err
	}
	r.files = files
	return r.store.SignNow(ctx)
}

// RolloutStatus is how a roll-out stands.
type RolloutStatus struct {
	Number   int64            `json:"number"` // 0 = there was never one
	Version  string           `json:"version"`
	State    rollout.State    `json:"state"`
	Cause    rollout.Cause    `json:"cause,omitempty"`
	Where    string           `json:"where,omitempty"`
	Began    time.Time        `json:"began"`
	Gateways []RolloutGateway `json:"gateways"`
}

// RolloutGateway is one gateway of it.
type RolloutGateway struct {
	ID      string        `json:"id"`
	Stage   rollout.Stage `json:"stage"`
	Word    rollout.Word  `json:"word,omitempty"`    // what it said last, "" = nothing since the server has started
	Running int64         `json:"running,omitempty"` // number of the program that it said it runs
	Heard   time.Time     `json:"heard"`
	Well    time.Time     `json:"well"` // since when it is well with the release
	Done    time.Time     `json:"done"`
}

func (r *rollouts) status() (s RolloutStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s = RolloutStatus{Number: r.plan.Number, Version: r.plan.Version, State: r.plan.State, Cause: r.plan.Cause, Where: r.plan.Where, Began: r.plan.Began}
	for _, g := range r.plan.Gateways {
		said := r.seen[g.ID]
		s.Gateways = append(s.Gateways, RolloutGateway{
			ID: g.ID, Stage: g.Stage, Word: said.Word, Running: said.Running, Heard: r.heard(access.GatewayID(g.ID)), Well: g.Well, Done: g.Done,
		})
	}
	return s
}

// knows reports whether the directory has the gateway.
func (r *rollouts) knows(gw string) bool {
	return slices.ContainsFunc(r.gateways(), func(c rollout.Candidate) bool { return c.ID == gw })
}
