package link

import (
	"bytes"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// desk drives one server machine by hand.
type desk struct {
	*testing.T
	s   *Server
	now mono.Time
}

func newDesk(t *testing.T) *desk {
	return &desk{T: t, s: newTestServer(), now: mono.Time(time.Hour)}
}

func (d *desk) in(in ServerInput) []ServerAction { return d.s.Step(d.now, 1_770_000_000_000, in) }

func (d *desk) from(kind string, body []byte) []ServerAction {
	d.Helper()
	msg, err := wire.Seal(gatewayKey(), testSite, testGW, kind, body)
	if err != nil {
		d.Fatal(err)
	}
	return d.in(Message{Kind: kind, Payload: msg})
}

// beat sends a heartbeat of a boot at the desk's time.
func (d *desk) beat(boot byte, epoch byte, head uint64) []ServerAction {
	d.Helper()
	return d.from(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &wire.Heartbeat{
		Gateway: testGW, Challenge: wire.Challenge{boot, byte(d.now)}, Stamp: stampAt(boot, d.now), Epoch: wire.Epoch{epoch}, Head: head,
	}))
}

func (d *desk) hello(boot byte, epoch byte, head uint64, hash wire.Hash) wire.Hello {
	d.Helper()
	out := d.from(wire.KindHello, wire.AppendHello(nil, &wire.Hello{
		Gateway: testGW, Epoch: wire.Epoch{epoch}, Tail: 1, Head: head, HeadHash: hash, Stamp: stampAt(boot, d.now),
	}))
	l := ofType[Lookup](out)
	if len(l) != 1 {
		d.Fatalf("got %+v, want one lookup", out)
	}
	return l[0].Hello
}

func TestLeaseNamesVersionsInForce(t *testing.T) { // I5
	t.Parallel()
	d := newDesk(t)
	if out := d.beat(1, 1, 0); len(published(t, out, wire.KindLease)) != 0 || count[Heartbeat](out) != 1 {
		t.Errorf("a lease before the versions are known: %+v", out)
	}
	d.in(Versions{Rules: 5, Modes: 2, State: 7})
	d.in(Versions{Rules: 4, Modes: 3, State: 7})
	d.now = d.now.Add(time.Second)
	out := d.beat(1, 1, 0)
	bodies := published(t, out, wire.KindLease)
	if len(bodies) != 1 {
		t.Fatalf("got %+v", out)
	}
	l, err := wire.ParseLease(bodies[0])
	if err != nil || l.Rules != 5 || l.Modes != 3 || l.State != 7 || l.TTLMS != 3000 || l.Challenge != (wire.Challenge{1, byte(d.now)}) {
		t.Errorf("got %+v %v", l, err)
	}
	if out := d.beat(1, 1, 0); len(published(t, out, wire.KindLease)) != 0 || count[Heartbeat](out) != 0 {
		t.Errorf("a repeated heartbeat: %+v", out)
	}
}

func TestSameAskSameAnswer(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	m := wire.Ask{Gateway: testGW, ID: wire.AskID{1}, Attempt: door.Attempt{2}, Door: "d", Side: access.SideEnter}
	body := wire.AppendAsk(nil, &m)
	if out := d.from(wire.KindAsk, body); count[Decide](out) != 1 {
		t.Fatalf("got %+v", out)
	}
	if out := d.from(wire.KindAsk, body); len(out) != 0 {
		t.Errorf("asked again while being decided: %+v", out)
	}
	d.in(Undecided{ID: m.ID})
	if out := d.from(wire.KindAsk, body); count[Decide](out) != 1 {
		t.Errorf("after undecided: %+v", out)
	}
	first := ofType[Publish](d.in(Decided{wire.Answer{ID: m.ID, Attempt: m.Attempt, Outcome: access.Granted, Leaf: 7}}))
	if len(first) != 1 {
		t.Fatal("no answer")
	}
	if out := d.in(Decided{wire.Answer{ID: m.ID, Attempt: m.Attempt, Outcome: access.Denied, Leaf: 8}}); len(ofType[Publish](out)) != 0 {
		t.Errorf("a second answer: %+v", out)
	}
	again := ofType[Publish](d.from(wire.KindAsk, body))
	if len(again) != 1 || !bytes.Equal(again[0].Payload, first[0].Payload) {
		t.Error("not the same bytes")
	}
	other := m
	other.Attempt[0]++
	if out := d.from(wire.KindAsk, wire.AppendAsk(nil, &other)); len(ofType[Publish](out))+count[Decide](out) != 0 {
		t.Errorf("the id for another attempt: %+v", out)
	}
	for i := range remembered { // forgotten in the end
		x := m
		x.ID = wire.AskID{2, byte(i), byte(i >> 8)}
		d.from(wire.KindAsk, wire.AppendAsk(nil, &x))
	}
	if len(d.s.asks.by) > remembered {
		t.Errorf("%d asks remembered", len(d.s.asks.by))
	}
}

func TestEventsAreAckedAfterCommitOnly(t *testing.T) { // I4
	t.Parallel()
	d := newDesk(t)
	box := &outbox{epoch: wire.Epoch{1}}
	for range 3 {
		box.append(stampAt(1, d.now))
	}
	m := box.load(Load{Epoch: box.epoch, First: 1, Max: 3}).Events
	m.Gateway = testGW
	out := d.from(wire.KindEvents, wire.AppendEvents(nil, &m)) // no hello came before
	if count[Ingest](out) != 1 || len(ofType[Publish](out)) != 0 {
		t.Fatalf("got %+v", out)
	}
	out = d.in(Committed{Epoch: box.epoch, Seq: 2, Hash: box.hashAt(2), Checkpoint: "c\n"})
	bodies := published(t, out, wire.KindAck)
	if len(bodies) != 1 {
		t.Fatalf("got %+v", out)
	}
	if a, err := wire.ParseAck(bodies[0]); err != nil || a.Seq != 2 || a.Hash != box.hashAt(2) || a.Checkpoint != "c\n" {
		t.Errorf("got %+v %v", a, err)
	}
	if out := d.in(Refused{Epoch: box.epoch}); len(out) != 0 {
		t.Errorf("a gap: %+v", out)
	}
	d.in(Refused{Epoch: box.epoch, Fork: true})
	if out := d.in(Committed{Epoch: box.epoch, Seq: 3, Hash: box.hashAt(3)}); len(ofType[Publish](out)) != 0 {
		t.Error("acknowledged after a fork")
	}
	if out := d.from(wire.KindEvents, wire.AppendEvents(nil, &m)); count[Ingest](out) != 0 {
		t.Error("ingested after a fork")
	}
	if out := d.in(Committed{Epoch: wire.Epoch{2}, Seq: 1}); len(published(t, out, wire.KindAck)) != 1 {
		t.Error("another epoch is not acknowledged")
	}
}

func TestForkAtHello(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	h := d.hello(1, 1, 9, wire.Hash{1})
	out := d.in(Watermark{Hello: h, Seq: 9, Hash: wire.Hash{2}})
	if f := ofType[Finding](out); len(f) != 1 || f[0].Kind != FindingFork || f[0].Seq != 9 {
		t.Errorf("got %+v", out)
	}
	if len(published(t, out, wire.KindWelcome)) != 1 {
		t.Error("not welcomed: the gateway cannot find out")
	}
	if out := d.in(Watermark{Hello: h, Seq: 9, Hash: wire.Hash{2}}); count[Finding](out) != 0 {
		t.Error("found twice")
	}
	if !d.s.watch.stopped(wire.Epoch{1}) {
		t.Error("acks go on")
	}
}

// Goal 24: a card that was put back is found, whether or not the gateway says so.
func TestRollbackIsFound(t *testing.T) {
	t.Parallel()
	t.Run("the gateway begins a new epoch", func(t *testing.T) {
		d := newDesk(t)
		if out := d.in(Watermark{Hello: d.hello(1, 1, 5, wire.Hash{5}), Seq: 9, Hash: wire.Hash{9}}); count[Finding](out) != 0 {
			t.Errorf("one hello is enough: %+v", out)
		}
		d.now = d.now.Add(time.Second)
		f := ofType[Finding](d.in(Watermark{Hello: d.hello(1, 2, 1, wire.Hash{7})}))
		if len(f) != 1 || f[0].Kind != FindingRollback || f[0].Seq != 9 || f[0].Head != 5 || f[0].Epoch != (wire.Epoch{1}) {
			t.Errorf("got %+v", f)
		}
	})
	t.Run("the gateway goes on", func(t *testing.T) {
		d := newDesk(t)
		d.in(Watermark{Hello: d.hello(1, 1, 5, wire.Hash{5}), Seq: 9, Hash: wire.Hash{9}})
		var found []Finding
		for range 5 {
			d.now = d.now.Add(time.Second)
			found = append(found, ofType[Finding](d.beat(1, 1, 6))...)
		}
		if len(found) != 1 || found[0].Kind != FindingRollback {
			t.Errorf("got %+v", found)
		}
		if !d.s.watch.stopped(wire.Epoch{1}) {
			t.Error("acks go on")
		}
	})
	t.Run("only an old hello", func(t *testing.T) {
		d := newDesk(t)
		d.in(Watermark{Hello: d.hello(1, 1, 5, wire.Hash{5}), Seq: 9, Hash: wire.Hash{9}})
		var found []Finding
		for range 5 {
			d.now = d.now.Add(time.Second)
			found = append(found, ofType[Finding](d.beat(1, 1, 9))...)
		}
		found = append(found, ofType[Finding](d.in(Watermark{Hello: d.hello(1, 2, 1, wire.Hash{7})}))...)
		if len(found) != 0 {
			t.Errorf("got %+v", found)
		}
	})
	t.Run("a replayed hello after newer messages", func(t *testing.T) {
		d := newDesk(t)
		old := wire.AppendHello(nil, &wire.Hello{Gateway: testGW, Epoch: wire.Epoch{1}, Head: 5, Stamp: stampAt(1, d.now.Add(-time.Minute))})
		d.beat(1, 1, 9)
		l := ofType[Lookup](d.from(wire.KindHello, old))
		if len(l) != 1 {
			t.Fatal("no lookup")
		}
		d.in(Watermark{Hello: l[0].Hello, Seq: 9, Hash: wire.Hash{9}})
		if d.s.watch.suspect != nil {
			t.Error("suspected")
		}
	})
}

// EV-6: two devices that claim to be one gateway are found; a restart is none.
func TestCloneIsFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	var found []Finding
	for range 30 {
		d.now = d.now.Add(500 * time.Millisecond)
		found = append(found, ofType[Finding](d.beat(1, 1, 1))...)
		found = append(found, ofType[Finding](d.beat(2, 1, 1))...)
	}
	if len(found) != 1 || found[0].Kind != FindingClone || found[0].Boots != [2]wire.BootID{{1}, {2}} {
		t.Errorf("got %+v", found)
	}
	// A restart with a few late messages of the old boot is none.
	d = newDesk(t)
	found = nil
	for i := range 30 {
		d.now = d.now.Add(500 * time.Millisecond)
		if i < 5 || i == 7 || i == 9 {
			found = append(found, ofType[Finding](d.beat(1, 1, 1))...)
		}
		if i >= 5 {
			found = append(found, ofType[Finding](d.beat(2, 1, 1))...)
		}
	}
	if len(found) != 0 {
		t.Errorf("a restart: %+v", found)
	}
}

// Goal 23: restored from a backup behind an external broker, the server greets by itself, and again
// while the gateway has not gone back.
func TestRestoredServerGreets(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	beat := func(acked uint64) []ServerAction {
		d.now = d.now.Add(time.Second)
		return d.from(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &wire.Heartbeat{
			Gateway: testGW, Stamp: stampAt(1, d.now), Epoch: wire.Epoch{1}, Head: 80, Acked: acked,
		}))
	}
	for range 3 {
		l := ofType[Lookup](beat(80))
		if len(l) != 1 {
			t.Fatal("no lookup")
		}
		out := d.in(Watermark{Hello: l[0].Hello, Seq: 50, Hash: wire.Hash{5}})
		if len(published(t, out, wire.KindWelcome)) != 1 || count[Finding](out) != 0 {
			t.Errorf("got %+v", out)
		}
	}
	d.in(Committed{Epoch: wire.Epoch{1}, Seq: 80, Hash: wire.Hash{8}})
	if out := beat(80); count[Lookup](out) != 0 {
		t.Error("greets for ever")
	}
	d.in(Watermark{Hello: wire.Hello{Epoch: wire.Epoch{1}, Head: 80, Stamp: stampAt(1, d.now)}, Seq: 80, Hash: wire.Hash{8}})
	if d.s.watch.stopped(wire.Epoch{1}) {
		t.Error("a lookup from a heartbeat has no hash and is no fork")
	}
}

func TestWant(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	want := func(chunks ...wire.Hash) []ServerAction {
		return d.from(wire.KindWant, wire.AppendWant(nil, &wire.Want{Gateway: testGW, Chunks: chunks}))
	}
	if out := want(); len(ofType[Publish](out)) != 0 {
		t.Errorf("no policy yet: %+v", out)
	}
	p := mustPolicy(t, 1, [3]uint64{1, 0, 0})
	if out := d.in(p); len(published(t, out, wire.KindPolicy)) != 1 {
		t.Errorf("not pushed at once: %+v", out)
	}
	if out := want(); len(published(t, out, wire.KindPolicy)) != 1 {
		t.Errorf("got %+v", out)
	}
	var hashes []wire.Hash
	for h := range p.Chunks.(chunkMap) {
		hashes = append(hashes, h)
	}
	if out := want(hashes...); len(published(t, out, wire.KindChunk)) != len(hashes) || len(published(t, out, wire.KindPolicy)) != 0 {
		t.Errorf("got %d actions", len(out))
	}
	if out := want(hashes[0], wire.Hash{1}); len(published(t, out, wire.KindChunk)) != 1 || len(published(t, out, wire.KindPolicy)) != 1 {
		t.Errorf("a chunk of an older policy: %d actions", len(out))
	}
	d.now = d.now.Add(time.Minute)
	if out := d.in(p); len(ofType[Publish](out)) != 0 {
		t.Error("pushed to a gateway that is away")
	}
}

func TestServerRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for what, m := range map[string]Message{
		"a down kind":  {Kind: wire.KindAck, Payload: []byte("x")},
		"reserved":     {Kind: wire.KindWitness, Payload: []byte("x")},
		"not a note":   {Kind: wire.KindHello, Payload: []byte("x")},
		"wrong signer": {Kind: wire.KindWant, Payload: sealAs(t, wire.RoleLink, wire.KindWant, wire.AppendWant(nil, &wire.Want{Gateway: testGW}))},
	} {
		if out := d.in(m); len(out) != 1 || count[Rejected](out) != 1 {
			t.Errorf("%s: %+v", what, out)
		}
	}
	if out := d.from(wire.KindWant, wire.AppendWant(nil, &wire.Want{Gateway: "gw-2"})); ofType[Rejected](out)[0].Why != WhyOtherGateway {
		t.Errorf("another gateway's: %+v", out)
	}
	if d.s.alive && d.s.heard == 0 {
		t.Error("heard nobody")
	}
}
