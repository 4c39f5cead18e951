package door

import (
	"testing"
	"time"

	"monban/firmware/access"
)

// DS-9: the state table over both doors of an airlock. Whatever the one door's state, the other lets
// somebody in only while that one is known to be closed, and lets everybody out as if it stood alone.
func TestInterlockTable(t *testing.T) {
	enter := Input{Kind: InGranted, Attempt: attempt(9), Side: access.SideEnter, By: access.ByServer, Durable: true, At: 2 * second}
	exit := enter
	exit.Side = access.SideExit
	closed := 0
	for _, one := range tableStates(t, controlled()) {
		for _, other := range tableStates(t, controlled()) {
			locked, _ := Step(controlled(), other.state, Input{Kind: InInterlock, On: one.state.Interlocks(), At: 2 * second})
			free, _ := Step(controlled(), other.state, Input{Kind: InInterlock, At: 2 * second})
			_, in := Step(controlled(), locked, enter)
			_, alone := Step(controlled(), free, enter)
			want := count(alone, ActUnlock)
			if one.state.Interlocks() && other.state.Name() != Released {
				want = 0
			} else {
				closed++
			}
			if got := count(in, ActUnlock); got != want {
				t.Errorf("%s, other %s: entry unlocks %d times, want %d", one.name, other.name, got, want)
			}
			_, out := Step(controlled(), locked, exit)
			_, alone = Step(controlled(), free, exit)
			if got, want := count(out, ActUnlock), count(alone, ActUnlock); got != want {
				t.Errorf("%s, other %s: exit unlocks %d times, alone %d", one.name, other.name, got, want)
			}
		}
	}
	if closed == 0 {
		t.Error("no state of the one door lets anybody in at the other: this test says nothing")
	}
}

// DS-9: what was granted here ends when the other door opens; whoever leaves keeps the pulse; fire overrides.
func TestInterlock(t *testing.T) {
	r := newRig(t, DefaultConfig("outer", KindControlled, ExitReader))
	r.grant(1*second, 1, access.SideEnter)
	r.in(Input{Kind: InInterlock, At: 2 * second, On: true})
	if r.s.release {
		t.Error("the strike stays released although the other door opened")
	}
	r.grant(3*second, 2, access.SideEnter) // refused
	r.grant(4*second, 3, access.SideExit)  // a stuck contact over there traps nobody
	r.in(Input{Kind: InInterlock, At: 5 * second, On: true})
	if !r.s.release {
		t.Error("the other door took the pulse of somebody who leaves")
	}
	r.pulse(6*second, time.Second)
	r.in(Input{Kind: InInterlock, At: 60 * second})
	r.grant(61*second, 4, access.SideEnter)
	r.pulse(62*second, time.Second)
	r.until(100 * second)
	r.want("granted #1", "no_entry #1", "denied #2", "granted #3", "exit #3", "closed #3", "granted #4", "entry #4", "closed #4")
	for _, a := range r.all {
		if a.Event == EventDenied && a.Attempt == attempt(2) && a.Reason != access.ReasonInterlock {
			t.Errorf("refused with %s", a.Reason)
		}
	}
	r.in(Input{Kind: InFireRelease, At: 101 * second, On: true})
	if r.s.Interlocks() {
		t.Error("a door that the fire panel has released holds the other one shut")
	}
}
