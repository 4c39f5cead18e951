package door

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

const ms = mono.Time(time.Millisecond)
const second = mono.Time(time.Second)

func attempt(n byte) Attempt { return Attempt{0: n} }

// describe writes one action the way the tables of this package spell it.
func describe(a Action) string {
	var b strings.Builder
	switch a.Kind {
	case ActEmit:
		fmt.Fprintf(&b, "emit %s", a.Event)
		if a.Attempt != (Attempt{}) {
			fmt.Fprintf(&b, " #%d", a.Attempt[0])
		}
		if a.Side != access.SideUnknown {
			fmt.Fprintf(&b, " %s", a.Side)
		}
		if a.Reason != access.ReasonUndecided && a.Reason != access.ReasonGranted {
			fmt.Fprintf(&b, " (%s)", a.Reason)
		}
		if a.Detail != "" {
			fmt.Fprintf(&b, " [%s]", a.Detail)
		}
		if a.Barrier != 0 {
			fmt.Fprintf(&b, " barrier %d", a.Barrier)
		}
	case ActUnlock:
		fmt.Fprintf(&b, "UNLOCK %v", a.For)
	case ActLock:
		b.WriteString("LOCK")
	case ActSetTimer:
		fmt.Fprintf(&b, "%s@%v", a.Timer, time.Duration(a.At))
	case ActStopTimer:
		fmt.Fprintf(&b, "stop %s", a.Timer)
	case ActIndicate:
		fmt.Fprintf(&b, "show %s", a.Show)
	case ActSelfTest:
		fmt.Fprintf(&b, "self_test #%d", a.Attempt[0])
	default:
		fmt.Fprintf(&b, "action(%d)", a.Kind)
	}
	return b.String()
}

func describeAll(actions []Action) string {
	parts := make([]string, len(actions))
	for i, a := range actions {
		parts[i] = describe(a)
	}
	if len(parts) == 0 {
		return "ignore"
	}
	return strings.Join(parts, ", ")
}

// rig drives one door and plays the controller: it keeps timers and answers barriers when told to.
type rig struct {
	t       testing.TB
	cfg     Config
	s       State
	timers  map[TimerName]mono.Time
	events  []string // "event #attempt" in order
	actions []Action // of the latest input
	all     []Action
}

func newRig(t testing.TB, cfg Config) *rig {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, cfg: cfg, timers: map[TimerName]mono.Time{}}
	s, actions := Start(cfg, false, 0)
	r.s = s
	r.take(actions)
	return r
}

func (r *rig) take(actions []Action) {
	r.actions = actions
	r.all = append(r.all, actions...)
	for _, a := range actions {
		switch a.Kind {
		case ActSetTimer:
			r.timers[a.Timer] = a.At
		case ActStopTimer:
			delete(r.timers, a.Timer)
		case ActEmit:
			text := string(a.Event)
			if a.Attempt != (Attempt{}) {
				text += fmt.Sprintf(" #%d", a.Attempt[0])
			}
			r.events = append(r.events, text)
		}
	}
}

// until lets the timers fire that are due by then, in order.
func (r *rig) until(at mono.Time) {
	for {
		next, when := TimerNone, at+1
		for t, d := range r.timers {
			if d < when || d == when && t < next {
				next, when = t, d
			}
		}
		if next == TimerNone {
			return
		}
		delete(r.timers, next)
		r.step(Input{Kind: InTimer, Timer: next, At: when})
	}
}

func (r *rig) step(in Input) []Action {
	s, actions := Step(r.cfg, r.s, in)
	r.s = s
	r.take(actions)
	return actions
}

// in lets timers run up to the input's time, then gives the input.
func (r *rig) in(in Input) []Action {
	r.until(in.At - 1)
	return r.step(in)
}

func (r *rig) grant(at mono.Time, n byte, side access.Side) {
	r.in(Input{Kind: InGranted, At: at, Attempt: attempt(n), Side: side, By: access.ByServer, Durable: true})
}

// waits lets somebody wait at the enter side for as long as given.
func (r *rig) waits(n byte, what access.Outcome, at mono.Time, length time.Duration) {
	r.in(Input{Kind: InWaiting, At: at, Attempt: attempt(n), Side: access.SideEnter, Waiting: what, By: access.ByServer, For: length})
}

// pulse opens the contact for a while.
func (r *rig) pulse(at mono.Time, length time.Duration) {
	r.in(Input{Kind: InContactOpen, At: at})
	r.in(Input{Kind: InContactClosed, At: at.Add(length)})
}

func (r *rig) want(events ...string) {
	r.t.Helper()
	got := strings.Join(r.events, ", ")
	if want := strings.Join(events, ", "); got != want {
		r.t.Errorf("events:\n got %s\nwant %s", got, want)
	}
}

func count(actions []Action, kind ActionKind) int {
	n := 0
	for _, a := range actions {
		if a.Kind == kind {
			n++
		}
	}
	return n
}
