package door

import (
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

func controlled() Config { return DefaultConfig("server-room", KindControlled, ExitNone) }

// DS-1: sensor traces give the expected list of events.
func TestTraces(t *testing.T) {
	enter, exit := access.SideEnter, access.SideExit
	for _, tc := range []struct {
		name string
		exit ExitSensing
		run  func(r *rig)
		want []string
	}{
		{"one passage", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.pulse(2*second, 3*time.Second)
		}, []string{"granted #1", "entry #1", "closed #1"}},
		{"granted, not opened", ExitNone, func(r *rig) { // DS-4
			r.grant(1*second, 1, enter)
		}, []string{"granted #1", "no_entry #1"}},
		{"opened after the release", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.pulse(6*second+1, time.Second)
		}, []string{"granted #1", "no_entry #1", "forced_open", "held_end"}},
		{"opened at the last instant", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.pulse(6*second, time.Second)
		}, []string{"granted #1", "entry #1", "closed #1"}},
		{"held open", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.pulse(2*second, 31*time.Second)
		}, []string{"granted #1", "entry #1", "held_open #1", "held_end #1"}},
		{"forced, nobody inside", ExitNone, func(r *rig) {
			r.pulse(2*second, time.Minute)
		}, []string{"forced_open", "held_end"}},
		{"two badges before one opening", ExitNone, func(r *rig) { // VE-11
			r.grant(1*second, 1, enter)
			r.grant(2*second, 2, enter)
			r.pulse(3*second, 3*time.Second)
		}, []string{"granted #1", "granted #2", "entry #1", "entry #2", "closed #1"}},
		{"two badges, one during the opening", ExitNone, func(r *rig) { // VE-11
			r.grant(1*second, 1, enter)
			r.in(Input{Kind: InContactOpen, At: 2 * second})
			r.grant(3*second, 2, enter)
			r.in(Input{Kind: InContactClosed, At: 4 * second})
		}, []string{"granted #1", "entry #1", "granted #2", "entry #2", "closed #1"}},
		{"badge during the opening, door falls shut, opened again", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.in(Input{Kind: InContactOpen, At: 2 * second})
			r.grant(3*second, 2, enter)
			r.in(Input{Kind: InContactClosed, At: 4 * second})
			r.pulse(5*second, time.Second)
		}, []string{"granted #1", "entry #1", "granted #2", "entry #2", "closed #1", "closed #2"}},
		{"the same answer twice", ExitNone, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.grant(1*second, 1, enter)
			r.pulse(2*second, time.Second)
		}, []string{"granted #1", "entry #1", "closed #1"}},
		{"one in, one out, one opening", ExitReader, func(r *rig) {
			r.grant(1*second, 1, enter)
			r.grant(2*second, 2, exit)
			r.pulse(3*second, time.Second)
		}, []string{"granted #1", "granted #2", "entry #1", "exit #2", "closed #1"}},
		{"pin never keyed", ExitNone, func(r *rig) {
			r.in(Input{Kind: InWaiting, At: second, Attempt: attempt(1), Side: enter, Waiting: access.NeedPIN})
		}, []string{"denied #1"}},
		{"pin keyed", ExitNone, func(r *rig) {
			r.in(Input{Kind: InWaiting, At: second, Attempt: attempt(1), Side: enter, Waiting: access.NeedPIN})
			r.grant(5*second, 1, enter)
			r.pulse(6*second, time.Second)
		}, []string{"granted #1", "entry #1", "closed #1"}},
		{"a second person badges while a PIN is waited for", ExitNone, func(r *rig) {
			r.in(Input{Kind: InWaiting, At: second, Attempt: attempt(1), Side: enter, Waiting: access.NeedPIN})
			r.in(Input{Kind: InWaiting, At: 2 * second, Attempt: attempt(2), Side: enter, Waiting: access.NeedPIN})
			r.grant(5*second, 2, enter)
			r.pulse(6*second, time.Second)
		}, []string{"denied #1", "granted #2", "entry #2", "closed #2"}},
		{"two persons, one opening", ExitNone, func(r *rig) { // AD-8, VE-11
			r.waits(1, access.NeedSecond, second, 30*time.Second)
			r.in(Input{Kind: InWaiting, At: 2 * second, Attempt: attempt(2), Side: enter, Waiting: access.NeedPIN})
			r.grant(8*second, 2, enter)
			r.grant(8*second, 1, enter)
			r.pulse(9*second, time.Second)
		}, []string{"granted #2", "granted #1", "entry #2", "entry #1", "closed #2"}},
		{"nobody comes as the second", ExitNone, func(r *rig) {
			r.waits(1, access.NeedSecond, second, 30*time.Second)
			r.until(31*second - 1)
			r.want()
		}, []string{"denied #1"}},
		{"three wait for an escort, one too long", ExitNone, func(r *rig) { // VE-2
			r.waits(1, access.NeedEscort, 1*second, 30*time.Second)
			r.waits(2, access.NeedEscort, 9*second, 30*time.Second)
			r.waits(3, access.NeedEscort, 10*second, 0) // no time given: that of a PIN
			r.until(32 * second)
			r.grant(33*second, 4, enter)
			r.grant(33*second, 2, enter)
			r.pulse(34*second, time.Second)
		}, []string{"denied #3", "denied #1", "granted #4", "granted #2", "entry #4", "entry #2", "closed #4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := DefaultConfig("server-room", KindControlled, tc.exit)
			r := newRig(t, cfg)
			tc.run(r)
			r.until(10 * 60 * second)
			r.want(tc.want...)
			if r.s.Name() != Secured {
				t.Errorf("ends %s, want secured", r.s.Name())
			}
		})
	}
}

// DS-2: a pulse of 400 ms always registers, whatever debounce Validate accepts; shorter than the
// debounce never.
func TestPulses(t *testing.T) {
	for _, tc := range []struct {
		debounce, pulse time.Duration
		registers       bool
	}{
		{MaxDebounce, 398 * time.Millisecond, false},
		{MaxDebounce, 399 * time.Millisecond, false},
		{MaxDebounce, 400 * time.Millisecond, true},
		{MaxDebounce, 401 * time.Millisecond, true},
		{50 * time.Millisecond, 49 * time.Millisecond, false},
		{50 * time.Millisecond, 51 * time.Millisecond, true},
		{0, time.Nanosecond, true},
	} {
		for _, late := range []bool{false, true} { // the debounce timer may come after the next edge
			cfg := controlled()
			cfg.Debounce = tc.debounce
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			r := newRig(t, cfg)
			give := r.in
			if late {
				give = r.step
			}
			give(Input{Kind: InContactOpen, At: second})
			give(Input{Kind: InContactClosed, At: second.Add(tc.pulse)})
			r.until(60 * second)
			want := ""
			if tc.registers {
				want = "forced_open, held_end"
			}
			if got := strings.Join(r.events, ", "); got != want {
				t.Errorf("debounce %v, pulse %v, late timers %v: %q, want %q", tc.debounce, tc.pulse, late, got, want)
			}
		}
	}
	cfg := controlled()
	cfg.Debounce = 400 * time.Millisecond
	if cfg.Validate() == nil {
		t.Error("a debounce that swallows a 400 ms pulse is accepted")
	}
}

// A bouncing contact is one opening, recorded at its first edge that lasted.
func TestBounce(t *testing.T) {
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	at := 2 * second
	for range 5 { // 30 ms of bounce, then open
		r.in(Input{Kind: InContactOpen, At: at})
		r.in(Input{Kind: InContactClosed, At: at + 3*ms})
		at += 6 * ms
	}
	r.in(Input{Kind: InContactOpen, At: at})
	r.until(3 * second)
	r.want("granted #1", "entry #1")
	last := r.all[slices.IndexFunc(r.all, func(a Action) bool { return a.Event == EventEntry })]
	if last.At != at {
		t.Errorf("entry at %v, want the edge's %v", last.At, at)
	}
}

// An opening that begins inside the release time is the holder's also when the contact settles after
// it; the strike is secured on time all the same.
func TestOpeningSettlesAfterRelock(t *testing.T) {
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	r.in(Input{Kind: InContactOpen, At: 6*second - 10*ms})
	r.until(6 * second)
	if count(r.actions, ActLock) != 1 {
		t.Fatalf("at the end of the release: %s, want LOCK", describeAll(r.actions))
	}
	r.until(7 * second)
	r.want("granted #1", "entry #1")

	bounced := newRig(t, controlled())
	bounced.grant(second, 1, access.SideEnter)
	bounced.in(Input{Kind: InContactOpen, At: 6*second - 10*ms})
	bounced.in(Input{Kind: InContactClosed, At: 6*second + 10*ms})
	bounced.until(7 * second)
	bounced.want("granted #1", "no_entry #1")
}

// DS-10: each way of sensing an exit; no forced-open alarm on an ordinary exit, always one when
// nobody can have been inside.
func TestExitSensing(t *testing.T) {
	at := 10 * second
	leave := func(r *rig) { r.pulse(at, 2*time.Second) }
	request := func(before time.Duration) func(*rig) {
		return func(r *rig) {
			r.in(Input{Kind: InRequestExit, At: at.Add(-before)})
			leave(r)
		}
	}
	occupied := func(r *rig) {
		r.in(Input{Kind: InOccupied, On: true, At: 1})
		leave(r)
	}
	badgeOut := func(r *rig) {
		r.grant(at-second, 1, access.SideExit)
		leave(r)
	}
	unknownCard := func(r *rig) {
		r.in(Input{Kind: InDenied, At: at - second, Attempt: attempt(1), Side: access.SideExit, By: access.ByGateway, Reason: access.ReasonExitUnattributed})
		leave(r)
	}
	unreadable := func(r *rig) {
		r.in(Input{Kind: InReadError, At: at - second, Attempt: attempt(1), Side: access.SideExit})
		leave(r)
	}
	for _, tc := range []struct {
		name string
		exit ExitSensing
		run  func(*rig)
		want string
	}{
		{"none, empty", ExitNone, leave, "forced_open, held_end"},
		{"none, somebody inside", ExitNone, occupied, "inside_open, closed"},
		{"none, a stray button explains nothing", ExitNone, request(time.Second), "request_exit, forced_open, held_end"},
		{"button", ExitButton, request(time.Second), "request_exit, exit_unattributed, closed"},
		{"button, at the limit", ExitButton, request(5 * time.Second), "request_exit, exit_unattributed, closed"},
		{"button, too long ago", ExitButton, request(5*time.Second + 1), "request_exit, forced_open, held_end"},
		{"button not pressed, empty", ExitButton, leave, "forced_open, held_end"},
		{"button not pressed, somebody inside", ExitButton, occupied, "forced_open, held_end"},
		{"handle", ExitHandle, request(0), "request_exit, exit_unattributed, closed"},
		{"handle, contact 20 ms ahead", ExitHandle, request(-20 * time.Millisecond), "request_exit, exit_unattributed, closed"},
		{"handle not turned", ExitHandle, leave, "forced_open, held_end"},
		{"reader", ExitReader, badgeOut, "granted #1, exit #1, closed #1"},
		{"reader, unknown card", ExitReader, unknownCard, "denied #1, exit_unattributed #1, closed #1"}, // D11, DS-3
		{"reader, unreadable card", ExitReader, unreadable, "read_error #1, exit_unattributed #1, closed #1"},
		{"reader, emergency button", ExitReader, request(time.Second), "request_exit, exit_unattributed, closed"}, // DS-3
		{"reader not used", ExitReader, leave, "forced_open, held_end"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, DefaultConfig("server-room", KindControlled, tc.exit))
			if tc.name == "handle, contact 20 ms ahead" {
				r.in(Input{Kind: InContactOpen, At: at})
				r.in(Input{Kind: InRequestExit, At: at + 20*ms})
				r.in(Input{Kind: InContactClosed, At: at + 2*second})
			} else {
				tc.run(r)
			}
			r.until(at + 60*second)
			r.want(tc.want)
			if n := count(r.all, ActUnlock); n != 0 && tc.run != nil && !strings.HasPrefix(tc.want, "granted") {
				t.Errorf("%d unlock edges; an exit without a known card moves no lock", n)
			}
		})
	}
}

// DS-11: an observed door writes the same records as a controlled one, and claims no lock line.
func TestObserveWritesTheSameRecords(t *testing.T) {
	week := func(kind Kind) *rig {
		r := newRig(t, DefaultConfig("server-room", kind, ExitNone))
		at := second
		for day := range 7 {
			for n := range 20 {
				at += 100 * second
				switch {
				case n == 13:
					r.in(Input{Kind: InDenied, At: at, Attempt: attempt(byte(n)), Side: access.SideEnter, By: access.ByServer, Reason: access.ReasonNoGrant})
				case n == 14:
					r.grant(at, byte(n), access.SideEnter) // not opened
				case n == 15:
					r.pulse(at, time.Second) // forced
				case n == 16:
					r.grant(at, byte(n), access.SideEnter)
					r.pulse(at+second, 40*time.Second) // held
				case n%2 == 0:
					r.grant(at, byte(n+day*20), access.SideEnter)
					r.pulse(at+second, 2*time.Second)
				default:
					r.in(Input{Kind: InGranted, At: at, Attempt: attempt(byte(n + day*20)), Side: access.SideEnter, By: access.ByGateway})
					r.in(Input{Kind: InDurable, At: at + 5*ms, Barrier: r.s.barrier})
					r.pulse(at+second, 2*time.Second)
				}
			}
		}
		r.until(at + 600*second)
		return r
	}
	seen, locked := week(KindObserve), week(KindControlled)
	if got, want := strings.Join(seen.events, "\n"), strings.Join(locked.events, "\n"); got != want {
		t.Errorf("observed week:\n%s\n\ncontrolled week:\n%s", got, want)
	}
	if n := count(seen.all, ActLock) + count(seen.all, ActUnlock); n != 0 {
		t.Errorf("an observed door asked %d times for its lock", n)
	}
	if count(locked.all, ActUnlock) == 0 {
		t.Error("the controlled week never unlocked: the comparison says nothing")
	}
}

// D19, I1: the strike waits for the record; late, refused and lapsed records leave it locked.
func TestBarrier(t *testing.T) {
	ask := Input{Kind: InGranted, At: second, Attempt: attempt(1), Side: access.SideEnter, By: access.ByGateway}
	for _, tc := range []struct {
		name   string
		answer Input
		unlock int
		want   string
	}{
		{"durable", Input{Kind: InDurable, At: 2 * second, Barrier: 1}, 1, "granted #1, no_entry #1"},
		{"durable at the deadline", Input{Kind: InDurable, At: 3 * second, Barrier: 1}, 1, "granted #1, no_entry #1"},
		{"too late", Input{Kind: InDurable, At: 3*second + 1, Barrier: 1}, 0, "granted #1, lapsed #1"},
		{"not durable", Input{Kind: InNotDurable, At: 2 * second, Barrier: 1}, 0, "granted #1, denied #1"},
		{"another barrier", Input{Kind: InDurable, At: 2 * second, Barrier: 2}, 0, "granted #1, lapsed #1"},
		{"barrier zero", Input{Kind: InDurable, At: 2 * second}, 0, "granted #1, lapsed #1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, controlled())
			if r.in(ask); count(r.actions, ActUnlock) != 0 {
				t.Fatal("unlocked before its record was durable")
			}
			r.in(tc.answer)
			if got := count(r.actions, ActUnlock); got != tc.unlock {
				t.Errorf("%d unlock edges, want %d", got, tc.unlock)
			}
			if tc.unlock == 1 && r.timers[TimerRelock] != tc.answer.At.Add(r.cfg.ReleaseTime) {
				t.Errorf("relock at %v, want the unlock edge + %v", r.timers[TimerRelock], r.cfg.ReleaseTime)
			}
			r.until(60 * second)
			r.want(tc.want)
		})
	}
}

// Two records in the air: each grant has its own deadline.
func TestEachGrantLapsesAtItsOwnTime(t *testing.T) {
	r := newRig(t, controlled())
	for n := byte(1); n <= 2; n++ {
		r.in(Input{Kind: InGranted, At: mono.Time(n) * second, Attempt: attempt(n), Side: access.SideEnter, By: access.ByGateway})
	}
	r.until(3*second + 1)
	r.want("granted #1", "granted #2", "lapsed #1")
	r.in(Input{Kind: InDurable, At: 3*second + 2, Barrier: 2})
	if count(r.actions, ActUnlock) != 1 {
		t.Error("the second grant went with the first")
	}
}

// The same answer, delivered again after it was acted on, moves the lock no second time.
func TestRepeatedAnswerActsOnce(t *testing.T) {
	r := newRig(t, controlled())
	r.grant(second, 1, access.SideEnter)
	r.in(Input{Kind: InContactOpen, At: 2 * second})
	r.grant(3*second, 1, access.SideEnter) // the door stands open on it
	r.grant(4*second, 2, access.SideEnter)
	r.grant(5*second, 2, access.SideEnter) // used already, its release still runs
	if n := count(r.all, ActUnlock); n != 2 {
		t.Errorf("%d unlock edges, want 2", n)
	}
	r.want("granted #1", "entry #1", "granted #2", "entry #2")
}

// I9: "durable" counts only in the mouth of the server, which committed before it answered.
func TestGatewayCannotClaimDurable(t *testing.T) {
	r := newRig(t, controlled())
	r.in(Input{Kind: InGranted, At: second, Attempt: attempt(1), Side: access.SideEnter, By: access.ByGateway, Durable: true})
	if count(r.actions, ActUnlock) != 0 {
		t.Error("a gateway's decision skipped its record")
	}
}

// D11, I1: a known card at the exit whose record cannot be kept gets no pulse, and its holder leaves
// by the handle without a forced-open alarm.
func TestExitWithoutRecord(t *testing.T) {
	for _, answer := range []Input{{Kind: InNotDurable, Barrier: 1, At: 2 * second}, {At: 4 * second}} {
		r := newRig(t, DefaultConfig("server-room", KindControlled, ExitReader))
		r.in(Input{Kind: InGranted, At: second, Attempt: attempt(1), Side: access.SideExit, By: access.ByGateway})
		r.in(answer)
		r.pulse(5*second, time.Second)
		r.until(60 * second)
		if count(r.all, ActUnlock) != 0 {
			t.Error("pulse without a record")
		}
		if got := strings.Join(r.events, ", "); !strings.Contains(got, "exit_unattributed #1") || strings.Contains(got, "forced") {
			t.Errorf("events %s", got)
		}
	}
}

// D13: a remote unlock is one pulse behind a durable record, refused where nobody may enter.
func TestUnlockCommand(t *testing.T) {
	r := newRig(t, controlled())
	unlock := Input{Kind: InCommand, At: second, Attempt: attempt(7), Command: CommandUnlock, Until: 6 * second}
	r.in(unlock)
	r.in(unlock) // repeated: the same command
	r.in(Input{Kind: InDurable, At: second + 10*ms, Barrier: 1})
	r.pulse(3*second, time.Second)
	r.until(60 * second)
	r.want("command_accepted #7", "command_done #7", "entry #7", "closed #7")
	if n := count(r.all, ActUnlock); n != 1 {
		t.Errorf("%d unlock edges, want 1", n)
	}
	for _, mode := range []access.DoorMode{access.ModeLocked, access.ModeLockdown, 99} {
		r := newRig(t, controlled())
		r.in(Input{Kind: InMode, Mode: mode, At: 1})
		r.in(unlock)
		r.in(Input{Kind: InDurable, At: second + 10*ms, Barrier: 1})
		if count(r.all, ActUnlock) != 0 {
			t.Errorf("mode %s: remote unlock acted", mode)
		}
	}
}

// Lockdown ends what was granted to people outside, also between the record and its durability.
func TestLockdownWithdraws(t *testing.T) {
	r := newRig(t, controlled())
	r.in(Input{Kind: InGranted, At: second, Attempt: attempt(1), Side: access.SideEnter, By: access.ByGateway})
	r.in(Input{Kind: InMode, At: second + 1, Mode: access.ModeLockdown})
	r.in(Input{Kind: InDurable, At: second + 2, Barrier: 1})
	r.want("granted #1", "mode_changed", "denied #1")
	if count(r.all, ActUnlock) != 0 {
		t.Error("lockdown did not stop a waiting grant")
	}
	r.grant(2*second, 2, access.SideExit) // leaving is not concerned
	if count(r.actions, ActUnlock) != 1 {
		t.Error("lockdown stopped an exit")
	}
	if r.s.Name() != Unlocked {
		t.Errorf("state %s", r.s.Name())
	}
	r.until(60 * second)
	if r.s.Name() != InLockdown || r.s.Shown() != IndLockdown {
		t.Errorf("ends %s showing %s", r.s.Name(), r.s.Shown())
	}
}

// More people than one opening can name: the ninth is refused; somebody who leaves never is.
func TestQueueIsBounded(t *testing.T) {
	r := newRig(t, controlled())
	for n := byte(1); n <= 9; n++ {
		r.grant(second, n, access.SideEnter)
	}
	if last := r.events[len(r.events)-1]; last != "denied #9" {
		t.Errorf("the ninth: %s", last)
	}
	r.grant(second, 10, access.SideExit)
	if count(r.actions, ActUnlock) != 1 {
		t.Error("an exit was refused")
	}
	r.pulse(2*second, time.Second)
	entries := 0
	for _, e := range r.events {
		if strings.HasPrefix(e, "entry") || strings.HasPrefix(e, "exit #10") {
			entries++
		}
	}
	if entries != 8 {
		t.Errorf("%d passages, want 7 entries and the exit", entries)
	}
}

func TestValidate(t *testing.T) {
	if err := controlled().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{Kind: 9, Exit: 9, Debounce: time.Second}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"no id", "kind 9", "exit sensing 9", "release time", "open time", "debounce 1s", "durable wait", "PIN wait"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q in:\n%v", want, err)
		}
	}
}
