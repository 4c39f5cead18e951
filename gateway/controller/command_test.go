package controller

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

func unlock(n byte) wire.Command {
	return wire.Command{ID: wire.CommandID{n}, Door: "d", Action: door.CommandUnlock, TTLMS: 5000}
}

// D13: a remote unlock is a grant like any other: behind its record, refused where nobody may enter, and its
// records carry the command's id.
func TestRemoteUnlock(t *testing.T) {
	m := machine(t, policy(t, access.OfflineDeny, false, nil))
	at := moment(time.Second)
	effects := m.OnCommand(unlock(1), at.At.Add(5*time.Second), at)
	if count[Release](effects) != 0 {
		t.Fatal("I1: released before its record was durable")
	}
	effects = settle(m, effects, at)
	var events []string
	for _, r := range records(effects) {
		events = append(events, string(r.Draft.Event))
		if r.Draft.Attempt != (door.Attempt{1}) || r.Draft.By != access.ByServer || r.Draft.Detail != "remote_unlock" {
			t.Errorf("record %+v", r.Draft)
		}
	}
	if count[Release](effects) != 1 || strings.Join(events, " ") != "command_accepted command_done" {
		t.Errorf("%d releases, records %v", count[Release](effects), events)
	}
	m = machine(t, policy(t, access.OfflineDeny, false, func(r *access.Rules) { r.Doors[0].Mode = access.ModeLockdown }))
	effects = settle(m, m.OnCommand(unlock(2), at.At.Add(5*time.Second), at), at)
	if r := records(effects); count[Release](effects) != 0 || len(r) != 1 || r[0].Draft.Event != door.EventDenied || r[0].Draft.Reason != access.ReasonLockdown {
		t.Errorf("in lockdown: %+v", effects)
	}
	m = machine(t, policy(t, access.OfflineDeny, false, nil))
	effects = settle(m, m.OnCommand(unlock(3), at.At, at), at)
	if r := records(effects); count[Release](effects) != 0 || len(r) != 1 || r[0].Draft.Detail != door.DetailExpired {
		t.Errorf("I7: after its end: %+v", effects)
	}
}

// D13: a self-test moves nothing and says what it found.
func TestSelfTestMovesNothing(t *testing.T) {
	m := machine(t, policy(t, access.OfflineDeny, false, nil))
	at := moment(time.Second)
	c := unlock(1)
	c.Action = door.CommandSelfTest
	effects := settle(m, m.OnCommand(c, at.At.Add(time.Second), at), at)
	if count[SelfTest](effects) != 1 || count[Release](effects)+count[Secure](effects)+count[Show](effects) != 0 {
		t.Errorf("effects %+v", effects)
	}
	for bad, want := range map[string]string{
		"":                                       "ok",
		"contact,outbox":                         "failed.contact.outbox",
		strings.Repeat("reader_enter,", 9) + "x": "failed.reader_enter.reader_enter.reader_enter.reader_enter.more",
	} {
		var parts []string
		if bad != "" {
			parts = strings.Split(bad, ",")
		}
		if got := testDetail(parts); len(got) > 64 || bad != "" && !strings.HasPrefix(got, "failed.") || len(parts) < 3 && got != want {
			t.Errorf("%q reads %q (%d), want %q", bad, got, len(got), want)
		}
	}
}

// DS-6: the fire release is handed to the latch when it begins and when a person has re-armed, and only then.
func TestLatchFollowsFireRelease(t *testing.T) {
	m := machine(t, policy(t, access.OfflineDeny, false, nil))
	var got []bool
	do := func(effects []Effect, at Moment) {
		for _, e := range settle(m, effects, at) {
			if u, ok := e.(Unarmed); ok {
				got = append(got, u.On)
			}
		}
	}
	at := moment(time.Second)
	do(m.On(door.Input{Kind: door.InFireRelease, On: true, At: at.At}, at), at)
	do(m.On(door.Input{Kind: door.InFireRelease, At: at.At}, at), at)
	c := unlock(1)
	c.Action = door.CommandRearm
	do(m.OnCommand(c, at.At.Add(time.Second), at), at)
	if fmt.Sprint(got) != "[true false]" {
		t.Errorf("latch %v, want set once and cleared once", got)
	}
	again := NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), noWrongPIN, nil)
	again.StartUnarmed(false, 0)
	if again.StateName() != door.Released.String() {
		t.Errorf("state %s after a restart", again.StateName())
	}
}

// A strike that does not obey: the command is not reported as done.
func TestDoneOnlyWhenTheLockObeyed(t *testing.T) {
	r := newLoopRig(t)
	r.lock.fail = true
	r.command(unlock(1))
	if got := r.events(); strings.Contains(got, "command_done") || !strings.Contains(got, "strike_failed") {
		t.Errorf("records: %s", got)
	}
	r = newLoopRig(t)
	r.command(unlock(1))
	if got := r.events(); got != "command_accepted command_done" || r.lock.released != 1 {
		t.Errorf("records: %s, %d releases", got, r.lock.released)
	}
}

// loopRig is a Loop without its goroutine: its messages are worked off by hand.
type loopRig struct {
	l     *Loop
	lock  *testLock
	saved []wire.Record
	err   error
	now   mono.Time
}

type testLock struct {
	fail     bool
	released int
}

func (l *testLock) Release(time.Duration) error {
	if l.fail {
		return errors.New("stuck")
	}
	l.released++
	return nil
}
func (*testLock) Secure() error { return nil }
func (*testLock) Close() error  { return nil }

func (r *loopRig) Append(rec wire.Record, _ []byte, _ *PINFailures, done func(error)) {
	if r.err == nil {
		r.saved = append(r.saved, rec)
	}
	done(r.err)
}
func (*loopRig) PINFailed(access.Key) uint8                              { return 0 }
func (*loopRig) PINReset() int64                                         { return 0 }
func (*loopRig) Ask(wire.Ask, [32]byte, func(wire.Answer, bool), func()) {}
func (r *loopRig) moment() Moment                                        { return Moment{At: r.now, WallMS: noon, Clock: access.ClockServer} }

func newLoopRig(t *testing.T) *loopRig {
	t.Helper()
	r := &loopRig{lock: &testLock{}, now: mono.Time(time.Second)}
	cfg := Config{
		Gateway: "gw-1", Door: door.DefaultConfig("d", door.KindControlled, door.ExitReader), Recorder: r, Asker: r, Now: r.moment,
		Stamp: func(Moment) wire.Stamp { return wire.Stamp{} }, Rand: rand.Reader,
	}
	cfg.HAL.Lock = r.lock
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.l = l
	l.start()
	l.SetPolicy(policy(t, access.OfflineDeny, false, nil), 5, noon)
	r.work()
	return r
}

func (r *loopRig) work() {
	for {
		list := r.l.box.take()
		if len(list) == 0 {
			return
		}
		for _, m := range list {
			r.l.onMessage(m)
		}
	}
}

func (r *loopRig) command(c wire.Command) {
	r.l.Command(c, r.now.Add(5*time.Second))
	r.work()
}

func (r *loopRig) events() string {
	var out []string
	for _, rec := range r.saved {
		out = append(out, string(rec.Event))
	}
	return strings.Join(out, " ")
}

// crash points of a command at a gateway, in their order.
const (
	beforeArrival  = iota
	beforeAccepted // arrived, its record not yet durable
	beforeAct      // accepted is durable
	beforeDone     // the strike has moved
	afterDone
	crashPoints
)

// I7: a gateway that dies at any point of a command, is started again, gets the very same message again and dies
// once more at any point gives at most one pulse; none when it died before the first; and accepted without done, which
// reads "unknown", exactly when it died between the two.
func TestCommandCrashPairs(t *testing.T) {
	signer, verifier := commandKey(t)
	for first := range crashPoints {
		for second := range crashPoints {
			t.Run(fmt.Sprintf("%d-%d", first, second), func(t *testing.T) {
				g := &crashGateway{t: t, verifier: verifier}
				g.start(1)
				c := unlock(1)
				c.Gateway, c.Boot, c.Challenge = "gw-1", wire.BootID{1}, g.beat
				msg, err := wire.Seal(signer, "s", "gw-1", wire.KindCommand, wire.AppendCommand(nil, &c))
				if err != nil {
					t.Fatal(err)
				}
				g.run(msg, first)
				g.start(2)
				g.run(msg, second)
				g.start(3)
				g.run(msg, afterDone)
				accepted, done := strings.Count(g.disk, "command_accepted"), strings.Count(g.disk, "command_done")
				wantEdges, wantAccepted, wantDone := 0, 0, 0
				if first > beforeAccepted {
					wantAccepted = 1
				}
				if first > beforeAct {
					wantEdges = 1
				}
				if first > beforeDone {
					wantDone = 1
				}
				if g.edges != wantEdges || accepted != wantAccepted || done != wantDone {
					t.Errorf("%d edges, %d accepted, %d done; want %d, %d, %d", g.edges, accepted, done, wantEdges, wantAccepted, wantDone)
				}
			})
		}
	}
}

// crashGateway is link and door machine of a gateway; only disk and the door's edges outlive start.
type crashGateway struct {
	t        *testing.T
	verifier note.Verifier
	link     *link.Gateway
	m        *Machine
	beat     wire.Challenge
	now      mono.Time
	disk     string
	edges    int
}

func (g *crashGateway) start(boot byte) {
	signer, _, err := note.GenerateKey(rand.Reader, wire.GatewayKeyName("s", "gw-1"))
	if err != nil {
		g.t.Fatal(err)
	}
	own, err := note.NewSigner(signer)
	if err != nil {
		g.t.Fatal(err)
	}
	g.now = mono.Time(time.Second)
	g.link = link.NewGateway(link.GatewayConfig{
		Site: "s", ID: "gw-1", Signer: own, Verifiers: wire.Verifiers{}.With(wire.RoleCommand, g.verifier),
		Rand: bytes.NewReader(bytes.Repeat([]byte{7}, 4096)), // the same challenges in each running: the boot id alone tells them apart
		Boot: wire.BootID{boot}, Software: "test",
	})
	g.link.Step(g.now, wire.Stamp{}, link.OutboxState{Tail: 1})
	g.link.Step(g.now, wire.Stamp{}, link.Connected{})
	g.beat = wire.Challenge(bytes.Repeat([]byte{7}, 16))
	g.m = machine(g.t, policy(g.t, access.OfflineDeny, false, nil))
}

// run delivers the message and works on until the crash point.
func (g *crashGateway) run(msg []byte, until int) {
	if until == beforeArrival {
		return
	}
	at := moment(time.Duration(g.now))
	for _, a := range g.link.Step(g.now, wire.Stamp{}, link.Message{Kind: wire.KindCommand, Payload: bytes.Clone(msg)}) {
		c, ok := a.(link.Commanded)
		if !ok {
			continue
		}
		accepted := records(g.m.OnCommand(c.Command, c.Until, at))
		if len(accepted) != 1 || until == beforeAccepted {
			return
		}
		g.disk += string(accepted[0].Draft.Event) + "\n"
		if until == beforeAct {
			return
		}
		for _, e := range g.m.On(door.Input{Kind: door.InDurable, Barrier: accepted[0].Barrier, At: at.At}, at) {
			switch e := e.(type) {
			case Release:
				g.edges++
			case Record:
				if until == beforeDone {
					return
				}
				g.disk += string(e.Draft.Event) + "\n"
			}
		}
	}
}

func commandKey(t *testing.T) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, wire.KeyName("s", wire.RoleCommand))
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
}
