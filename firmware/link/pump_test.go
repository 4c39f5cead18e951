package link

import (
	"testing"
	"time"

	"monban/firmware/wire"
)

func (r *rig) batches(actions []GatewayAction) (first, last uint64, n int) {
	r.Helper()
	for _, b := range published(r, actions, wire.KindEvents) {
		m, err := wire.ParseEvents(b)
		if err != nil {
			r.Fatal(err)
		}
		if n == 0 {
			first = m.First
		}
		last = m.First + uint64(len(m.Records)) - 1
		n++
	}
	return first, last, n
}

// I4: the window, acks, and going back.
func TestPump(t *testing.T) {
	t.Parallel()
	r := newRig(t, 200)
	r.in(Connected{})
	first, last, _ := r.batches(r.welcome(10, r.box.hashAt(10)))
	if first != 11 || last != 10+Window {
		t.Fatalf("sent %d to %d, want 11 to %d", first, last, 10+Window)
	}
	if _, _, n := r.batches(r.after(100 * time.Millisecond)); n != 0 {
		t.Error("sent beyond the window")
	}
	out := r.ack(30, r.box.hashAt(30))
	if a := ofType[Acked](out); len(a) != 1 || a[0].Seq != 30 || a[0].Hash != r.box.hashAt(30) {
		t.Errorf("got %+v", a)
	}
	if first, last, _ = r.batches(out); first != 75 || last != 94 {
		t.Errorf("sent %d to %d, want 75 to 94", first, last)
	}
	for _, seq := range []uint64{30, 29, 0} { // cumulative: older ones do nothing
		if out := r.ack(seq, r.box.hashAt(seq)); count[Acked](out) != 0 || count[NewEpoch](out) != 0 {
			t.Errorf("ack %d again: %+v", seq, out)
		}
	}
	var waits []time.Duration
	at := r.now
	for len(waits) < 6 {
		out := r.after(50 * time.Millisecond)
		if first, _, n := r.batches(out); n > 0 {
			if first != 31 {
				t.Fatalf("went back to %d, want 31", first)
			}
			if len(published(t, out, wire.KindHello)) != 1 {
				t.Error("went back without greeting")
			}
			waits = append(waits, r.now.Sub(at))
			at = r.now
		}
	}
	for i, nominal := range []time.Duration{1, 2, 4, 8, 16, 30} {
		if w := waits[i]; w < nominal*time.Second/2-50*time.Millisecond || w > nominal*3*time.Second/2+100*time.Millisecond {
			t.Errorf("wait %d is %v, want %d s ± half", i, w, nominal)
		}
	}
	if first, last, _ = r.batches(r.ack(94, r.box.hashAt(94))); first != 95 || last != 94+Window {
		t.Errorf("after the ack sent %d to %d", first, last)
	}
}

// The server has more, or other, records than the outbox: a card that was put back or cloned.
func TestNewEpoch(t *testing.T) { // I3
	t.Parallel()
	bad := wire.Hash{9}
	cases := []struct {
		what string
		do   func(r *rig) []GatewayAction
		want string
	}{
		{"welcome above the head", func(r *rig) []GatewayAction { return r.welcome(21, bad) }, "rollback"},
		{"welcome at the head, other hash", func(r *rig) []GatewayAction { return r.welcome(20, bad) }, "fork"},
		{"welcome below the head, other hash", func(r *rig) []GatewayAction { return r.welcome(12, bad) }, "fork"},
		{"welcome at 0, other hash", func(r *rig) []GatewayAction { return r.welcome(0, bad) }, "fork"},
		{"ack, other hash", func(r *rig) []GatewayAction {
			r.welcome(0, wire.Hash{})
			return r.ack(5, bad)
		}, "fork"},
		{"ack above the head", func(r *rig) []GatewayAction {
			r.welcome(0, wire.Hash{})
			return r.ack(25, bad)
		}, "rollback"},
	}
	for _, c := range cases {
		r := newRig(t, 20)
		r.in(Connected{})
		out := c.do(r)
		e := ofType[NewEpoch](out)
		if len(e) != 1 || e[0].Why != c.want || count[Acked](out) != 0 {
			t.Errorf("%s: got %+v", c.what, out)
			continue
		}
		for range 100 {
			if _, _, n := r.batches(r.after(time.Second)); n > 0 {
				t.Errorf("%s: still sends", c.what)
				break
			}
		}
		r.box = &outbox{epoch: wire.Epoch{2}}
		r.box.append(stampAt(1, r.now))
		if out := r.in(r.box.state()); len(published(t, out, wire.KindHello)) != 1 {
			t.Errorf("%s: no greeting with the new epoch", c.what)
		}
		if _, last, _ := r.batches(r.welcome(0, wire.Hash{})); last != 1 {
			t.Errorf("%s: does not send the new epoch", c.what)
		}
	}
}

// An outbox that gives what does not chain sends nothing.
func TestDamagedBatch(t *testing.T) {
	t.Parallel()
	for what, spoil := range map[string]func(b *Batch){
		"head":   func(b *Batch) { b.Events.Head[0] ^= 1 },
		"record": func(b *Batch) { b.Events.Records[0].Body = append([]byte(" "), b.Events.Records[0].Body...) },
		"prev": func(b *Batch) { // chains in itself, but not after what was sent
			b.Events.Prev[0] ^= 1
			h := b.Events.Prev
			for _, c := range b.Events.Records {
				h = wire.ChainHash(h, c.Body)
			}
			b.Events.Head = h
		},
	} {
		r := newRig(t, 10)
		r.in(Connected{})
		r.welcome(0, wire.Hash{})
		r.box.append(stampAt(1, r.now))
		out := r.g.Step(r.now, stampAt(1, r.now), r.box.state())
		l := ofType[Load](out)
		if len(l) != 1 {
			t.Fatalf("%s: %+v", what, out)
		}
		b := r.box.load(l[0])
		spoil(&b)
		out = r.in(b)
		if _, _, n := r.batches(out); n != 0 || why(out) != WhyDamaged {
			t.Errorf("%s: %+v", what, out)
		}
		sent := 0
		for range 30 {
			_, _, n := r.batches(r.after(100 * time.Millisecond))
			sent += n
		}
		if sent == 0 {
			t.Errorf("%s: never tried again", what)
		}
	}
}

// The server was restored from a backup and its broker kept the connection: it greets unasked. An
// old welcome, replayed, does nothing.
func TestUnaskedWelcome(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50)
	r.in(Connected{})
	r.welcome(0, wire.Hash{})
	r.ack(50, r.box.hashAt(50))
	old := sealAs(t, wire.RoleLink, wire.KindWelcome, wire.AppendWelcome(nil, &wire.Welcome{
		Gateway: testGW, Boot: wire.BootID{1}, Epoch: r.box.epoch, ServerMS: int64(r.now),
	}))
	r.now = r.now.Add(time.Minute)
	if first, last, _ := r.batches(r.welcome(20, r.box.hashAt(20))); first != 21 || last != 50 {
		t.Errorf("sent %d to %d, want 21 to 50", first, last)
	}
	if out := r.in(Message{Kind: wire.KindWelcome, Payload: old}); why(out) != WhyStale {
		t.Errorf("an old welcome: %+v", out)
	}
}

// The server lost what was trimmed here: what there is is sent.
func TestTrimmedBehindServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, 50)
	s := r.box.state()
	s.Tail, s.Acked = 31, 40
	r.in(s)
	r.in(Connected{})
	if first, last, _ := r.batches(r.welcome(5, r.box.hashAt(5))); first != 31 || last != 50 {
		t.Errorf("sent %d to %d, want 31 to 50", first, last)
	}
	if out := r.ack(5, r.box.hashAt(5)); count[Acked](out) != 0 || count[NewEpoch](out) != 0 {
		t.Errorf("got %+v", out)
	}
	if out := r.ack(50, r.box.hashAt(50)); count[Acked](out) != 1 {
		t.Errorf("got %+v", out)
	}
}

// Records are acknowledged although every ack was lost: the welcome of the next connection says so.
func TestWelcomeAcknowledges(t *testing.T) {
	t.Parallel()
	r := newRig(t, 5)
	r.in(Connected{})
	if a := ofType[Acked](r.welcome(5, r.box.hashAt(5))); len(a) != 1 || a[0].Seq != 5 {
		t.Errorf("got %+v", a)
	}
}
