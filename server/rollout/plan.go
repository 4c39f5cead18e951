// Package rollout says which gateway may fetch a release now: one at a time, in an order, the next only after the one before has been well for
// a while; stopped at the first sign of trouble, until a person goes on (ADR 0084). It is pure: the time and what gateways said are arguments.
//
// It must never have two turns at once, never give one while stopped, and never go on from a gateway that is not well. It decides who fetches
// and when, never what may run: each gateway checks the release by itself and goes back by itself (firmware/update, gateway/slot).
//
// The doors: nothing here reaches one. Whatever goes wrong, a gateway goes on with the program that it has.
package rollout

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// State of a roll-out. The zero State gives nobody a turn.
type State string

// The states.
const (
	Running State = "running"
	Stopped State = "stopped" // nobody gets a turn until a person resumes
	Done    State = "done"    // every gateway is done, skipped or left out
)

// Stage is where a gateway stands in it. The zero Stage is no turn.
type Stage string

// The stages.
const (
	Waiting Stage = "waiting"
	Turn    Stage = "turn"     // it may fetch, is trying, or is being watched after it
	Good    Stage = "done"     // runs the release and was well for Rules.Settle
	Skipped Stage = "skipped"  // ran the release or a newer one before its turn
	LeftOut Stage = "left_out" // a person went on without it
)

// Cause is why a roll-out is stopped.
type Cause string

// The causes.
const (
	RolledBack Cause = "rolled_back" // the gateway tried the release and went back to the program before
	Refused    Cause = "refused"     // the gateway did not take the release: signatures, age, files, or not for it
	NoWord     Cause = "no_word"     // the gateway was not done, or did not ask, within its time
	Gone       Cause = "gone"        // a gateway that was done is silent, or runs something older
	Person     Cause = "person"      // somebody stopped it
)

// Word is what a gateway says about a release. The zero Word says nothing.
type Word string

// The words.
const (
	Idle     Word = "idle"     // nothing of a release is under way
	Fetching Word = "fetching" // it has some of the files
	Held     Word = "waiting"  // the program waits for every door to be locked and closed
	Trial    Word = "trial"    // the program is being tried
	Kept     Word = "kept"     // it was well and stays
	Failed   Word = "failed"   // it was not well, the one before runs
	NotTaken Word = "refused"  // the release was not taken
)

// Known reports whether w is one of the words.
func (w Word) Known() bool {
	return slices.Contains([]Word{Idle, Fetching, Held, Trial, Kept, Failed, NotTaken}, w)
}

// Rules bound a roll-out.
type Rules struct {
	Settle time.Duration // how long a gateway must be well with the release before the next has its turn
	Limit  time.Duration // how long a gateway may take until it asks, and from its turn until it runs the release
}

const (
	fresh  = 5 * time.Minute // how old a gateway's last word may be; it asks each minute
	silent = time.Minute     // no heartbeat for so long is no good health
	gone   = 5 * time.Minute // no heartbeat for so long, and a gateway that was done is gone
)

// Gateway is one line of a plan.
type Gateway struct {
	ID    string
	Stage Stage
	Tries int       // turns that it was given
	Turn  time.Time // of the last of them
	Well  time.Time // since when it runs the release and is well without a break; zero = it is not
	Done  time.Time // zero = it is not
}

// Plan is a roll-out: a value that Step gives anew.
type Plan struct {
	Number   int64  // of the release, s since 1970
	Version  string // of the release
	State    State
	Cause    Cause  // why it is stopped
	Where    string // gateway of the cause, "" = none
	Began    time.Time
	Moved    time.Time // when it last went on: begun, resumed, a gateway finished
	Gateways []Gateway // in their order
}

// Seen is what a gateway said and how it is heard. The zero Seen was never heard.
type Seen struct {
	Heard   time.Time // last heartbeat
	Said    time.Time // last word
	Running int64     // number of the program that it runs
	Word    Word
	Number  int64 // of the release that Word is about
	Try     int   // which turn Word is about
}

// Facts are the world at a moment.
type Facts struct {
	Now   time.Time
	Since time.Time // since when this server listens: silence before is nobody's fault
	Open  bool      // turns may be given at this hour
	Hour  time.Time // since when they may; zero = at any time
	Seen  map[string]Seen
}

// Act is something that happened and belongs into the log.
type Act struct {
	Verb    Verb
	Gateway string // "" = the roll-out as a whole
	Cause   Cause  // of a stop
}

// Verb of an Act, as in leaves.
type Verb string

// The verbs.
const (
	VerbBegun    Verb = "rollout_begun"
	VerbTurn     Verb = "rollout_turn"
	VerbDone     Verb = "rollout_gateway_done"
	VerbSkipped  Verb = "rollout_gateway_skipped"
	VerbLeftOut  Verb = "rollout_gateway_left_out"
	VerbStopped  Verb = "rollout_stopped"
	VerbResumed  Verb = "rollout_resumed"
	VerbFinished Verb = "rollout_finished"
)

// Candidate is a gateway and how many controlled doors hang on it.
type Candidate struct {
	ID    string
	Doors int
}

// Order is the order of turns: first, when one is named, then who has the fewest controlled doors, by id among equals.
func Order(all []Candidate, first string) ([]string, error) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Candidate) int {
		return cmp.Or(-compareBool(a.ID == first, b.ID == first), cmp.Compare(a.Doors, b.Doors), cmp.Compare(a.ID, b.ID))
	})
	var ids []string
	for _, c := range all {
		ids = append(ids, c.ID)
	}
	switch {
	case len(ids) == 0:
		return nil, errors.New("the directory has no gateway: there is nothing to roll out to")
	case first != "" && ids[0] != first:
		return nil, fmt.Errorf("the directory has no gateway %q: look at the page Gateways for its id", first)
	}
	return ids, nil
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// Begin is a new roll-out. The first turn is given by Step.
func Begin(now time.Time, number int64, version string, order []string) Plan {
	p := Plan{Number: number, Version: version, State: Running, Began: now, Moved: now}
	for _, id := range order {
		p.Gateways = append(p.Gateways, Gateway{ID: id, Stage: Waiting})
	}
	return p
}

// Find gives a gateway's line; the zero one when it is not in the plan.
func (p Plan) Find(id string) Gateway {
	for _, g := range p.Gateways {
		if g.ID == id {
			return g
		}
	}
	return Gateway{}
}

// Serves reports whether a gateway may fetch files now.
func (p Plan) Serves(id string, s Seen) bool {
	return p.State == Running && p.Find(id).Stage == Turn && s.Running < p.Number
}

// Step takes the world as it is: it ends a turn, stops, gives the next turn. What it gives is to be durable before anybody acts on it.
func (p Plan) Step(r Rules, f Facts) (Plan, []Act) {
	if p.State != Running {
		return p, nil
	}
	p.Gateways = slices.Clone(p.Gateways)
	for _, g := range p.Gateways {
		if g.Stage == Good && p.lost(f, f.Seen[g.ID]) {
			return p.stop(Gone, g.ID)
		}
	}
	var acts []Act
	for i := range p.Gateways {
		g := &p.Gateways[i]
		s := f.Seen[g.ID]
		switch {
		case g.Stage == Turn:
			if cause := p.trouble(r, f, *g, s); cause != "" {
				next, more := p.stop(cause, g.ID)
				return next, append(acts, more...)
			}
			if !p.well(f, s) {
				g.Well = time.Time{}
				return p, acts
			}
			if g.Well.IsZero() {
				g.Well = f.Now
			}
			if f.Now.Sub(g.Well) < r.Settle {
				return p, acts
			}
			g.Stage, g.Done, p.Moved = Good, f.Now, f.Now
			acts = append(acts, Act{Verb: VerbDone, Gateway: g.ID})
		case g.Stage != Waiting:
		case !p.asks(f, s):
			if base := latest(p.Moved, f.Since, f.Hour); f.Open && f.Now.Sub(base) > r.Limit {
				next, more := p.stop(NoWord, g.ID)
				return next, append(acts, more...)
			}
			return p, acts
		case g.Tries == 0 && s.Running >= p.Number: // one that had a turn is watched, whatever it runs
			g.Stage, p.Moved = Skipped, f.Now
			acts = append(acts, Act{Verb: VerbSkipped, Gateway: g.ID})
		case !f.Open:
			return p, acts
		default:
			g.Stage, g.Turn, g.Well = Turn, f.Now, time.Time{}
			g.Tries++
			return p, append(acts, Act{Verb: VerbTurn, Gateway: g.ID})
		}
	}
	p.State = Done
	return p, append(acts, Act{Verb: VerbFinished})
}

// asks reports whether a gateway asked lately, so that it is known what it runs.
func (p Plan) asks(f Facts, s Seen) bool { return !s.Said.IsZero() && f.Now.Sub(s.Said) <= fresh }

// well reports whether a gateway runs the release for good and is heard.
func (p Plan) well(f Facts, s Seen) bool {
	return p.asks(f, s) && s.Running >= p.Number && s.Word != Trial && !s.Heard.IsZero() && f.Now.Sub(s.Heard) <= silent
}

// lost reports whether a gateway that was done has gone away, or runs something older again.
func (p Plan) lost(f Facts, s Seen) bool {
	return f.Now.Sub(latest(s.Heard, f.Since)) > gone || !s.Said.IsZero() && s.Running < p.Number
}

// trouble is what ends a turn badly, "" = nothing.
func (p Plan) trouble(r Rules, f Facts, g Gateway, s Seen) Cause {
	if s.Number == p.Number && s.Try == g.Tries && !s.Said.Before(g.Turn) {
		switch s.Word {
		case Failed:
			return RolledBack
		case NotTaken:
			return Refused
		}
	}
	if f.Now.Sub(latest(g.Turn, f.Since)) > r.Limit+r.Settle && g.Well.IsZero() {
		return NoWord
	}
	return ""
}

// stop ends whoever's turn it is. What a gateway has taken already it tries by itself; that cannot be called back, and nobody follows it.
func (p Plan) stop(c Cause, where string) (Plan, []Act) {
	p.Gateways = slices.Clone(p.Gateways)
	for i := range p.Gateways {
		if g := &p.Gateways[i]; g.Stage == Turn {
			g.Stage, g.Well = Waiting, time.Time{}
		}
	}
	p.State, p.Cause, p.Where = Stopped, c, where
	return p, []Act{{Verb: VerbStopped, Gateway: where, Cause: c}}
}

// Stop is a person's stop.
func (p Plan) Stop() (Plan, []Act, error) {
	if p.State != Running {
		return p, nil, errors.New("no roll-out is running: there is nothing to stop")
	}
	next, acts := p.stop(Person, "")
	return next, acts, nil
}

// Resume goes on with a stopped one; without names a gateway that is left out from now on, "" = none. Who has the next turn is for Step.
func (p Plan) Resume(now time.Time, without string) (Plan, []Act, error) {
	if p.State != Stopped {
		return p, nil, errors.New("no roll-out is stopped: there is nothing to resume")
	}
	p.Gateways = slices.Clone(p.Gateways)
	acts := []Act{{Verb: VerbResumed}}
	if without != "" {
		i := slices.IndexFunc(p.Gateways, func(g Gateway) bool { return g.ID == without })
		if i < 0 {
			return p, nil, fmt.Errorf("gateway %q is not in this roll-out: `monban-server update rollout status` lists who is", without)
		}
		p.Gateways[i].Stage, p.Gateways[i].Well = LeftOut, time.Time{}
		acts = append(acts, Act{Verb: VerbLeftOut, Gateway: without})
	}
	p.State, p.Cause, p.Where, p.Moved = Running, "", "", now
	return p, acts, nil
}

func latest(all ...time.Time) (t time.Time) {
	for _, x := range all {
		if x.After(t) {
			t = x
		}
	}
	return t
}
