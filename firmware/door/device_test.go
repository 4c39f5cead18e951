package door

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// DS-6: fire release is wires; we record it, leave the lock alone and lock only when a person re-arms
// after the panel is clear.
func TestFire(t *testing.T) {
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	start := len(r.all)
	r.in(Input{Kind: InFireRelease, On: true, At: 2 * second})
	r.pulse(3*second, 90*time.Second)
	r.in(Input{Kind: InCommand, Command: CommandRearm, Attempt: attempt(5), At: 100 * second, Until: 105 * second}) // too early
	r.in(Input{Kind: InFireRelease, At: 110 * second})
	r.until(1000 * second)
	if n := count(r.all[start:], ActLock); n != 0 || r.s.Name() != Released {
		t.Errorf("%d lock edges and state %s before a person re-armed", n, r.s.Name())
	}
	r.in(Input{Kind: InCommand, Command: CommandRearm, Attempt: attempt(6), At: 1001 * second, Until: 1006 * second})
	if count(r.actions, ActLock) != 0 || r.s.Name() != Released {
		t.Errorf("re-armed before its record was durable: %s", describeAll(r.actions))
	}
	r.in(Input{Kind: InDurable, Barrier: r.s.barrier, At: 1001*second + 1})
	if count(r.actions, ActLock) != 1 || r.s.Name() != Secured {
		t.Errorf("re-arm: %s, state %s", describeAll(r.actions), r.s.Name())
	}
	r.want("granted #1", "fire_release", "entry #1", "closed #1", "denied #5", "fire_clear",
		"command_accepted #6", "rearmed #6", "command_done #6")
	if n := count(r.all, ActUnlock); n != 1 {
		t.Errorf("%d unlock edges, want the grant's alone", n)
	}
}

// A strike that does not obey is driven secure once; while faulted entries are refused, exits not.
func TestStrikeFailed(t *testing.T) {
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	for i := range 5 { // its failure to lock comes back, too
		r.in(Input{Kind: InStrikeFailed, At: second + mono.Time(i+1)})
	}
	r.grant(2*second, 2, access.SideEnter)
	r.want("granted #1", "strike_failed #1", "no_entry #1", "denied #2")
	if n := count(r.all, ActLock); n != 2 { // Start and the failure
		t.Errorf("%d lock edges, want 2", n)
	}
	r.grant(3*second, 3, access.SideExit)
	if count(r.actions, ActUnlock) != 1 {
		t.Error("an exit was refused")
	}
}

func TestTamperIsLatched(t *testing.T) { // DS-5
	r := newRig(t, controlled())
	r.in(Input{Kind: InTamper, On: true, At: 1})
	r.in(Input{Kind: InTamper, On: true, At: 2})
	r.in(Input{Kind: InTamper, At: 3})
	if r.want("tamper", "tamper_end"); !r.s.Tampered() {
		t.Error("forgotten before a person re-armed")
	}
	r.in(Input{Kind: InCommand, Command: CommandRearm, At: 4, Until: second})
	r.in(Input{Kind: InDurable, Barrier: r.s.barrier, At: 5})
	if r.s.Tampered() {
		t.Error("still flagged after re-arming")
	}
}

// I6: whatever the lock did before, a start drives it secure.
func TestStart(t *testing.T) {
	for _, open := range []bool{false, true} {
		s, actions := Start(controlled(), open, 5*second)
		if len(actions) == 0 || actions[0].Kind != ActLock || count(actions, ActUnlock) != 0 {
			t.Errorf("open %v: %s", open, describeAll(actions))
		}
		if s.IsOpen() != open {
			t.Errorf("contact %v, want %v", s.IsOpen(), open)
		}
	}
	if _, actions := Start(DefaultConfig("d", KindObserve, ExitNone), false, 0); count(actions, ActLock) != 0 {
		t.Error("an observed door drove a lock")
	}
	r := newRig(t, controlled())
	s, actions := Start(r.cfg, true, 0)
	r.s = s
	r.take(actions)
	r.until(60 * second)
	r.want("held_open")
}
