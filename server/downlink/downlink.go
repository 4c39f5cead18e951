// Package downlink moves bytes and timers between the gateways' MQTT topics and the protocol's
// server machines (firmware/link): one machine per gateway, the work in a fixed set of workers.
//
// It decides nothing: authority answers asks, ingest commits records, policypub makes policies. It
// must never acknowledge a record that Ingest did not report as committed (I4), never send an
// answer that Authority did not give, and never let a broker's message reach anything but a
// machine, which checks its signature first (OP-3). When it fails or is overloaded, messages are
// dropped and the gateways repeat them or decide alone; no door moves because of it (I6).
//
// Two connections to the broker: one for everything small and urgent, one for batches of records.
// So an ask never waits behind a backlog, neither in a socket nor in a queue, and a flood of
// records that makes the broker cut a connection cuts that one.
package downlink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
)

// Authority decides asks. Answer returns after the decision is committed; an error means that there
// is no answer, and the gateway decides alone (D8).
type Authority interface {
	Answer(ctx context.Context, gw access.GatewayID, ask wire.Ask, receivedAt time.Time) (wire.Answer, error)
}

// Ingest commits records.
type Ingest interface {
	// Handle commits what it can of a batch and returns how far this epoch's rows now reach; only
	// then is anything acknowledged. It may be called again with the same records.
	Handle(ctx context.Context, gw access.GatewayID, events wire.Events, receivedAt time.Time) (Committed, error)
	// Watermark returns how far the rows of the hello's epoch reach; a zero Committed when there are none.
	Watermark(ctx context.Context, gw access.GatewayID, hello wire.Hello) (Committed, error)
}

// Committed is how far the committed rows of one epoch reach.
type Committed struct {
	Epoch      wire.Epoch
	Seq        uint64    // last committed seq, 0 = none
	Hash       wire.Hash // chain hash at Seq
	Checkpoint string    // newest signed checkpoint note, "" when there is none
	// Fork says that the records contradict committed ones: nothing of this epoch is acknowledged
	// any more. Ingest raises its own finding.
	Fork bool
}

// Health is told what a gateway says of itself and what is odd about it. It must not block.
type Health interface {
	Heartbeat(gw access.GatewayID, hb wire.Heartbeat, receivedAt time.Time)
	// Backlog says whether a gateway holds records that are not committed here (link.Backlog).
	Backlog(gw access.GatewayID, outstanding bool)
	Finding(gw access.GatewayID, f link.Finding, at time.Time)
}

// Policies gives what policypub published last, from memory.
type Policies interface {
	// Versions are the versions in force for the gateway; ok is false when there is no policy yet.
	Versions(gw access.GatewayID) (v link.Versions, ok bool)
	// Manifest is the signed manifest note.
	Manifest(gw access.GatewayID) ([]byte, bool)
	// Chunk is one chunk of the manifest's parts.
	Chunk(gw access.GatewayID, hash wire.Hash) ([]byte, bool)
}

// Witnesses keeps what gateways hold as witnesses of the log.
type Witnesses interface {
	// Witnessed takes what a gateway holds. When it asks and there is a newer checkpoint, that comes back with the proof
	// that it extends the held one; ok is false when there is nothing to be told.
	Witnessed(ctx context.Context, gw access.GatewayID, w wire.Witness, at time.Time) (p link.Proof, ok bool, err error)
}

// Gateways knows the gateways of the site.
type Gateways interface {
	// Verifier gives the gateway's note key; false for a gateway that is unknown or refused.
	Verifier(gw access.GatewayID) (note.Verifier, bool)
}

// Config of a Downlink. What has no default is required.
type Config struct {
	Site   string
	Broker string      // tls://host:port
	TLS    *tls.Config // the server's client certificate and the broker's authority
	Name   string      // common name of that certificate; the beginning of the client id

	Signer  note.Signer // role link: welcome, lease, answer, ack
	Command note.Signer // role command; nil = this server orders nothing
	Keys    string      // the signed keys note that goes into each welcome

	Authority Authority
	Ingest    Ingest
	Health    Health
	Policies  Policies
	Gateways  Gateways
	Witnesses Witnesses // nil = what gateways witness is dropped

	AskTimeout   time.Duration // 0 = 400 ms
	AskWorkers   int           // asks decided at the same time; 0 = 256
	BatchWorkers int           // batches committed at the same time; 0 = 32
	MaxGateways  int           // 0 = 1000

	Log *slog.Logger
}

const (
	// askQueue is more than one commit's worth; an ask that would wait behind more is too late anyway.
	askQueue = 2048
	// smallDepth: of hello, heartbeat and want only the newest matter.
	smallDepth = 8
	// batchDepth is a whole window of records in single batches, twice.
	batchDepth = 2 * link.Window
	// smallBytes and batchBytes bound the memory that unopened messages take.
	smallBytes = 16 << 20
	batchBytes = 64 << 20
	// storeTimeout is how long a batch may wait for its commit before the worker is given back;
	// the gateway repeats it.
	storeTimeout = 30 * time.Second
	// tickEvery drives the machines' timers; they count seconds, not milliseconds.
	tickEvery = time.Second
	// smallWorkers: opening a note is 40 µs of one core, and a lookup is one read.
	smallWorkers = 16
)

// Downlink is the server's side of the link to all gateways.
type Downlink struct {
	cfg    Config
	anchor time.Time
	small  transport // hello, heartbeat, want, ask, and everything that goes out
	bulk   transport // events

	asks    chan askItem
	smalls  *lane
	batches *lane

	mu       sync.RWMutex
	keys     string // keys note for machines made from now on
	gateways map[access.GatewayID]*gateway

	rejected rejections
	count    counters
}

type askItem struct {
	gw *gateway
	m  message
}

// gateway is one gateway's machine and its queues.
type gateway struct {
	id      access.GatewayID
	smalls  box
	batches box

	mu       sync.Mutex // guards what follows: a Step is microseconds of work and never waits
	machine  *link.Server
	manifest []byte // the note the machine was given last
	unread   string // why its last hello was not answered, "" = it was
}

type counters struct {
	asks, answers, askErrors, asksLate, asksDropped atomic.Uint64
	batches, acks, ingestErrors                     atomic.Uint64
	heartbeats                                      atomic.Uint64
}

// Rejection is a kind of message and why it was dropped.
type Rejection struct{ Kind, Why string }

// Stats is a snapshot of the counters since the start.
type Stats struct {
	Connected      bool   // both connections stand
	Connects       uint64 // connections made
	Gateways       int    // gateways heard of
	Published      uint64
	PublishFailed  uint64
	Heartbeats     uint64
	Asks           uint64 // asks that were opened
	Answers        uint64
	AskErrors      uint64 // asks without an answer
	AsksLate       uint64 // asks that waited longer than AskTimeout and were not decided
	AsksDropped    uint64 // asks that found the queue full
	Batches        uint64
	Acks           uint64
	IngestErrors   uint64
	SmallsDropped  uint64 // hello, heartbeat, want pushed out by newer ones
	BatchesDropped uint64
	Rejected       map[Rejection]uint64
}

// Reasons of Rejection beside those of package link and package wire.
const (
	WhyRetained       = "retained"
	WhyTopic          = "topic"
	WhyUnknownGateway = "unknown_gateway"
	WhyTooMany        = "too_many_gateways"
	WhyPanic          = "panic"
)

// New checks cfg; nothing connects before Run.
func New(cfg Config) (*Downlink, error) {
	if err := checkBroker(cfg.Broker); err != nil {
		return nil, fmt.Errorf("downlink: %w", err)
	}
	if !wire.ValidID(cfg.Site) || cfg.Name == "" || cfg.TLS == nil || cfg.Signer == nil || cfg.Keys == "" || cfg.Log == nil ||
		cfg.Authority == nil || cfg.Ingest == nil || cfg.Health == nil || cfg.Policies == nil || cfg.Gateways == nil {
		return nil, errors.New("BUG: downlink: a required field of Config is missing")
	}
	if cfg.AskTimeout == 0 {
		cfg.AskTimeout = link.AskTimeout
	}
	if cfg.AskWorkers == 0 {
		// Not a matter of CPUs: nearly all of them wait for the same commit, and the more wait, the
		// larger it is.
		cfg.AskWorkers = 256
	}
	if cfg.BatchWorkers == 0 {
		cfg.BatchWorkers = 32 // likewise; a batch is up to 64 records already
	}
	if cfg.MaxGateways == 0 {
		cfg.MaxGateways = 1000
	}
	d := &Downlink{
		cfg: cfg, anchor: time.Now(),
		asks:     make(chan askItem, askQueue),
		gateways: make(map[access.GatewayID]*gateway), keys: cfg.Keys,
	}
	d.smalls = newLane(2*cfg.MaxGateways, smallDepth, smallBytes, d.onSmall)
	d.batches = newLane(2*cfg.MaxGateways, batchDepth, batchBytes, d.onEvents)
	base := transportConfig{broker: cfg.Broker, name: cfg.Name, site: cfg.Site, tls: cfg.TLS, log: cfg.Log, arrived: d.arrived}
	d.small.set(base, []string{wire.KindHello, wire.KindHeartbeat, wire.KindAsk, wire.KindWant, wire.KindWitness})
	d.bulk.set(base, []string{wire.KindEvents})
	return d, nil
}

// Run connects, serves and reconnects until ctx ends; it returns when every goroutine has ended.
func (d *Downlink) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() { d.small.run(ctx) })
	all.Go(func() { d.bulk.run(ctx) })
	all.Go(func() { d.tick(ctx) })
	for range d.cfg.AskWorkers {
		all.Go(func() { d.askWorker(ctx) })
	}
	for range smallWorkers {
		all.Go(func() { d.smalls.worker(ctx) })
	}
	for range d.cfg.BatchWorkers {
		all.Go(func() { d.batches.worker(ctx) })
	}
	all.Wait()
	return nil
}

// Connected reports whether both connections to the broker stand.
func (d *Downlink) Connected() bool { return d.small.connected() && d.bulk.connected() }

// arrived files one message. It is called by paho's reader and returns at once; nothing is opened
// here.
func (d *Downlink) arrived(topic string, payload []byte, retained bool) {
	at := time.Now()
	site, id, kind, err := wire.ParseTopic(topic)
	switch {
	case err != nil || site != d.cfg.Site:
		d.rejected.add("", WhyTopic)
		return
	case retained:
		// Whatever a broker kept is old: a gateway repeats what is still true (I7).
		d.rejected.add(kind, WhyRetained)
		return
	case len(payload) > wire.MaxMessage:
		d.rejected.add(kind, wire.FaultTooLarge.String())
		return
	}
	gw, why := d.gateway(id)
	if gw == nil {
		d.rejected.add(kind, why)
		return
	}
	m := message{kind: kind, payload: payload, at: at}
	switch kind {
	case wire.KindAsk:
		select {
		case d.asks <- askItem{gw, m}:
		default: // the gateway decides alone after its timeout
			d.count.asksDropped.Add(1)
		}
	case wire.KindEvents:
		d.batches.push(&gw.batches, m)
	case wire.KindHello, wire.KindHeartbeat, wire.KindWant, wire.KindWitness:
		d.smalls.push(&gw.smalls, m)
	default: // what goes down, and kinds not built yet
		d.rejected.add(kind, link.WhyUnknownKind)
	}
}

// gateway returns the gateway's entry, made when it is first heard of and known to the site.
func (d *Downlink) gateway(id access.GatewayID) (*gateway, string) {
	d.mu.RLock()
	g := d.gateways[id]
	d.mu.RUnlock()
	if g != nil {
		return g, ""
	}
	verifier, ok := d.cfg.Gateways.Verifier(id)
	if !ok || verifier == nil {
		return nil, WhyUnknownGateway
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if g := d.gateways[id]; g != nil {
		return g, ""
	}
	if len(d.gateways) >= d.cfg.MaxGateways {
		return nil, WhyTooMany
	}
	g = &gateway{id: id, machine: link.NewServer(link.ServerConfig{
		Site: d.cfg.Site, Gateway: id, Signer: d.cfg.Signer, Key: verifier, Keys: d.keys, Command: d.cfg.Command,
	})}
	g.smalls.gw, g.batches.gw = g, g
	d.gateways[id] = g
	return g, ""
}

// Forget drops what is known of a gateway whose key changed or that was refused; if it is still of
// the site, its next message makes it anew. Messages of it that wait are still worked off with the
// old machine.
func (d *Downlink) Forget(id access.GatewayID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.gateways, id)
}

// all lists the gateways.
func (d *Downlink) all() []*gateway {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]*gateway, 0, len(d.gateways))
	for _, g := range d.gateways {
		out = append(out, g)
	}
	return out
}

// Stats returns the counters.
func (d *Downlink) Stats() Stats {
	d.mu.RLock()
	n := len(d.gateways)
	d.mu.RUnlock()
	c := &d.count
	return Stats{
		Connected: d.Connected(), Connects: d.small.connects.Load() + d.bulk.connects.Load(), Gateways: n,
		Published: d.small.published.Load(), PublishFailed: d.small.failed.Load(),
		Heartbeats: c.heartbeats.Load(), Asks: c.asks.Load(), Answers: c.answers.Load(), AskErrors: c.askErrors.Load(),
		AsksLate: c.asksLate.Load(), AsksDropped: c.asksDropped.Load(), Batches: c.batches.Load(), Acks: c.acks.Load(),
		IngestErrors: c.ingestErrors.Load(), SmallsDropped: d.smalls.dropped.Load(), BatchesDropped: d.batches.dropped.Load(),
		Rejected: d.rejected.snapshot(),
	}
}
