package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/hal"
	"monban/gateway/reader"
)

// rereadEvery is how often each input's level is read again: an edge is a hint, the level is the
// truth, and event buffers overflow silently.
const rereadEvery = time.Second

// Recorder makes records durable. The outbox implements it.
type Recorder interface {
	// Append stores a record and its sealed private part, and with it the count of wrong PINs when
	// pin is not nil. done is called once; err != nil means "not known to be durable".
	Append(r wire.Record, private []byte, pin *PINFailures, done func(err error))
	// PINFailed is the durable count of a card's wrong PINs.
	PINFailed(k access.Key) uint8
	// PINReset is the number of the newest PIN reset that was taken, 0 = none: the counts are of after it.
	PINReset() int64
}

// Asker asks the server. The uplink implements it.
type Asker interface {
	// Ask sends one question; reply is called at most once in time, and possibly once more with late
	// set. failed is called instead when no answer came in time or there is no lease.
	Ask(a wire.Ask, pin [32]byte, answered func(a wire.Answer, late bool), failed func())
}

// Config is what a Loop needs. All fields but Log, Latch, SelfTest and OnStatus are required.
type Config struct {
	Gateway  access.GatewayID
	Door     door.Config
	HAL      hal.Door
	Reads    <-chan reader.Read // both readers of the door
	Recorder Recorder
	Asker    Asker
	Now      func() Moment
	Stamp    func(Moment) wire.Stamp
	AskKey   wire.AskKey // seals private parts
	Rand     io.Reader   // nonces
	Log      *slog.Logger
	Places   *Places               // shared by the gateway's doors; nil = nobody's place is known
	Airlocks *Airlocks             // shared by the gateway's doors; nil = none
	Latch    Latch                 // keeps a fire release over restarts; nil = it is forgotten (tests)
	SelfTest func() []string       // names what is wrong with the gateway itself, [a-z0-9_]; nil = nothing is looked at
	OnStatus func(wire.DoorStatus) // called on the Loop's goroutine after each change; must not block
	// Turned is called after each turn of the loop, at least every second; Scanned after all inputs were read again, each
	// second. nil = nobody watches. Both must not block.
	Turned, Scanned func()
}

// Loop runs one door. One goroutine, Run, owns the machine, the lock and the lights.
type Loop struct {
	cfg     Config
	m       *Machine
	box     *mailbox
	timers  map[Timer]mono.Time
	pin     *PINFailures // waits for the record of its decision
	contact hal.Level
	levels  map[hal.Input]hal.Level
	lost    map[access.Side]bool
	faulty  map[any]bool // lines in trouble: a hal.Input, or a reader's side
	status  wire.DoorStatus
	reset   int64 // PIN reset of which the counts in a question are
	away    bool  // outsiders behind this door are without an escort
	facts   atomic.Pointer[Facts]
}

// Facts is how a door stands, for whoever looks at the gateway itself.
type Facts struct {
	wire.DoorStatus
	Sensed    bool // a contact is fitted; without one Contact is always "unknown"
	Tampered  bool // since the last re-arm
	Faulty    bool // an input's line, or a reader's, is in trouble
	LostEnter bool // the reader does not answer
	LostExit  bool
}

// New checks the configuration and makes the Loop of one door.
func New(cfg Config) (*Loop, error) {
	if err := cfg.Door.Validate(); err != nil {
		return nil, fmt.Errorf("door %s: %w", cfg.Door.Door, err)
	}
	if cfg.Door.Kind == door.KindObserve && cfg.HAL.Lock != nil {
		return nil, fmt.Errorf("door %s: an observed door has no lock output (DS-11)", cfg.Door.Door)
	}
	if cfg.Door.Kind == door.KindControlled && cfg.HAL.Lock == nil {
		return nil, fmt.Errorf("door %s: a controlled door needs a lock output", cfg.Door.Door)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	for _, beat := range []*func(){&cfg.Turned, &cfg.Scanned} {
		if *beat == nil {
			*beat = func() {}
		}
	}
	return &Loop{
		cfg: cfg, m: NewMachine(cfg.Gateway, cfg.Door, cfg.Recorder.PINFailed, cfg.Places), box: newMailbox(),
		timers: map[Timer]mono.Time{}, levels: map[hal.Input]hal.Level{}, lost: map[access.Side]bool{}, faulty: map[any]bool{},
	}, nil
}

type (
	answer struct {
		question uint64
		a        wire.Answer
		late     bool
	}
	noAnswer struct{ question uint64 }
	pinSaved struct{ p PINFailures }
	durable  struct {
		barrier door.Barrier
		err     error
	}
	newLease  struct{ l Lease }
	newPolicy struct {
		p     *access.Policy
		rules uint64
		since int64
	}
	confirmed   struct{ ms int64 }
	interlocked struct{ on bool }
	escortAway  struct{ zones []access.ZoneID }
)

func (answer) isMessage()    {}
func (noAnswer) isMessage()  {}
func (pinSaved) isMessage()  {}
func (durable) isMessage()   {}
func (newLease) isMessage()  {}
func (newPolicy) isMessage() {}
func (confirmed) isMessage() {}

func (interlocked) isMessage() {}
func (escortAway) isMessage()  {}

// SetLease tells the door what the link holds. It never moves the lock (I6).
func (l *Loop) SetLease(lease Lease) { l.box.post(newLease{lease}) }

// SetPolicy gives the door a compiled policy; nil denies every entry.
func (l *Loop) SetPolicy(p *access.Policy, rules uint64, since int64) {
	l.box.post(newPolicy{p, rules, since})
}

// Confirm says that the policy held was in force at the wall time ms.
func (l *Loop) Confirm(ms int64) { l.box.post(confirmed{ms}) }

// Run secures the lock, then serves the door until ctx ends; then it secures the lock again. It is
// the only goroutine that touches the door's lock.
func (l *Loop) Run(ctx context.Context) error {
	l.start()
	l.cfg.Airlocks.Follow(l.cfg.Door.Door, func(on bool) { l.box.post(interlocked{on}) })
	if l.cfg.Places != nil {
		l.cfg.Places.Follow(func(zones []access.ZoneID) { l.box.post(escortAway{zones}) })
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	reread := time.NewTicker(rereadEvery)
	defer reread.Stop()
	h := l.cfg.HAL
	for {
		l.cfg.Turned()
		l.cfg.Airlocks.Set(l.cfg.Door.Door, l.m.Interlocks())
		l.arm(timer)
		l.tell()
		select {
		case <-ctx.Done():
			return l.stop()
		case r, ok := <-l.cfg.Reads:
			if !ok {
				l.cfg.Reads = nil // the readers are gone: nobody can badge in, the door stays locked
				continue
			}
			l.onRead(r)
		case c, ok := <-changes(h.Contact):
			l.onInput(h.Contact, c, ok)
		case c, ok := <-changes(h.Request):
			l.onInput(h.Request, c, ok)
		case c, ok := <-changes(h.Tamper):
			l.onInput(h.Tamper, c, ok)
		case c, ok := <-changes(h.Fire):
			l.onInput(h.Fire, c, ok)
		case <-l.box.signal:
			for _, m := range l.box.take() {
				l.onMessage(m)
			}
		case <-timer.C:
			l.onTimers()
		case <-reread.C:
			l.reread()
		}
	}
}

// changes is nil, which never delivers, for an input that is not fitted.
func changes(in hal.Input) <-chan hal.Change {
	if in == nil {
		return nil
	}
	return in.Changes()
}

// start drives the lock to its secure level before anything else: a process that died in mid-pulse
// may have left it released.
func (l *Loop) start() {
	if l.cfg.HAL.Lock != nil {
		if err := l.cfg.HAL.Lock.Secure(); err != nil {
			// The door: as the wires leave it; the machine is told and grants nothing.
			l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "lock does not obey at start", slog.String("door", string(l.cfg.Door.Door)), slog.Any("err", err))
		}
	}
	l.contact = hal.LevelUnknown
	if l.cfg.HAL.Contact != nil {
		if level, err := l.cfg.HAL.Contact.Level(); err == nil {
			l.contact = level
			if !level.Faulty() { // a line that is in trouble from the start is told at the first re-reading
				l.levels[l.cfg.HAL.Contact] = level
			}
		}
	}
	at := l.cfg.Now()
	if l.unarmed() {
		l.apply(l.m.StartUnarmed(l.contact == hal.LevelActive, at.At))
		return
	}
	l.apply(l.m.Start(l.contact == hal.LevelActive, at.At))
}

// stop secures the lock; leaving stays mechanical.
func (l *Loop) stop() error {
	if l.cfg.HAL.Lock == nil {
		return nil
	}
	if err := l.cfg.HAL.Lock.Secure(); err != nil && !errors.Is(err, hal.ErrClosed) {
		return fmt.Errorf("secure door %s at shutdown: %w", l.cfg.Door.Door, err)
	}
	return nil
}

// onRead takes one read of a reader: a card, a card with PIN, a train that was no card, or a fault.
func (l *Loop) onRead(r reader.Read) {
	at := l.cfg.Now()
	// Read before the count is: a reset in between makes the server pass by a count that is good, never heed an old one.
	l.reset = l.cfg.Recorder.PINReset()
	switch r.Kind {
	case reader.KindCard, reader.KindNoCard:
		in := Read{
			Attempt: r.Attempt, Side: r.Side, Key: r.Token, HasCard: r.Kind == reader.KindCard,
			Sealed: r.Sealed, Grade: r.Assurance, HasPIN: r.HasPIN, PIN: r.PINToken, Link: r.Link.String(),
			Fault: r.Fault, Flagged: r.Repeated,
		}
		l.apply(l.m.OnRead(in, at))
	case reader.KindPurpose:
		l.apply(l.m.OnPurpose(Purpose{Attempt: r.Attempt, Side: r.Side, Sealed: r.Sealed, Link: r.Link.String(), Code: r.Purpose}, at))
	case reader.KindKey:
		l.show(Show{Side: r.Side, What: door.IndKey}) // a click for every key, the same for each
	case reader.KindFault:
		l.onReaderFault(r, at)
	}
}

// onReaderFault tells a reader that is gone from one that is being opened and from a broken cable.
func (l *Loop) onReaderFault(r reader.Read, at Moment) {
	switch r.Fault {
	case hal.FaultLost.String():
		before := l.lost[access.SideEnter] || l.lost[access.SideExit]
		l.lost[r.Side] = r.On
		if now := l.lost[access.SideEnter] || l.lost[access.SideExit]; now != before {
			l.apply(l.m.On(door.Input{Kind: door.InReaderLost, At: at.At, On: now, Side: r.Side}, at))
		}
	case hal.FaultTamper.String():
		l.apply(l.m.On(door.Input{Kind: door.InTamper, At: at.At, On: r.On, Side: r.Side}, at))
	case hal.FaultLine.String():
		l.lineFault(r.Side, r.On, at)
	default: // signals were lost or the goroutine was started again: a read that was no card
		if r.On {
			l.apply(l.m.OnRead(Read{Attempt: r.Attempt, Side: r.Side, Link: r.Link.String(), Fault: r.Fault}, at))
		}
	}
}

// lineFault keeps which lines are in trouble; the door hears of the first and of the last. what is a
// hal.Input or the side of a reader.
func (l *Loop) lineFault(what any, on bool, at Moment) {
	before := len(l.faulty)
	if on {
		l.faulty[what] = true
	} else {
		delete(l.faulty, what)
	}
	if (before > 0) != (len(l.faulty) > 0) {
		l.apply(l.m.On(door.Input{Kind: door.InLineFault, At: at.At, On: len(l.faulty) > 0}, at))
	}
}

func (l *Loop) onMessage(m message) {
	at := l.cfg.Now()
	switch m := m.(type) {
	case answer:
		l.apply(l.m.OnAnswer(m.question, m.a, m.late, at))
	case noAnswer:
		l.apply(l.m.OnNoAnswer(m.question, at))
	case pinSaved:
		l.m.PINSaved(m.p)
	case durable:
		kind := door.InDurable
		if m.err != nil {
			kind = door.InNotDurable // fail secure: no record, no strike (I1)
		}
		l.apply(l.m.On(door.Input{Kind: kind, At: at.At, Barrier: m.barrier}, at))
	case newLease:
		l.m.SetLease(m.l)
	case newPolicy:
		l.apply(l.m.SetPolicy(m.p, m.rules, m.since, at))
	case confirmed:
		l.m.Confirmed(m.ms)
	case ordered:
		l.apply(l.m.OnCommand(m.c, m.until, at))
	case interlocked:
		l.apply(l.m.On(door.Input{Kind: door.InInterlock, At: at.At, On: m.on}, at))
	case escortAway:
		if on := slices.Contains(m.zones, l.m.Behind()); on != l.away {
			l.away = on
			l.apply(l.m.On(door.Input{Kind: door.InEscortAway, At: at.At, On: on}, at))
		}
	}
}

// onInput takes a change of a sensed line. ok is false when the device was closed: its last level
// stands and nothing opens.
func (l *Loop) onInput(in hal.Input, c hal.Change, ok bool) {
	if ok {
		l.level(in, c.Level, c.At)
	}
}

// level passes on a level that differs from the one known.
func (l *Loop) level(in hal.Input, level hal.Level, when mono.Time) {
	old, known := l.levels[in]
	if known && old == level {
		return
	}
	l.levels[in] = level
	at := l.cfg.Now()
	at.At = min(at.At, max(when, 0))
	if at.At == 0 {
		at = l.cfg.Now()
	}
	l.lineFault(in, level.Faulty(), at)
	if level.Faulty() {
		return
	}
	input := door.Input{At: at.At, On: level == hal.LevelActive}
	switch in {
	case l.cfg.HAL.Contact:
		l.contact = level
		input.Kind = door.InContactClosed
		if input.On {
			input.Kind = door.InContactOpen
		}
	case l.cfg.HAL.Request:
		if !input.On {
			return
		}
		input.Kind, input.Side = door.InRequestExit, access.SideExit
	case l.cfg.HAL.Tamper:
		input.Kind = door.InTamper
	case l.cfg.HAL.Fire:
		input.Kind = door.InFireRelease
	}
	l.apply(l.m.On(input, at))
}

// reread compares every line with what is known of it.
func (l *Loop) reread() {
	h := l.cfg.HAL
	for _, in := range []hal.Input{h.Contact, h.Request, h.Tamper, h.Fire} {
		if in == nil {
			continue
		}
		level, err := in.Level()
		if err != nil {
			level = hal.LevelUnknown // a line that cannot be read is in trouble; the lock is not moved
		}
		l.level(in, level, l.cfg.Now().At)
	}
	l.cfg.Scanned()
}

// arm sets the one real timer to the earliest of the machine's.
func (l *Loop) arm(t *time.Timer) {
	next := time.Hour
	now := l.cfg.Now().At
	for _, at := range l.timers {
		next = min(next, max(0, at.Sub(now)))
	}
	t.Reset(next)
}

func (l *Loop) onTimers() {
	at := l.cfg.Now()
	for name, due := range l.timers {
		if due > at.At {
			continue
		}
		delete(l.timers, name)
		l.apply(l.m.OnTimer(name, at))
	}
}

// Facts gives how the door stands; ok is false until Run has looked at it. It may be called from any goroutine.
func (l *Loop) Facts() (f Facts, ok bool) {
	if p := l.facts.Load(); p != nil {
		return *p, true
	}
	return Facts{}, false
}

// tell reports the door's status when it has changed.
func (l *Loop) tell() {
	s := wire.DoorStatus{Door: l.cfg.Door.Door, State: l.m.StateName(), Contact: "unknown", Reader: "ok", Mode: l.m.mode()}
	switch l.contact {
	case hal.LevelRest:
		s.Contact = "closed"
	case hal.LevelActive:
		s.Contact = "open"
	}
	if l.lost[access.SideEnter] || l.lost[access.SideExit] {
		s.Reader = "lost"
	}
	f := Facts{DoorStatus: s, Sensed: l.cfg.HAL.Contact != nil, Tampered: l.m.State().Tampered(), Faulty: len(l.faulty) > 0,
		LostEnter: l.lost[access.SideEnter], LostExit: l.lost[access.SideExit]}
	if p := l.facts.Load(); p == nil || *p != f {
		l.facts.Store(&f)
	}
	if s != l.status && l.cfg.OnStatus != nil {
		l.status = s
		l.cfg.OnStatus(s)
	}
}
