package downlink_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/downlink"
)

func TestAskIsAnswered(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	for range 20 {
		ask := g.ask()
		g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
		ans, err := wire.ParseAnswer(g.next(wire.KindAnswer))
		if err != nil || ans.ID != ask.ID || ans.Attempt != ask.Attempt || ans.Outcome != access.Granted {
			t.Fatalf("answer %+v, %v", ans, err)
		}
	}
	if st := b.d.Stats(); st.Asks != 20 || st.Answers != 20 || st.Gateways != 1 || len(st.Rejected) != 0 {
		t.Errorf("%+v", st)
	}
}

// An authority that fails, or panics, gives no answer, and the next ask is answered again (I9).
func TestNoAnswerIsInvented(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	for name, set := range map[string]func(){
		"error": func() { b.backend.fail = errStore },
		"panic": func() { b.backend.boom = true },
	} {
		b.backend.with(set)
		before := b.d.Stats().AskErrors
		ask := g.ask()
		g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
		b.until("the ask fails", func() bool { return b.d.Stats().AskErrors == before+1 })
		if got := g.kinds(); len(got) != 0 {
			t.Errorf("%s: sent %v", name, got)
		}
		b.backend.with(func() { b.backend.fail, b.backend.boom = nil, false })
		g.send(wire.KindAsk, wire.AppendAsk(nil, &ask)) // the same ask, repeated
		if ans, err := wire.ParseAnswer(g.next(wire.KindAnswer)); err != nil || ans.ID != ask.ID {
			t.Errorf("%s: %+v, %v", name, ans, err)
		}
	}
	if n := b.d.Stats().Rejected[downlink.Rejection{Kind: wire.KindAsk, Why: downlink.WhyPanic}]; n != 1 {
		t.Errorf("%d panics counted", n)
	}
}

// I4: nothing is acknowledged before the commit, and nothing that failed.
func TestAckOnlyAfterCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	b.backend.hold()
	e := g.batch(3)
	g.sendBatch(e)
	b.until("the batch is with ingest", func() bool { return b.d.Stats().Batches == 1 })
	if got := g.kinds(); slices.Contains(got, wire.KindAck) {
		t.Fatalf("before the commit: %v", got)
	}
	b.backend.release()
	ack, err := wire.ParseAck(g.next(wire.KindAck))
	if err != nil || ack.Seq != 3 || ack.Hash != e.Head || ack.Epoch != g.epoch {
		t.Fatalf("ack %+v, %v", ack, err)
	}
	if d := cmp.Diff(b.backend.events, []wire.Events{e}); d != "" {
		t.Error(d)
	}

	// Each failure twice: not committed, and committed but not said.
	b.backend.with(func() { b.backend.fail = errStore })
	e = g.batch(2)
	g.sendBatch(e)
	b.until("ingest fails", func() bool { return b.d.Stats().IngestErrors == 1 })
	if got := g.kinds(); slices.Contains(got, wire.KindAck) {
		t.Errorf("after a failed commit: %v", got)
	}
	b.backend.with(func() { b.backend.fail = nil })
	g.sendBatch(e)
	g.sendBatch(e) // the ack was lost, the batch comes again
	for range 2 {
		if ack, err := wire.ParseAck(g.next(wire.KindAck)); err != nil || ack.Seq != 5 {
			t.Errorf("ack %+v, %v", ack, err)
		}
	}

	b.backend.with(func() { b.backend.fork = true })
	n := b.d.Stats().Batches
	g.sendBatch(g.batch(1))
	b.until("the fork is with ingest", func() bool { return b.d.Stats().Batches == n+1 })
	b.backend.with(func() { b.backend.fork = false })
	g.sendBatch(g.batch(1))
	b.until("the forked epoch is refused", func() bool {
		return b.d.Stats().Rejected[downlink.Rejection{Kind: wire.KindEvents, Why: string(link.FindingFork)}] == 1
	})
	if got := g.kinds(); slices.Contains(got, wire.KindAck) {
		t.Errorf("acknowledged after a fork: %v", got)
	}
}

// Batches of one gateway reach ingest in their order.
func TestBatchesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g1, g2 := b.device("gw-1"), b.device("gw-2")
	const n = 100
	for range n {
		for _, g := range []*device{g1, g2} {
			g.sendBatch(g.batch(1))
		}
	}
	b.until("all batches are committed", func() bool { return b.d.Stats().Acks == 2*n })
	next := map[access.GatewayID]uint64{}
	for _, e := range b.backend.events {
		if e.First != next[e.Gateway]+1 {
			t.Fatalf("%s: record %d after %d", e.Gateway, e.First, next[e.Gateway])
		}
		next[e.Gateway] = e.First
	}
}

func TestHelloIsWelcomed(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	e := g.batch(4)
	g.sendBatch(e)
	g.next(wire.KindAck)
	hello := wire.Hello{Gateway: "gw-1", Epoch: g.epoch, Tail: 1, Head: 4, HeadHash: e.Head, Stamp: g.stamp(), Software: "test"}
	g.send(wire.KindHello, wire.AppendHello(nil, &hello))
	w, err := wire.ParseWelcome(g.next(wire.KindWelcome))
	if err != nil || w.Watermark != 4 || w.Hash != e.Head || w.Boot != g.boot || w.Keys != "keys note\n" {
		t.Errorf("welcome %+v, %v", w, err)
	}
	b.d.KeysChanged("newer keys note\n")
	hello.Stamp = g.stamp()
	g.send(wire.KindHello, wire.AppendHello(nil, &hello))
	if w, err := wire.ParseWelcome(g.next(wire.KindWelcome)); err != nil || w.Keys != "newer keys note\n" {
		t.Errorf("welcome %+v, %v", w, err)
	}
}

// A store that cannot be read is told once, not with each hello: a gateway says one each second, and a journal full of it hides the rest.
func TestUnansweredHellosAreToldOnce(t *testing.T) {
	t.Parallel()
	var lines counter
	b := newBench(t, func(c *downlink.Config) { c.Log = slog.New(slog.NewTextHandler(&lines, nil)) })
	g := b.device("gw-1")
	hello := wire.Hello{Gateway: "gw-1", Epoch: g.epoch, Software: "test"}
	failed := uint64(0)
	for _, c := range []struct {
		fail error
		want int64 // lines in all
	}{{errStore, 1}, {errStore, 1}, {errors.New("another"), 2}, {nil, 2}, {errStore, 3}} {
		b.backend.with(func() { b.backend.fail = c.fail })
		hello.Stamp = g.stamp()
		g.send(wire.KindHello, wire.AppendHello(nil, &hello))
		if c.fail == nil {
			g.next(wire.KindWelcome)
		} else {
			failed++
			b.until("the hello fails", func() bool { return b.d.Stats().IngestErrors == failed })
		}
		b.until("the lines", func() bool { return lines.n.Load() >= c.want })
		if n := lines.n.Load(); n != c.want {
			t.Fatalf("%v: %d lines, want %d", c.fail, n, c.want)
		}
	}
}

// counter counts the lines about hellos.
type counter struct{ n atomic.Int64 }

func (c *counter) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("watermark not read")) {
		c.n.Add(1)
	}
	return len(b), nil
}

// I5: each lease names what is in force when it is given; a change is pushed at once.
func TestLeasesAndPolicy(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	lease := func() wire.Lease {
		hb := g.heartbeat()
		g.send(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &hb))
		l, err := wire.ParseLease(g.next(wire.KindLease))
		if err != nil || l.Challenge != hb.Challenge {
			t.Fatalf("lease %+v, %v", l, err)
		}
		return l
	}
	b.backend.with(func() { b.backend.versions = nil })
	hb := g.heartbeat()
	g.send(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &hb))
	b.until("the heartbeat is taken", func() bool { return b.d.Stats().Heartbeats == 1 })

	h := b.publishPolicy(7, []byte("rules of version seven"))
	if l := lease(); l.Rules != 7 { // nobody called PolicyChanged
		t.Errorf("lease names %d", l.Rules)
	}
	if n := len(g.in); n > 1 { // the manifest may have come with it, the lease without policy must not
		t.Errorf("%d more messages", n)
	}
	want := wire.Want{Gateway: "gw-1", Chunks: []wire.Hash{h}}
	g.send(wire.KindWant, wire.AppendWant(nil, &want))
	if got := g.next(wire.KindChunk); string(got) != "rules of version seven" {
		t.Errorf("chunk %q", got)
	}
	want.Chunks = nil
	g.send(wire.KindWant, wire.AppendWant(nil, &want))
	if m, err := wire.ParseManifest(g.next(wire.KindPolicy)); err != nil || m.Version != 7 {
		t.Errorf("manifest %+v, %v", m, err)
	}
	b.publishPolicy(8, []byte("rules of version eight"))
	b.d.PolicyChanged()
	if m, err := wire.ParseManifest(g.next(wire.KindPolicy)); err != nil || m.Version != 8 {
		t.Errorf("pushed manifest %+v, %v", m, err)
	}
	if l := lease(); l.Rules != 8 {
		t.Errorf("lease names %d", l.Rules)
	}
	b.backend.with(func() { b.backend.versions = &link.Versions{Rules: 3} })
	if l := lease(); l.Rules != 8 {
		t.Errorf("lease went back to %d", l.Rules)
	}
	if len(b.backend.beats) != 4 {
		t.Errorf("%d heartbeats told to health", len(b.backend.beats))
	}
}

// OP-3: what is not ours, not signed or not in form is counted and dropped, and nothing else happens.
func TestGarbageIsCountedAndDropped(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g, other := b.device("gw-1"), b.device("gw-2")
	ask := g.ask()
	good := g.sealed(wire.KindAsk, wire.AppendAsk(nil, &ask))
	ev := g.batch(1)
	events := g.sealed(wire.KindEvents, wire.AppendEvents(nil, &ev))
	foreign, _ := newKey(t, wire.GatewayKeyName(site, "gw-1"))
	forged, err := wire.Seal(foreign, site, "gw-1", wire.KindAsk, wire.AppendAsk(nil, &ask))
	if err != nil {
		t.Fatal(err)
	}
	byServer, err := wire.Seal(b.link, site, "gw-1", wire.KindAsk, wire.AppendAsk(nil, &ask))
	if err != nil {
		t.Fatal(err)
	}
	lying := ask
	lying.Gateway = "gw-2"
	noise := make([]byte, 5000)
	_, _ = rand.Read(noise)
	flipped := slices.Clone(good)
	flipped[60] ^= 1
	cut := good[:len(good)/2]

	type x struct {
		from    *device
		kind    string
		payload []byte
		why     string
	}
	for name, c := range map[string]x{
		"empty":               {g, wire.KindAsk, nil, "signature"},
		"noise":               {g, wire.KindEvents, noise, "signature"},
		"text":                {g, wire.KindHello, []byte("hello"), "signature"},
		"control characters":  {g, wire.KindWant, []byte("\x00\x01\n\n"), "signature"},
		"cut":                 {g, wire.KindAsk, cut, "signature"},
		"one bit":             {g, wire.KindAsk, flipped, "signature"},
		"another key":         {g, wire.KindAsk, forged, "signature"},
		"the server's key":    {g, wire.KindAsk, byServer, "signature"},
		"another gateway's":   {other, wire.KindAsk, good, "signature"},
		"another kind":        {g, wire.KindEvents, good, "kind"},
		"events as heartbeat": {g, wire.KindHeartbeat, events, "kind"},
		"too large":           {g, wire.KindEvents, []byte(strings.Repeat("x", wire.MaxMessage+1)), "too_large"},
		"lying body":          {g, wire.KindAsk, g.sealed(wire.KindAsk, wire.AppendAsk(nil, &lying)), link.WhyOtherGateway},
		"empty object":        {g, wire.KindAsk, g.sealed(wire.KindAsk, []byte("{}")), "body"},
		"unknown field":       {g, wire.KindHeartbeat, g.sealed(wire.KindHeartbeat, []byte(`{"gateway":"gw-1","open":true}`)), "body"},
	} {
		key := downlink.Rejection{Kind: c.kind, Why: c.why}
		before := b.d.Stats().Rejected[key]
		c.from.raw(c.kind, c.payload, false)
		b.until(fmt.Sprintf("%s is counted as %v", name, key), func() bool { return b.d.Stats().Rejected[key] == before+1 })
	}
	if len(b.backend.asks)+len(b.backend.events)+len(b.backend.beats) != 0 {
		t.Errorf("reached the backend: %d asks, %d batches, %d heartbeats", len(b.backend.asks), len(b.backend.events), len(b.backend.beats))
	}
	g.raw(wire.KindAsk, good, false)
	if ans, err := wire.ParseAnswer(g.next(wire.KindAnswer)); err != nil || ans.ID != ask.ID {
		t.Errorf("the good one afterwards: %+v, %v", ans, err)
	}
	if got := other.kinds(); len(got) != 0 {
		t.Errorf("gw-2 was sent %v", got)
	}
}

// A gateway with a good certificate that the site does not know, or no longer.
func TestUnknownGateway(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	s, v := newKey(t, wire.GatewayKeyName(site, "gw-9"))
	b.gwKeys["gw-9"] = s
	g := b.device("gw-9")
	ask := g.ask()
	g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	key := downlink.Rejection{Kind: wire.KindAsk, Why: downlink.WhyUnknownGateway}
	b.until("it is counted", func() bool { return b.d.Stats().Rejected[key] == 1 })
	b.backend.with(func() { b.backend.verifiers["gw-9"] = v })
	g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	g.next(wire.KindAnswer)
	// Its key is taken away.
	b.backend.with(func() { delete(b.backend.verifiers, "gw-9") })
	b.d.Forget("gw-9")
	g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	b.until("it is counted again", func() bool { return b.d.Stats().Rejected[key] == 2 })
}

// The broker is stopped and started again: the downlink comes back, and drops what the broker kept.
func TestReconnectAndRetained(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	g.kinds()
	before := b.d.Stats().Connects
	b.stop()
	b.until("the loss is seen", func() bool { return !b.d.Stats().Connected })
	b.startBroker()
	// Retained before the downlink is back, if we are quick; else by its next subscription.
	b.until("the downlink is back", func() bool { return b.d.Connected() && b.d.Stats().Connects >= before+2 })
	again := b.device("gw-1")
	ask := again.ask()
	again.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	again.next(wire.KindAnswer)
	again.sendBatch(again.batch(1))
	again.next(wire.KindAck)
	if st := b.d.Stats(); !st.Connected {
		t.Errorf("%+v", st)
	}
}

// A retained message is delivered with its mark to who subscribes later: a second downlink.
func TestRetainedIsDropped(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	g := b.device("gw-1")
	hb := g.heartbeat()
	g.raw(wire.KindHeartbeat, g.sealed(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &hb)), true)
	g.next(wire.KindLease) // live, it came without the mark
	cfg := downlink.Config{
		Site: site, Broker: "tls://" + b.addr, TLS: b.ca.ClientTLS(""), Name: "monban-server", Signer: b.link, Keys: "k",
		Authority: b.backend, Ingest: b.backend, Health: b.backend, Policies: b.backend, Gateways: b.backend, Log: discard(),
	}
	key := downlink.Rejection{Kind: wire.KindHeartbeat, Why: downlink.WhyRetained}
	b.until("a later downlink drops it", func() bool {
		second, err := downlink.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, second)
		defer stop()
		b.until("the second connects", second.Connected)
		limit := time.After(500 * time.Millisecond)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if second.Stats().Rejected[key] > 0 {
					return second.Stats().Heartbeats == 0
				}
			case <-limit:
				return false // the broker had not stored it yet
			}
		}
	})
}

// An ask does not wait behind batches, not even when ingest stands still and its queue is full.
func TestOverloadOfBatchesLeavesAsksAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *downlink.Config) { c.BatchWorkers = 2 })
	g := b.device("gw-1")
	b.backend.hold()
	const n = 2*link.Window + 50
	for range n {
		g.sendBatch(g.batch(1))
	}
	b.until("the queue overflows", func() bool { return b.d.Stats().BatchesDropped == 50-1 })
	ask := g.ask()
	g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	g.next(wire.KindAnswer)
	if got := g.kinds(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	b.backend.release()
	b.until("the rest is worked off", func() bool { return b.d.Stats().Acks == n-49 })
	b.backend.mu.Lock()
	defer b.backend.mu.Unlock()
	if e := b.backend.events[len(b.backend.events)-1]; e.First != n {
		t.Errorf("the newest batch was dropped, %d is the last", e.First)
	}
}

// An ask nobody waits for any longer is not decided.
func TestLateAskIsNotDecided(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *downlink.Config) { c.AskTimeout = time.Nanosecond })
	g := b.device("gw-1")
	ask := g.ask()
	g.send(wire.KindAsk, wire.AppendAsk(nil, &ask))
	b.until("it is counted", func() bool { return b.d.Stats().AsksLate == 1 })
	if got := g.kinds(); len(got) != 0 || len(b.backend.asks) != 0 {
		t.Errorf("sent %v, decided %d", got, len(b.backend.asks))
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	b := newBackend()
	for _, url := range []string{"", "tcp://127.0.0.1:1883", "mqtt://127.0.0.1:1883", "ws://127.0.0.1", "127.0.0.1:8883", "tls://"} {
		if _, err := downlink.New(downlink.Config{Broker: url, Authority: b}); err == nil || strings.Contains(err.Error(), "BUG") {
			t.Errorf("broker %q: %v", url, err)
		}
	}
	if _, err := downlink.New(downlink.Config{Broker: "tls://127.0.0.1:8883"}); err == nil {
		t.Error("an empty configuration")
	}
}
