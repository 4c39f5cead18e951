package uplink

import (
	"context"
	"testing"
	"time"

	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// nothing is an outbox, a policy store and a listener behind which there is nothing.
type nothing struct{ changed chan struct{} }

func (nothing) State() link.OutboxState                           { return link.OutboxState{Tail: 1} }
func (n nothing) Changed() <-chan struct{}                        { return n.changed }
func (nothing) Load(wire.Epoch, uint64, int) (wire.Events, error) { return wire.Events{}, nil }
func (nothing) Acked(link.Acked)                                  {}
func (nothing) NewEpoch(string)                                   {}
func (nothing) Held() link.PolicyHeld                             { return link.PolicyHeld{} }
func (nothing) Apply(link.PolicyReady) link.PolicyHeld            { return link.PolicyHeld{} }
func (nothing) Leased(link.Lease)                                 {}
func (nothing) LinkUp()                                           {}
func (nothing) LinkLost()                                         {}
func (nothing) ServerTime(link.ServerTime)                        {}
func (nothing) KeysChanged(string)                                {}
func (nothing) Read(b []byte) (int, error)                        { clear(b); return len(b), nil }

func newTest(t *testing.T) *Uplink {
	t.Helper()
	start := time.Now()
	n := nothing{make(chan struct{})}
	return New(Config{
		Server: "tls://127.0.0.1:1", Site: "s", Gateway: "gw-1", Rand: n, Outbox: n, Policies: n, Listener: n,
		AskTimeout: time.Minute,
		Now:        func() mono.Time { return mono.Time(time.Since(start)) },
		Stamp:      func(mono.Time) wire.Stamp { return wire.Stamp{} },
	})
}

// D8: without a lease nobody waits: each ask fails at once, exactly once, and nothing is answered.
func TestAskWithoutLeaseFailsAtOnce(t *testing.T) {
	u := newTest(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { u.Run(ctx); close(ended) }()
	failed := make(chan int, 1000)
	for i := range 300 { // more than there is room for
		u.Ask(wire.Ask{}, [32]byte{}, func(wire.Answer, bool) { t.Error("answered") }, func() { failed <- i })
	}
	seen := map[int]bool{}
	limit := time.After(30 * time.Second) // an ask that waits does so for a minute
	for len(seen) < 300 {
		select {
		case i := <-failed:
			if seen[i] {
				t.Fatalf("ask %d failed twice", i)
			}
			seen[i] = true
		case <-limit:
			t.Fatalf("%d of 300 asks have failed", len(seen))
		}
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not end with its context")
	}
}

// A flood of messages that nobody takes is dropped, never waited for: the client's callback returns.
func TestFloodIsDropped(t *testing.T) {
	u := newTest(t) // Run is not started, so nothing is taken
	done := make(chan struct{})
	go func() {
		for range 10 * inboxLimit {
			u.post(link.Message{Kind: wire.KindLease, Payload: []byte("x")})
		}
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("a full queue blocks the callback")
	}
	if len(u.inbox) != inboxLimit {
		t.Errorf("%d messages kept, want %d", len(u.inbox), inboxLimit)
	}
}

// The state of a door is replaced, not gathered.
func TestSetDoor(t *testing.T) {
	u := newTest(t)
	for range 50 {
		u.SetDoor(wire.DoorStatus{Door: "a", State: "open"})
		u.SetDoor(wire.DoorStatus{Door: "b", State: "secured"})
	}
	if len(u.doors) != 2 || u.doors[0].State != "open" {
		t.Errorf("doors %+v", u.doors)
	}
}
