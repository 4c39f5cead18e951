package link

import (
	"io"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// GatewayConfig is what a gateway's machine needs.
type GatewayConfig struct {
	Site      string
	ID        access.GatewayID
	Signer    note.Signer    // the gateway's note key
	Verifiers wire.Verifiers // the server's role keys, from the provisioned keys note
	// Root verifies newer keys notes; nil = role keys never change. KeysVersion is that of the note
	// from which Verifiers came. Next is the root which that note announces, nil for none.
	Root        note.Verifier
	Next        note.Verifier
	KeysVersion uint64
	AskKey      wire.AskKey   // binds PIN tokens to an ask
	Rand        io.Reader     // challenges, ask ids, jitter
	Boot        wire.BootID   // random per process
	Software    string        // ≤ 64 printable ASCII characters
	AskTimeout  time.Duration // 0 = AskTimeout
	// Deltas: the shell makes the parts by PolicyReady.Assemble. Without it every part is fetched whole.
	Deltas bool
}

// GatewayInput is one of Connected, Disconnected, Message, Tick, Ask, OutboxState, Batch, PolicyHeld,
// Doors, Power, KeysKept, WitnessHeld.
type GatewayInput interface{ isGatewayInput() }

// GatewayAction is one of Publish, Load, Acked, NewEpoch, Answered, AskFailed, LinkUp, LinkLost, Lease,
// ServerTime, PolicyReady, KeysChanged, Commanded, WitnessCheck, Rejected, Wake.
type GatewayAction interface{ isGatewayAction() }

// Inputs of the gateway's machine.
type (
	// Connected: the broker accepted us and all down topics are subscribed.
	Connected struct{}
	// Disconnected: the connection is gone. A lease runs on until its end.
	Disconnected struct{}
	// Ask is a question of a door. Gateway and ID of the embedded ask are set by the machine, its PIN
	// too: PIN here is the PIN token, used when PINGiven.
	Ask struct {
		wire.Ask
		PIN      [32]byte
		Tag      uint64    // the caller's; comes back with Answered and AskFailed
		Deadline mono.Time // 0 = now + AskTimeout
	}
	// OutboxState is where the outbox stands: of the epoch that is to be sent next. It must come
	// once before anything is sent and then after each change.
	OutboxState struct {
		Epoch    wire.Epoch
		Tail     uint64 // first seq kept; Head+1 when none is
		Head     uint64 // last durable seq
		HeadHash wire.Hash
		Acked    uint64
		Pending  uint64 // unacknowledged records over all epochs
	}
	// Batch answers a Load. Events without records say that loading failed.
	Batch struct{ Events wire.Events }
	// PolicyHeld is what policy is in force and durable. It comes at the start and after each
	// PolicyReady, also when storing failed (then with what is still held).
	PolicyHeld struct {
		Manifest uint64 // version, 0 = none
		Parts    [3]HeldPart
	}
	// Doors is the doors' state for the next heartbeats.
	Doors struct{ Doors []wire.DoorStatus }
	// Power is what is sensed of the gateway's supply, for the next heartbeats.
	Power struct{ Power wire.Power }
	// WitnessHeld is what this gateway, as a witness of the entry log, holds and has on its disk. It comes at the start
	// and after each WitnessCheck. Without it nothing is said as a witness.
	WitnessHeld struct{ Key, Held, Refused string }
	// KeysKept: keys note and certificate are on the disk up to this version; heartbeats say so (wire.Heartbeat.Keys).
	KeysKept struct{ Version uint64 }
)

// HeldPart is one part in the order of wire.PartNames. Data may be nil; with it, a part that a new
// manifest does not change is not fetched again. It is not changed by the machine.
type HeldPart struct {
	Version uint64
	Sum     wire.Hash
	Data    []byte
}

// Actions of the gateway's machine.
type (
	// Load asks the shell for records of the outbox; it comes back with Batch.
	Load struct {
		Epoch wire.Epoch
		First uint64
		Max   int // ≤ wire.MaxBatchRecords
	}
	// Acked says that everything up to Seq is committed at the server; the hash was compared with
	// the outbox's own. Checkpoint may be "".
	Acked struct {
		Epoch      wire.Epoch
		Seq        uint64
		Hash       wire.Hash
		Checkpoint string
	}
	// NewEpoch: the server holds records that this outbox does not, so its card was rolled back or
	// cloned. Nothing is sent until OutboxState shows another epoch. Why is "rollback" or "fork".
	NewEpoch struct{ Why string }
	// Answered gives the server's answer: once, and in time unless Late.
	Answered struct {
		Attempt door.Attempt
		Tag     uint64
		Answer  wire.Answer
		Late    bool // after AskFailed: to be recorded, never to be acted on
	}
	// AskFailed: no answer will count. The controller decides by D8.
	AskFailed struct {
		Attempt door.Attempt
		Tag     uint64
		Why     AskWhy
	}
	// LinkUp: a lease is held again.
	LinkUp struct{}
	// LinkLost: the lease is over.
	LinkLost struct{}
	// Lease is the lease as it now stands, after each one that was accepted.
	Lease struct {
		Until mono.Time
		Rules uint64 // versions in force at the server
		Modes uint64
		State uint64
	}
	// ServerTime is the server's signed clock, read between Sent and At.
	ServerTime struct {
		ServerMS int64
		Sent, At mono.Time
	}
	// WitnessCheck is a checkpoint with the proof that it extends the tree of Old leaves. Nothing of it is checked but
	// that the server's link key signed it: the shell's witness does that, and answers with WitnessHeld.
	WitnessCheck struct {
		Log        note.Verifier // the log's key by the keys note in use; nil = none is known
		Checkpoint string
		Old        uint64
		Proof      []wire.Hash
	}
	// PolicyReady is a whole policy: signature, versions and every hash are checked. The shell makes
	// it durable, puts it in force and answers with PolicyHeld. With GatewayConfig.Deltas a part may
	// come as a delta: Assemble makes the whole of it.
	PolicyReady struct {
		Note     []byte // the signed manifest
		Manifest wire.Manifest
		Parts    [3][]byte // in the order of wire.PartNames; nil when there is a delta
		Bases    [3][]byte // what a delta starts from
		Deltas   [3][]byte
	}
	// KeysChanged: the root signed a newer keys note; the shell keeps it. The machine uses it already.
	KeysChanged struct {
		Note string
		Keys wire.Keys
	}
	// Wake: Step wants a Tick at this time, at the latest. The last action of every Step that has
	// something to wait for; it replaces the one before.
	Wake struct{ At mono.Time }
)

// AskWhy says why an ask failed.
type AskWhy string

// Why an ask failed. Only AskNoLease means that the gateway is offline.
const (
	AskTimedOut     AskWhy = "timeout"
	AskNoLease      AskWhy = "no_lease"
	AskDisconnected AskWhy = "disconnected" // leased, but there is no connection to ask on
	AskTooMany      AskWhy = "too_many"
	AskUnsent       AskWhy = "unsent" // it could not be signed
)

func (Connected) isGatewayInput()    {}
func (Disconnected) isGatewayInput() {}
func (Message) isGatewayInput()      {}
func (Tick) isGatewayInput()         {}
func (Ask) isGatewayInput()          {}
func (OutboxState) isGatewayInput()  {}
func (Batch) isGatewayInput()        {}
func (PolicyHeld) isGatewayInput()   {}
func (Doors) isGatewayInput()        {}
func (KeysKept) isGatewayInput()     {}
func (Power) isGatewayInput()        {}
func (WitnessHeld) isGatewayInput()  {}

func (Publish) isGatewayAction()      {}
func (Load) isGatewayAction()         {}
func (Acked) isGatewayAction()        {}
func (NewEpoch) isGatewayAction()     {}
func (Answered) isGatewayAction()     {}
func (AskFailed) isGatewayAction()    {}
func (LinkUp) isGatewayAction()       {}
func (LinkLost) isGatewayAction()     {}
func (Lease) isGatewayAction()        {}
func (ServerTime) isGatewayAction()   {}
func (PolicyReady) isGatewayAction()  {}
func (KeysChanged) isGatewayAction()  {}
func (Rejected) isGatewayAction()     {}
func (Wake) isGatewayAction()         {}
func (WitnessCheck) isGatewayAction() {}

// Gateway is the gateway's side of the protocol. One goroutine owns it.
type Gateway struct {
	cfg   GatewayConfig
	dice  dice
	keys  uint64 // version of the keys note in use
	kept  uint64 // version that the next start could go on with
	power wire.Power
	doors []wire.DoorStatus

	// This Step's.
	now   mono.Time
	stamp wire.Stamp
	out   []GatewayAction

	session session
	witness witness
	asks    asks
	pump    pump
	pull    pull

	commands commands
}

// NewGateway makes the machine. It sends nothing before Connected and OutboxState.
func NewGateway(cfg GatewayConfig) *Gateway {
	if cfg.AskTimeout == 0 {
		cfg.AskTimeout = AskTimeout
	}
	return &Gateway{cfg: cfg, dice: dice{cfg.Rand}, keys: cfg.KeysVersion}
}

// Linked reports whether a lease holds at now.
func (g *Gateway) Linked(now mono.Time) bool { return g.session.leased(now) }

// Step takes one input at now, which never falls, with the gateway's stamp of that moment, and gives
// what is to be done.
func (g *Gateway) Step(now mono.Time, stamp wire.Stamp, in GatewayInput) []GatewayAction {
	g.now, g.stamp, g.out = now, stamp, nil
	g.stamp.Boot = g.cfg.Boot
	g.expire()
	switch in := in.(type) {
	case Connected:
		g.connected()
	case Disconnected:
		g.disconnected()
	case Message:
		g.message(in)
	case Ask:
		g.ask(in)
	case OutboxState:
		g.outbox(in)
	case Batch:
		g.batch(in.Events)
	case PolicyHeld:
		g.policyHeld(in)
	case Doors:
		g.doors = append([]wire.DoorStatus(nil), in.Doors...)
	case KeysKept:
		g.kept = in.Version
	case Power:
		g.power = in.Power
	case WitnessHeld:
		g.witnessHeld(in)
	case Tick:
	}
	g.due()
	g.load()
	if at, ok := g.nextWake(); ok {
		g.do(Wake{At: at})
	}
	out := g.out
	g.out = nil
	return out
}

func (g *Gateway) do(a GatewayAction) { g.out = append(g.out, a) }

// expire ends what has run out before the input is looked at, so that nothing counts too late
// because a timer was late.
func (g *Gateway) expire() {
	if g.session.linked && !g.session.leased(g.now) {
		g.session.linked = false
		g.do(LinkLost{})
	}
	g.expireAsks()
}

// due sends what it is time for.
func (g *Gateway) due() {
	if !g.session.connected {
		return
	}
	g.dueHello()
	g.dueHeartbeat()
	g.dueAsks()
	g.duePump()
	g.duePull()
	g.dueWitness()
}

// nextWake is the earliest time at which Step has something to do without input.
func (g *Gateway) nextWake() (at mono.Time, ok bool) {
	note := func(t mono.Time) {
		if !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	if g.session.linked {
		note(g.session.until)
	}
	for i := range g.asks.open {
		note(g.asks.open[i].deadline)
	}
	if !g.session.connected {
		return at, ok
	}
	note(g.session.beatAt)
	if g.pump.known && !g.session.welcomed {
		note(g.session.hello.at)
	}
	for i := range g.asks.open {
		note(g.asks.open[i].againAt)
	}
	if g.pump.waiting() {
		note(g.pump.resend.at)
	}
	if g.pump.pause.After(g.now) {
		note(g.pump.pause)
	}
	if g.pump.loading {
		note(g.pump.loadBy)
	}
	if g.pull.phase != pullIdle {
		note(g.pull.retry.at)
	}
	if g.session.welcomed && g.witness.known {
		note(g.witness.askAt)
	}
	return at, ok
}

// message opens a payload by its kind. Nothing of it is looked at before its signature.
func (g *Gateway) message(m Message) {
	if m.Retained {
		g.do(Rejected{Kind: m.Kind, Why: WhyRetained})
		return
	}
	switch m.Kind {
	case wire.KindChunk:
		g.chunk(m.Payload)
		return
	case wire.KindWelcome:
		g.learnKeys(m.Payload)
	case wire.KindLease, wire.KindAnswer, wire.KindAck, wire.KindPolicy, wire.KindCommand:
	default:
		g.do(Rejected{Kind: m.Kind, Why: WhyUnknownKind})
		return
	}
	body, err := wire.Open(g.cfg.Verifiers, g.cfg.Site, g.cfg.ID, m.Kind, m.Payload)
	if err != nil {
		g.do(rejected(m.Kind, err))
		return
	}
	switch m.Kind {
	case wire.KindWelcome:
		handle(g, m.Kind, body, wire.ParseWelcome, func(w *wire.Welcome) access.GatewayID { return w.Gateway }, g.welcome)
	case wire.KindLease:
		handle(g, m.Kind, body, wire.ParseLease, func(l *wire.Lease) access.GatewayID { return l.Gateway }, g.lease)
	case wire.KindAnswer:
		handle(g, m.Kind, body, wire.ParseAnswer, func(a *wire.Answer) access.GatewayID { return a.Gateway }, g.answer)
	case wire.KindAck:
		handle(g, m.Kind, body, wire.ParseAck, func(a *wire.Ack) access.GatewayID { return a.Gateway }, g.ack)
	case wire.KindPolicy:
		handle(g, m.Kind, body, wire.ParseManifest, func(p *wire.Manifest) access.GatewayID { return p.Gateway }, func(p *wire.Manifest) {
			g.manifest(m.Payload, p)
		})
	case wire.KindCommand:
		handle(g, m.Kind, body, wire.ParseCommand, func(c *wire.Command) access.GatewayID { return c.Gateway }, g.command)
	}
}

// handle parses a body, checks that it is about this gateway and passes it on.
func handle[T any](g *Gateway, kind string, body []byte, parse func([]byte) (T, error), of func(*T) access.GatewayID, then func(*T)) {
	m, err := parse(body)
	if err != nil {
		g.do(rejected(kind, err))
		return
	}
	if of(&m) != g.cfg.ID {
		g.do(Rejected{Kind: kind, Why: WhyOtherGateway})
		return
	}
	then(&m)
}

// publish seals and sends a body; false when it could not be sealed.
func (g *Gateway) publish(kind string, body []byte) ([]byte, bool) {
	msg, err := wire.Seal(g.cfg.Signer, g.cfg.Site, g.cfg.ID, kind, body)
	if err != nil {
		g.do(Rejected{Kind: kind, Why: WhySeal})
		return nil, false
	}
	g.do(Publish{Topic: wire.Topic(g.cfg.Site, g.cfg.ID, kind), Payload: msg})
	return msg, true
}
