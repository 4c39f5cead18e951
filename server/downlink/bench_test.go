package downlink_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/broker"
	"monban/server/ca"
	"monban/server/downlink"
)

const site = "tagajo-demo"

// bench is a real broker on loopback, a downlink on it, and fakes behind the downlink.
type bench struct {
	t    testing.TB
	ca   *ca.CA
	addr string
	cfg  broker.Config
	stop func() // the broker

	d       *downlink.Downlink
	backend *backend

	link   note.Signer
	policy note.Signer
	verify wire.Verifiers // the server's roles
	gwKeys map[access.GatewayID]note.Signer
}

func newBench(t testing.TB, change func(*downlink.Config)) *bench {
	t.Helper()
	authority, err := ca.Create(filepath.Join(t.TempDir(), "ca"), ca.Options{Site: site, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, ca: authority, backend: newBackend(), gwKeys: map[access.GatewayID]note.Signer{}}
	b.cfg = broker.Config{
		Listen: "127.0.0.1:0", Site: site, Server: ca.ServerName, TLS: authority.ServerTLS(),
		RuntimeDir: filepath.Join(t.TempDir(), "run"), Log: slog.New(slog.DiscardHandler),
	}
	b.startBroker()
	t.Cleanup(func() { b.stop() })
	var lv, pv note.Verifier
	b.link, lv = newKey(t, wire.KeyName(site, wire.RoleLink))
	b.policy, pv = newKey(t, wire.KeyName(site, wire.RolePolicy))
	b.verify = wire.Verifiers{}.With(wire.RoleLink, lv).With(wire.RolePolicy, pv)
	for _, id := range []access.GatewayID{"gw-1", "gw-2"} {
		s, v := newKey(t, wire.GatewayKeyName(site, id))
		b.gwKeys[id] = s
		b.backend.verifiers[id] = v
	}
	cfg := downlink.Config{
		Site: site, Broker: "tls://" + b.addr, TLS: authority.ClientTLS(""), Name: ca.ServerName,
		Signer: b.link, Keys: "keys note\n",
		Authority: b.backend, Ingest: b.backend, Health: b.backend, Policies: b.backend, Gateways: b.backend,
		AskTimeout: 5 * time.Second, Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	b.d, err = downlink.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.d.Run(ctx) }()
	t.Cleanup(func() {
		b.backend.release()
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not return")
		}
	})
	b.until("the downlink connects", b.d.Connected)
	return b
}

func (b *bench) startBroker() {
	b.t.Helper()
	br, err := broker.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.addr = br.Addr()
	b.cfg.Listen = b.addr // a restart takes the same port
	b.stop = sync.OnceFunc(func() {
		if err := br.Close(); err != nil {
			b.t.Errorf("stop broker: %v", err)
		}
	})
}

func newKey(t testing.TB, name string) (note.Signer, note.Verifier) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
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

// until polls a condition that other goroutines bring about.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			b.t.Fatalf("not within 20 s: %s; %+v", what, b.d.Stats())
		}
	}
}

// backend is Authority, Ingest, Health, Policies and Gateways. It keeps what it was told and can be
// made to wait or fail.
type backend struct {
	mu        sync.Mutex
	verifiers map[access.GatewayID]note.Verifier
	asks      []wire.Ask
	events    []wire.Events
	beats     []wire.Heartbeat
	findings  []link.Finding
	mark      map[wire.Epoch]downlink.Committed
	versions  *link.Versions
	manifest  []byte
	chunks    map[wire.Hash][]byte
	fail      error
	fork      bool
	boom      bool
	gate      chan struct{} // Handle waits until it is closed; nil = does not wait
}

func newBackend() *backend {
	return &backend{
		verifiers: map[access.GatewayID]note.Verifier{}, mark: map[wire.Epoch]downlink.Committed{},
		chunks: map[wire.Hash][]byte{}, versions: &link.Versions{Rules: 1, Modes: 1, State: 1},
	}
}

func (f *backend) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// hold makes Handle wait; release lets it go on.
func (f *backend) hold() { f.with(func() { f.gate = make(chan struct{}) }) }
func (f *backend) release() {
	f.with(func() {
		if f.gate != nil {
			close(f.gate)
			f.gate = nil
		}
	})
}

func (f *backend) Answer(_ context.Context, gw access.GatewayID, ask wire.Ask, _ time.Time) (wire.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.boom {
		panic("authority")
	}
	f.asks = append(f.asks, ask)
	if f.fail != nil {
		return wire.Answer{}, f.fail
	}
	return wire.Answer{Gateway: gw, ID: ask.ID, Attempt: ask.Attempt, Outcome: access.Granted, Reason: access.ReasonGranted, Rules: 1}, nil
}

func (f *backend) Handle(ctx context.Context, _ access.GatewayID, e wire.Events, _ time.Time) (downlink.Committed, error) {
	f.mu.Lock()
	gate := f.gate
	f.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return downlink.Committed{}, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.events = append(f.events, e)
	if f.fail != nil {
		return downlink.Committed{}, f.fail
	}
	m := downlink.Committed{Epoch: e.Epoch, Seq: e.First + uint64(len(e.Records)) - 1, Hash: e.Head, Fork: f.fork}
	if old := f.mark[e.Epoch]; old.Seq > m.Seq {
		m = old
	}
	f.mark[e.Epoch] = m
	return m, nil
}

func (f *backend) Watermark(_ context.Context, _ access.GatewayID, hello wire.Hello) (downlink.Committed, error) {
	e := hello.Epoch
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mark[e], f.fail
}

func (f *backend) Heartbeat(_ access.GatewayID, hb wire.Heartbeat, _ time.Time) {
	f.with(func() { f.beats = append(f.beats, hb) })
}

func (f *backend) Backlog(access.GatewayID, bool) {}

func (f *backend) Finding(_ access.GatewayID, x link.Finding, _ time.Time) {
	f.with(func() { f.findings = append(f.findings, x) })
}

func (f *backend) Versions(access.GatewayID) (link.Versions, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.versions == nil {
		return link.Versions{}, false
	}
	return *f.versions, true
}

func (f *backend) Manifest(access.GatewayID) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.manifest, f.manifest != nil
}

func (f *backend) Chunk(_ access.GatewayID, h wire.Hash) ([]byte, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.chunks[h]
	return c, ok
}

func (f *backend) Verifier(gw access.GatewayID) (note.Verifier, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok := f.verifiers[gw]
	return v, ok
}

// device is a gateway as its MQTT client sees it.
type device struct {
	b      *bench
	id     access.GatewayID
	client mqtt.Client
	in     chan [2]string // kind, payload
	seq    uint64
	prev   wire.Hash
	epoch  wire.Epoch
	boot   wire.BootID
	clock  int64
}

func (b *bench) device(id access.GatewayID) *device {
	b.t.Helper()
	g := &device{b: b, id: id, in: make(chan [2]string, 4096)}
	_, _ = rand.Read(g.epoch[:])
	_, _ = rand.Read(g.boot[:])
	is, err := b.ca.IssueGateway(string(id), time.Hour, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(is.CertPEM, is.KeyPEM)
	if err != nil {
		b.t.Fatal(err)
	}
	cfg := b.ca.ClientTLS("")
	cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{cert}, nil
	var r [8]byte
	_, _ = rand.Read(r[:])
	o := mqtt.NewClientOptions().AddBroker("tls://" + b.addr).SetClientID(string(id) + "-" + hex.EncodeToString(r[:])).
		SetTLSConfig(cfg).SetAutoReconnect(false).SetConnectTimeout(5 * time.Second).SetWriteTimeout(5 * time.Second).
		SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			_, _, kind, err := wire.ParseTopic(m.Topic())
			if err != nil {
				kind = m.Topic()
			}
			g.in <- [2]string{kind, string(m.Payload())}
		})
	g.client = mqtt.NewClient(o)
	g.wait(g.client.Connect())
	filters := map[string]byte{}
	for _, k := range wire.DownKinds() {
		filters[wire.Topic(site, id, k)] = 0
	}
	g.wait(g.client.SubscribeMultiple(filters, nil))
	b.t.Cleanup(func() { g.client.Disconnect(0) })
	return g
}

func (g *device) wait(t mqtt.Token) {
	g.b.t.Helper()
	if !t.WaitTimeout(10*time.Second) || t.Error() != nil {
		g.b.t.Fatalf("%s: %v", g.id, t.Error())
	}
}

func (g *device) raw(kind string, payload []byte, retain bool) {
	g.b.t.Helper()
	g.wait(g.client.Publish(wire.Topic(site, g.id, kind), 0, retain, payload))
}

func (g *device) sealed(kind string, body []byte) []byte {
	g.b.t.Helper()
	msg, err := wire.Seal(g.b.gwKeys[g.id], site, g.id, kind, body)
	if err != nil {
		g.b.t.Fatal(err)
	}
	return msg
}

func (g *device) send(kind string, body []byte) {
	g.b.t.Helper()
	g.raw(kind, g.sealed(kind, body), false)
}

// next waits for the next message of a kind and skips others.
func (g *device) next(kind string) []byte {
	g.b.t.Helper()
	deadline := time.After(15 * time.Second)
	for {
		select {
		case m := <-g.in:
			if m[0] != kind {
				continue
			}
			if kind == wire.KindChunk {
				return []byte(m[1])
			}
			body, err := wire.Open(g.b.verify, site, g.id, kind, []byte(m[1]))
			if err != nil {
				g.b.t.Fatal(err)
			}
			return body
		case <-deadline:
			g.b.t.Fatalf("%s: no %s; %+v", g.id, kind, g.b.d.Stats())
		}
	}
}

// kinds drains what has come up to the lease of a new heartbeat and lists the kinds before it. The
// downlink publishes on one connection, so what it published earlier has come. A welcome may be among
// them or come after the lease: the first heartbeat makes the machine look up how far the rows reach,
// and it greets when it knows.
func (g *device) kinds() []string {
	g.b.t.Helper()
	hb := g.heartbeat()
	g.send(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &hb))
	var out []string
	deadline := time.After(15 * time.Second)
	for {
		select {
		case m := <-g.in:
			if m[0] == wire.KindLease {
				body, err := wire.Open(g.b.verify, site, g.id, wire.KindLease, []byte(m[1]))
				if err != nil {
					g.b.t.Fatal(err)
				}
				if l, err := wire.ParseLease(body); err == nil && l.Challenge == hb.Challenge {
					return out
				}
			}
			out = append(out, m[0])
		case <-deadline:
			g.b.t.Fatalf("%s: no lease; %+v", g.id, g.b.d.Stats())
		}
	}
}

func (g *device) stamp() wire.Stamp {
	g.clock += int64(time.Second)
	return wire.Stamp{Boot: g.boot, BoottimeNS: g.clock, WallMS: 1_800_000_000_000, Quality: access.ClockServer}
}

func (g *device) heartbeat() wire.Heartbeat {
	hb := wire.Heartbeat{Gateway: g.id, Stamp: g.stamp(), Epoch: g.epoch, Head: g.seq}
	_, _ = rand.Read(hb.Challenge[:])
	return hb
}

func (g *device) ask() wire.Ask {
	a := wire.Ask{Gateway: g.id, Door: "server-room-1", Side: access.SideEnter, Stamp: g.stamp(), Rules: 1}
	_, _ = rand.Read(a.ID[:])
	_, _ = rand.Read(a.Attempt[:])
	return a
}

// batch makes the next n records.
func (g *device) batch(n int) wire.Events {
	e := wire.Events{Gateway: g.id, Epoch: g.epoch, First: g.seq + 1, Prev: g.prev}
	for range n {
		g.seq++
		r := wire.Record{
			Gateway: g.id, Epoch: g.epoch, Seq: g.seq, Event: door.EventLinkLost, Detail: "lease_over", Stamp: g.stamp(),
			By: access.ByGateway, Reason: access.ReasonGranted,
		}
		c := wire.Carried{Body: wire.AppendRecord(nil, &r)}
		g.prev = wire.ChainHash(g.prev, c.Body)
		e.Records = append(e.Records, c)
	}
	e.Head = g.prev
	return e
}

func (g *device) sendBatch(e wire.Events) {
	g.b.t.Helper()
	g.send(wire.KindEvents, wire.AppendEvents(nil, &e))
}

func (b *bench) publishPolicy(version uint64, part []byte) wire.Hash {
	b.t.Helper()
	h := wire.Hash(sha256.Sum256(part))
	rules, _, _ := wire.PartOf(wire.PartRules, version, part)
	modes, _, _ := wire.PartOf(wire.PartModes, 1, nil)
	state, _, _ := wire.PartOf(wire.PartState, 1, nil)
	m := wire.Manifest{Gateway: "gw-1", Version: version, Parts: []wire.Part{rules, modes, state}}
	msg, err := wire.Seal(b.policy, site, "gw-1", wire.KindPolicy, wire.AppendManifest(nil, &m))
	if err != nil {
		b.t.Fatal(err)
	}
	b.backend.with(func() {
		b.backend.versions = &link.Versions{Rules: version, Modes: 1, State: 1}
		b.backend.manifest = msg
		b.backend.chunks[h] = part
	})
	return h
}

var errStore = errors.New("store is away")

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// run starts d and returns what stops it and waits.
func run(t testing.TB, d *downlink.Downlink) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}
