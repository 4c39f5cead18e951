// Package uplink moves bytes and timers for the gateway's half of firmware/link over MQTT. It holds
// no rule of the protocol: every message that arrives is an input of the machine, every action is
// carried out as it is.
//
// One goroutine, Run, owns the machine. The MQTT client's callbacks only hand over bytes and return.
// Nothing here moves a lock: a door hears of a lease, an answer or a policy through its own inputs
// (I6). The broker is not believed; the machine checks every signature.
package uplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// Outbox is what the uplink needs of the gateway's queue.
type Outbox interface {
	State() link.OutboxState
	Changed() <-chan struct{}
	Load(epoch wire.Epoch, first uint64, max int) (wire.Events, error)
	Acked(a link.Acked)
	NewEpoch(why string)
}

// Listener hears what the link found out. Its methods are called on the uplink's goroutine and must
// not block.
type Listener interface {
	Leased(l link.Lease)
	LinkUp()
	LinkLost()
	ServerTime(t link.ServerTime)
	// KeysChanged gives a newer list of role keys, signed by the root.
	KeysChanged(note string)
}

// Policies makes a policy durable and puts it in force; it gives what is held afterwards, whether or
// not it worked. Apply has PolicyReady.Assemble make the parts. It is called on a goroutine of its own, once at a time.
type Policies interface {
	Held() link.PolicyHeld
	Apply(p link.PolicyReady) link.PolicyHeld
}

// Witness keeps the newest checkpoint of the entry log. Check makes durable what it gives back; it is called on a
// goroutine of its own, once at a time.
type Witness interface {
	Held() link.WitnessHeld
	Check(c link.WitnessCheck) link.WitnessHeld
}

// Config is what New needs; all fields but Next, Roots, Witness, Log and Command are required.
type Config struct {
	Server      string // tls://host:port
	TLS         *tls.Config
	Site        string
	Gateway     access.GatewayID
	Signer      note.Signer
	Verifiers   wire.Verifiers
	Root        note.Verifier
	Next        note.Verifier // the root that the keys note announces, nil for none
	KeysVersion uint64
	AskKey      wire.AskKey
	Rand        interface{ Read([]byte) (int, error) }
	Boot        wire.BootID
	Software    string
	AskTimeout  time.Duration
	Now         func() mono.Time
	Stamp       func(mono.Time) wire.Stamp
	Outbox      Outbox
	Policies    Policies
	Listener    Listener
	// Roots are the TLS roots of the next connection; nil = TLS.RootCAs.
	Roots func() *x509.CertPool
	// Witness is this gateway's part as a witness of the entry log; nil = none.
	Witness Witness
	// Command takes a verified command to its door; nil drops every command. It is called on the uplink's
	// goroutine and must not block.
	Command func(link.Commanded)
	Log     *slog.Logger
}

// inboxLimit bounds the messages that wait for the machine. The protocol repeats what is dropped.
const inboxLimit = 256

// Uplink is one gateway's connection.
type Uplink struct {
	cfg     Config
	machine *link.Gateway
	inbox   chan link.GatewayInput
	asks    chan askInput
	held    chan link.PolicyHeld
	seen    chan link.WitnessHeld
	session session

	// Run's goroutine only.
	next     []link.GatewayInput
	wake     mono.Time
	waiting  map[uint64]question
	tag      uint64
	applying bool
	checking bool
	dropped  dropped
	own      sync.WaitGroup

	mu    sync.Mutex
	doors []wire.DoorStatus // newest, by door
	kept  uint64            // keys note that is on the disk with all that belongs to it
	power wire.Power        // newest
	moved chan struct{}     // capacity 1: doors, kept or power has changed
	cut   bool              // the link is cut on purpose (simulator)
}

// question is an ask whose outcome somebody waits for.
type question struct {
	answered func(wire.Answer, bool)
	failed   func()
	over     bool // it has failed; only a late answer may still come
}

// askInput carries the callbacks beside the machine's input.
type askInput struct {
	link.Ask
	question
}

// New makes the uplink; nothing is sent before Run.
func New(cfg Config) *Uplink {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Uplink{
		cfg: cfg, dropped: dropped{log: cfg.Log},
		machine: link.NewGateway(link.GatewayConfig{
			Site: cfg.Site, ID: cfg.Gateway, Signer: cfg.Signer, Verifiers: cfg.Verifiers, Root: cfg.Root,
			Next: cfg.Next, KeysVersion: cfg.KeysVersion, AskKey: cfg.AskKey, Rand: cfg.Rand, Boot: cfg.Boot,
			Software: cfg.Software, AskTimeout: cfg.AskTimeout, Deltas: true,
		}),
		inbox: make(chan link.GatewayInput, inboxLimit), asks: make(chan askInput, link.MaxAsks),
		held: make(chan link.PolicyHeld, 1), seen: make(chan link.WitnessHeld, 1), waiting: map[uint64]question{}, moved: make(chan struct{}, 1),
	}
}

// Ask sends one question. answered is called at most once with late=false; failed is called instead
// when no answer will count. Both are called on the uplink's goroutine and must not block.
func (u *Uplink) Ask(a wire.Ask, pin [32]byte, answered func(wire.Answer, bool), failed func()) {
	in := askInput{link.Ask{Ask: a, PIN: pin}, question{answered: answered, failed: failed}}
	select {
	case u.asks <- in:
	default:
		failed() // more questions than readers can make: the gateway decides alone
	}
}

// SetDoor replaces one door's state in the next heartbeats.
func (u *Uplink) SetDoor(s wire.DoorStatus) {
	u.mu.Lock()
	found := false
	for i := range u.doors {
		if u.doors[i].Door == s.Door {
			u.doors[i], found = s, true
		}
	}
	if !found {
		u.doors = append(u.doors, s)
	}
	u.mu.Unlock()
	select {
	case u.moved <- struct{}{}:
	default:
	}
}

// KeysKept says in the next heartbeats up to which keys note this gateway could start alone.
func (u *Uplink) KeysKept(version uint64) {
	u.mu.Lock()
	u.kept = version
	u.mu.Unlock()
	select {
	case u.moved <- struct{}{}:
	default:
	}
}

// SetPower replaces what is said of the power supply in the next heartbeats.
func (u *Uplink) SetPower(p wire.Power) {
	u.mu.Lock()
	u.power = p
	u.mu.Unlock()
	select {
	case u.moved <- struct{}{}:
	default:
	}
}

// Cut ends (true) or restores (false) the connection as a pulled cable would. The simulator's panel
// uses it.
func (u *Uplink) Cut(cut bool) {
	u.mu.Lock()
	u.cut = cut
	u.mu.Unlock()
	u.session.drop(cut)
}

// Run serves the link until ctx ends. It returns when its goroutines have ended.
func (u *Uplink) Run(ctx context.Context) {
	u.own.Go(func() { u.connectLoop(ctx) })
	defer u.own.Wait() // the connecting goroutine, and a policy that is being stored

	defer u.dropped.end()

	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	u.step(u.cfg.Policies.Held())
	u.step(u.cfg.Outbox.State())
	if u.cfg.Witness != nil {
		u.step(u.cfg.Witness.Held())
	}
	for {
		now := u.cfg.Now()
		timer.Reset(max(0, u.wake.Sub(now)))
		select {
		case a := <-u.asks: // before anything else that is there: a person waits
			u.ask(a)
			continue
		default:
		}
		select {
		case <-ctx.Done():
			return
		case a := <-u.asks:
			u.ask(a)
		case in := <-u.inbox:
			u.step(in)
		case <-u.cfg.Outbox.Changed():
			u.step(u.cfg.Outbox.State())
		case h := <-u.held:
			u.applying = false
			u.step(h)
		case h := <-u.seen:
			u.checking = false
			u.step(h)
		case <-u.moved:
			u.mu.Lock()
			doors, kept, power := append([]wire.DoorStatus(nil), u.doors...), u.kept, u.power
			u.mu.Unlock()
			u.step(link.Doors{Doors: doors})
			u.step(link.KeysKept{Version: kept})
			u.step(link.Power{Power: power})
		case <-timer.C:
			u.step(link.Tick{})
			u.dropped.due(u.cfg.Now())
		}
	}
}

func (u *Uplink) ask(a askInput) {
	u.tag++
	u.waiting[u.tag] = a.question
	a.Ask.Tag = u.tag
	u.step(a.Ask)
}

// step gives the machine one input and carries out what it wants.
func (u *Uplink) step(in link.GatewayInput) {
	u.next = append(u.next[:0], in)
	for len(u.next) > 0 { // carrying out an action can make the next input
		in, u.next = u.next[0], u.next[1:]
		now := u.cfg.Now()
		u.wake = now.Add(time.Second) // the machine's Wake replaces it
		for _, a := range u.machine.Step(now, u.cfg.Stamp(now), in) {
			u.do(a)
		}
	}
}

func (u *Uplink) do(a link.GatewayAction) {
	switch a := a.(type) {
	case link.Publish:
		u.session.publish(a.Topic, a.Payload)
	case link.Load:
		events, err := u.cfg.Outbox.Load(a.Epoch, a.First, a.Max)
		if err != nil {
			u.cfg.Log.LogAttrs(context.Background(), slog.LevelWarn, "records cannot be loaded", slog.Uint64("first", a.First), slog.Any("err", err))
			events = wire.Events{} // tells the machine that loading failed; it tries again
		}
		u.next = append(u.next, link.Batch{Events: events})
	case link.Acked:
		u.cfg.Outbox.Acked(a)
	case link.NewEpoch:
		u.cfg.Outbox.NewEpoch(a.Why)
	case link.Answered:
		q, open := u.waiting[a.Tag]
		if !open {
			return
		}
		delete(u.waiting, a.Tag)
		q.answered(a.Answer, a.Late)
	case link.AskFailed:
		q, open := u.waiting[a.Tag]
		if !open {
			return
		}
		if q.over {
			return
		}
		q.failed()
		q.over = true // a late answer may still come, to be recorded
		u.waiting[a.Tag] = q
		u.forget()
	case link.LinkUp:
		u.cfg.Listener.LinkUp()
	case link.LinkLost:
		u.cfg.Listener.LinkLost()
	case link.Lease:
		u.cfg.Listener.Leased(a)
	case link.ServerTime:
		u.cfg.Listener.ServerTime(a)
	case link.PolicyReady:
		u.apply(a)
	case link.WitnessCheck:
		u.check(a)
	case link.Commanded:
		if u.cfg.Command != nil { // without a taker the doors stay as they are
			u.cfg.Command(a)
		}
	case link.KeysChanged:
		u.cfg.Listener.KeysChanged(a.Note)
	case link.Rejected:
		u.dropped.add(u.cfg.Now(), a)
	case link.Wake:
		u.wake = a.At
	}
}

// forget bounds the questions that failed and whose late answer never came.
func (u *Uplink) forget() {
	for tag, q := range u.waiting {
		if q.over && tag+4*link.MaxAsks < u.tag {
			delete(u.waiting, tag)
		}
	}
}

// apply makes a policy durable off this goroutine, so that no ask waits for a disk.
func (u *Uplink) apply(p link.PolicyReady) {
	if u.applying {
		return // the machine offers it again
	}
	u.applying = true
	u.own.Go(func() { u.held <- u.cfg.Policies.Apply(p) }) // held has room for the one that is applying
}

// check has the witness look at a checkpoint, off this goroutine: it writes to the disk.
func (u *Uplink) check(c link.WitnessCheck) {
	if u.checking || u.cfg.Witness == nil {
		return // asked for again
	}
	u.checking = true
	u.own.Go(func() { u.seen <- u.cfg.Witness.Check(c) }) // seen has room for the one that is being looked at
}

// tell hands over that the connection came or went, which nobody repeats: it waits for room.
func (u *Uplink) tell(ctx context.Context, in link.GatewayInput) {
	select {
	case u.inbox <- in:
	case <-ctx.Done():
	}
}

// post hands an input to Run. When the queue is full the input is dropped: every message is repeated
// by its sender.
func (u *Uplink) post(in link.GatewayInput) {
	select {
	case u.inbox <- in:
	default:
	}
}
