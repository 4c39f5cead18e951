package door

import (
	"fmt"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

func command(kind CommandKind, n byte, at, until mono.Time) Input {
	return Input{Kind: InCommand, Command: kind, Attempt: attempt(n), At: at, Until: until}
}

// I7: a command acts only before its end, also when its record becomes durable late; at the very instant of
// the end it does not.
func TestCommandEnds(t *testing.T) {
	end := 4 * second
	for _, kind := range []CommandKind{CommandUnlock, CommandRearm} {
		for _, c := range []struct {
			came, durable mono.Time
			acts          bool
		}{
			{second, second + ms, true},
			{end - 1, end - 1, true},
			{end - 2, end, false},
			{end - 2, end + second, false},
			{end - 1, end, false},
			{end, end + 1, false},
			{end + second, end + 2*second, false},
		} {
			r := newRig(t, controlled())
			r.in(command(kind, 1, c.came, end))
			r.in(Input{Kind: InDurable, Barrier: 1, At: c.durable})
			r.until(30 * second)
			acted := count(r.all, ActUnlock) == 1
			if kind == CommandRearm {
				acted = count(r.all, ActLock) == 2 // Start and the re-arm
			}
			if acted != c.acts {
				t.Errorf("%s that came at %v, durable at %v, ending at %v: acted %v", kind, c.came, c.durable, end, acted)
			}
			if n := count(r.all, ActUnlock); n > 1 {
				t.Errorf("%d edges", n)
			}
		}
	}
}

// I1, I7: a command whose record could not be kept changes nothing, and says so.
func TestCommandNotDurable(t *testing.T) {
	for _, kind := range []CommandKind{CommandUnlock, CommandRearm} {
		r := newRig(t, controlled())
		r.in(Input{Kind: InTamper, On: true, At: 1})
		r.in(command(kind, 1, second, 5*second))
		r.in(Input{Kind: InNotDurable, Barrier: 1, At: 2 * second})
		r.in(Input{Kind: InDurable, Barrier: 1, At: 2*second + 1}) // too late, and a contradiction
		r.want("tamper", "command_accepted #1", "denied #1")
		if count(r.all, ActUnlock) != 0 || !r.s.Tampered() {
			t.Errorf("%s acted without a durable record", kind)
		}
	}
}

// D13: a pulse may be shorter than the door's own time, never longer, and does not cut off whoever was let in
// just before.
func TestPulse(t *testing.T) {
	for _, c := range []struct{ ask, want time.Duration }{
		{0, 5 * time.Second}, {time.Second, time.Second}, {5 * time.Second, 5 * time.Second}, {time.Minute, 5 * time.Second}, {-1, 5 * time.Second},
	} {
		r := newRig(t, controlled())
		in := command(CommandUnlock, 1, second, 6*second)
		in.For = c.ask
		r.in(in)
		for _, a := range r.in(Input{Kind: InDurable, Barrier: 1, At: second}) {
			if a.Kind == ActUnlock && a.For != c.want {
				t.Errorf("asked %v: released for %v, want %v", c.ask, a.For, c.want)
			}
		}
	}
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	in := command(CommandUnlock, 2, 2*second, 7*second)
	in.For = time.Second
	r.in(in)
	r.in(Input{Kind: InDurable, Barrier: 1, At: 2 * second})
	r.until(5 * second)
	if r.s.Name() != Unlocked {
		t.Error("a short pulse ended the release of a person who was let in before it")
	}
	if r.until(6 * second); r.s.Name() != Secured {
		t.Errorf("state %s after both", r.s.Name())
	}
}

// Each refusal says why: lockdown, locked, an observed door, a fire release, a fault, too much at once.
func TestCommandRefusals(t *testing.T) {
	observe := controlled()
	observe.Kind = KindObserve
	many := func() (ins []Input) {
		for n := byte(20); n < 20+maxGrants; n++ {
			ins = append(ins, Input{Kind: InGranted, Attempt: attempt(n), Side: access.SideEnter, By: access.ByServer, Durable: true})
		}
		return ins
	}()
	for _, c := range []struct {
		name   string
		cfg    Config
		before []Input
		kind   CommandKind
		want   string
	}{
		{"lockdown", controlled(), []Input{{Kind: InMode, Mode: access.ModeLockdown}}, CommandUnlock, "emit denied #1 enter (lockdown)"},
		{"locked", controlled(), []Input{{Kind: InMode, Mode: access.ModeLocked}}, CommandUnlock, "emit denied #1 enter (door_locked)"},
		{"observed", observe, nil, CommandUnlock, "emit denied #1 enter [no_lock]"},
		{"fire on", controlled(), []Input{{Kind: InFireRelease, On: true}}, CommandUnlock, "emit denied #1 enter [fire_release]"},
		{"fire over", controlled(), []Input{{Kind: InFireRelease, On: true}, {Kind: InFireRelease}}, CommandUnlock, "emit denied #1 enter [fire_release]"},
		{"strike", controlled(), []Input{{Kind: InStrikeFailed}}, CommandUnlock, "emit denied #1 enter (door_locked) [faulted]"},
		{"contact", controlled(), []Input{{Kind: InLineFault, On: true}}, CommandUnlock, "emit denied #1 enter (door_locked) [faulted]"},
		{"many", controlled(), many, CommandUnlock, "emit denied #1 enter [busy]"},
		{"re-arm in a fire", controlled(), []Input{{Kind: InFireRelease, On: true}}, CommandRearm, "emit denied #1 [fire_on]"},
		{"re-arm twice", controlled(), []Input{command(CommandRearm, 2, 0, 9*second)}, CommandRearm, "emit denied #1 [busy]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.cfg)
			for _, in := range c.before {
				in.At = second
				r.in(in)
			}
			edges := count(r.all, ActUnlock)
			r.in(command(c.kind, 1, 2*second, 7*second))
			if got := describeAll(r.actions); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			r.in(Input{Kind: InDurable, Barrier: 1, At: 2*second + 1})
			if count(r.all, ActUnlock) != edges {
				t.Error("the strike moved")
			}
		})
	}
}

// DS-6, I6: a restart does not forget that a door was released by the fire panel: it stays released and no grant or
// command moves the strike until a person re-arms.
func TestStartUnarmed(t *testing.T) {
	for _, open := range []bool{false, true} {
		s, actions := StartUnarmed(controlled(), open, second)
		if actions[0].Kind != ActLock || s.Name() != Released || !s.Unarmed() || s.Shown() != IndOutOfOrder {
			t.Fatalf("open %v: %s, state %s", open, describeAll(actions), s.Name())
		}
		r := &rig{t: t, cfg: controlled(), s: s, timers: map[TimerName]mono.Time{}}
		r.grant(2*second, 1, access.SideEnter)
		r.in(command(CommandUnlock, 2, 3*second, 8*second))
		r.in(Input{Kind: InDurable, Barrier: 1, At: 3*second + 1})
		if n := count(r.all, ActUnlock); n != 0 {
			t.Errorf("open %v: %d edges before a person re-armed", open, n)
		}
		r.in(command(CommandRearm, 3, 20*second, 25*second))
		r.in(Input{Kind: InDurable, Barrier: r.s.barrier, At: 20*second + 1})
		if r.s.Unarmed() || count(r.actions, ActLock) != 1 {
			t.Errorf("open %v: re-arm gave %s", open, describeAll(r.actions))
		}
		r.grant(30*second, 4, access.SideEnter)
		if count(r.actions, ActUnlock) != 1 {
			t.Errorf("open %v: a grant after re-arming gave %s", open, describeAll(r.actions))
		}
	}
}

// A fire that begins between the record and its durability wins over the command.
func TestFireBetweenRecordAndAct(t *testing.T) {
	for _, kind := range []CommandKind{CommandUnlock, CommandRearm} {
		r := newRig(t, controlled())
		r.in(command(kind, 1, second, 5*second))
		r.in(Input{Kind: InFireRelease, On: true, At: second + 1})
		r.in(Input{Kind: InDurable, Barrier: 1, At: second + 2})
		r.want("command_accepted #1", "fire_release", "denied #1")
		if count(r.all, ActUnlock) != 0 || r.s.Name() != Released {
			t.Errorf("%s: state %s, %s", kind, r.s.Name(), fmt.Sprint(r.events))
		}
	}
}
