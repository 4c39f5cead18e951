// Package controller is what one door does: a pure Machine that joins the local decision, the
// server's answer and the door's state machine, and a Loop that carries out what the Machine asks for.
//
// The Machine has no I/O and no clock. The Loop owns one goroutine a door; it is the only one that
// drives the door's lock, and it drives it to its secure level before it does anything else. The
// package never keeps a card number: reads arrive sealed and tokenised (D3).
//
// It serves I1 (the strike waits for the record), I6 (nothing but a decision moves it) and I9.
package controller

import (
	"math"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// decidingAfter is how long the person waits in silence before the reader shows that the server is
// being asked: below it the light would only flicker.
const decidingAfter = 100 * time.Millisecond

// maxAhead is how far the wall clock may fall behind the moment at which the policy was last known to be
// in force: corrections by the server's time are smaller.
const maxAhead = time.Minute

// maxFlights bounds the attempts remembered for their later records. One opening can join several
// badges; a hundred unanswered ones mean a defective reader.
const maxFlights = 64

// Moment is when something happened, as the gateway knows it.
type Moment struct {
	At     mono.Time
	WallMS int64
	Clock  access.ClockQuality
}

// Lease is what the link holds; the zero Lease is none.
type Lease struct {
	Until mono.Time
	Rules uint64 // rules version in force at the server
}

// Read is one presentation of a card as the machine needs it: no card number, no digits.
type Read struct {
	Attempt door.Attempt
	Side    access.Side
	Key     access.Key
	HasCard bool   // false: the train was no card
	Sealed  []byte // card_ref sealed under the ask key
	Grade   card.Assurance
	HasPIN  bool
	PIN     [32]byte
	Link    string // reader link: "clear", "secure"
	Fault   string // why it was no card
	Flagged bool   // the identical train again within 200 ms
}

// Machine decides for one door. Its zero value is of no use: NewMachine.
type Machine struct {
	cfg     door.Config
	gateway access.GatewayID
	state   door.State
	pins    *access.State // of the card at hand; the outbox keeps the counts (loadPIN)
	places  *Places       // shared with the gateway's other doors
	lease   Lease
	policy  *access.Policy
	rules   uint64
	fetched int64                // wall ms at which the policy was last known to be in force
	inside  int                  // entries minus exits seen here since start; only ever sharpens an alarm (DS-10)
	side    access.Side          // of the latest read; SideUnknown before the first
	pending map[uint64]*question // by number
	asked   uint64               // number of the latest question
	stored  func(access.Key) uint8
	unsaved map[access.Key]uint8 // counts of wrong PINs on their way to the disk
	flights map[door.Attempt]*flight
	order   []door.Attempt // of flights, oldest first
}

// question is a read whose answer is outstanding.
type question struct {
	read Read
	req  access.Request
	at   mono.Time
}

// flight is what later records of an attempt have to repeat.
type flight struct {
	decision access.Decision
	by       access.DecidedBy
	rules    uint64
	age      int64
	read     Read
	inputs   []byte
	recorded bool   // the private part has been recorded once
	holder   string // the person's id in the policy held, "" = nobody known
	since    int64  // when this attempt put the holder at the door, UTC ms; 0 = it did not
}

// NewMachine makes the machine of a secured door. It holds no policy: every entry is denied until
// one is set.
//
// stored gives the durable count of a card's wrong PINs in a row.
//
// places is who is where, shared by the gateway's doors; nil = this door alone, which knows nobody's place.
func NewMachine(gateway access.GatewayID, cfg door.Config, stored func(access.Key) uint8, places *Places) *Machine {
	if places == nil {
		places = NewPlaces()
	}
	return &Machine{
		cfg: cfg, gateway: gateway, places: places,
		pins:    access.NewState(access.KnowledgeSet(0).With(access.KnowPIN)),
		pending: map[uint64]*question{}, stored: stored, unsaved: map[access.Key]uint8{},
		flights: map[door.Attempt]*flight{},
	}
}

// State is the door's state, for status pages.
func (m *Machine) State() door.State { return m.state }

func (m *Machine) linked(at mono.Time) bool { return m.lease.Until > at }

// Start brings the door up: the lock is driven to its secure level before anything else.
func (m *Machine) Start(contactOpen bool, at mono.Time) []Effect {
	state, actions := door.Start(m.cfg, contactOpen, at)
	m.state = state
	return m.translate(nil, actions, Moment{At: at})
}

// SetLease tells the machine what the link holds. Gaining or losing it moves nothing (I6).
func (m *Machine) SetLease(l Lease) { m.lease = l }

// SetPolicy replaces the compiled policy. since is the wall time in UTC ms at which it was last
// known to be in force. The mode of the door follows it.
func (m *Machine) SetPolicy(p *access.Policy, rules uint64, since int64, at Moment) []Effect {
	m.policy, m.rules, m.fetched = p, rules, since
	return m.door(nil, door.Input{Kind: door.InMode, Mode: m.mode(), At: at.At}, at)
}

// Confirmed says that the policy held was in force at the wall time ms: a lease named its version.
// It is the server's time, so a later reading of a wrong clock does not stand against it.
func (m *Machine) Confirmed(ms int64) { m.fetched = ms }

// view is what this gateway knows around a request. The count of wrong PINs is the outbox's, which
// all doors of the gateway share; the state is brought to it by the ordinary events.
func (m *Machine) view(r Read, req access.Request) access.View {
	access.Apply(m.pins, access.Event{Kind: access.EventPINReset, Key: r.Key})
	for range m.failed(r.Key) {
		access.Apply(m.pins, access.Event{Kind: access.EventPINFailed, Key: r.Key})
	}
	v := m.places.view(m.policy, req)
	v.PIN = m.pins.View(m.policy, req).PIN
	return v
}

// stands remembers who stands at the door after a decision that counts: they wait for another, or were
// granted and have not opened yet.
func (m *Machine) stands(a door.Attempt, req access.Request, d access.Decision) {
	f := m.flights[a]
	c, known := m.policy.Credential(req.Key)
	if f == nil || !known || !req.HasCard {
		return
	}
	if person, ok := m.policy.Person(c.Person); ok {
		f.holder = person.ID
		d.Person, d.KnownPerson = c.Person, true
	}
	if e, ok := access.PendingEvent(m.policy, req, d); ok {
		f.since = e.WallMS
		m.places.apply(e)
	}
}

// waitsOnce ends the waits that the holder of this card has begun here before: who badges again, with whatever card,
// goes in once.
func (m *Machine) waitsOnce(effects []Effect, a door.Attempt, k access.Key, d access.Decision, at Moment) []Effect {
	if d.Outcome != access.NeedSecond && d.Outcome != access.NeedEscort {
		return effects
	}
	c, known := m.policy.Credential(k)
	person, someone := m.policy.Person(c.Person)
	for _, w := range m.state.Waiting() {
		f := m.flights[w.Attempt]
		if !known || !someone || f == nil || w.Attempt == a || f.holder != person.ID {
			continue
		}
		effects = m.door(effects, door.Input{Kind: door.InDenied, At: at.At, Attempt: w.Attempt, Side: access.SideEnter, By: f.by, Reason: f.decision.Primary}, at)
	}
	return effects
}

// join lets those in who waited for the one who has just been granted: for a second person, or for an
// escort (AD-8, VE-2). Each has a record of their own that still names what was waited for, and that has
// to be durable before the strike is released for them.
func (m *Machine) join(effects []Effect, granted Read, at Moment) []Effect {
	for _, w := range m.state.Waiting() {
		f := m.flights[w.Attempt]
		if f == nil || !access.Joins(m.policy, m.request(f.read, access.LinkOffline, at), w.For, granted.Key) {
			continue
		}
		f.decision.Outcome, f.decision.Primary = access.Granted, access.ReasonGranted
		effects = m.door(effects, door.Input{
			Kind: door.InGranted, At: at.At, Attempt: w.Attempt, Side: access.SideEnter, By: f.by, Reason: access.ReasonGranted,
			Offline: f.by == access.ByGateway && !m.linked(at.At),
		}, at)
	}
	return effects
}

// failed is the count of a card's wrong PINs as it will be once everything is on the disk.
func (m *Machine) failed(k access.Key) uint8 {
	if n, ok := m.unsaved[k]; ok {
		return n
	}
	return m.stored(k)
}

// PINSaved says that a count of wrong PINs has reached the disk, or that it never will.
func (m *Machine) PINSaved(p PINFailures) {
	if m.unsaved[p.Key] == p.Failed {
		delete(m.unsaved, p.Key)
	}
}

// request makes the request of a read for the given link.
func (m *Machine) request(r Read, link access.Link, at Moment) access.Request {
	req := access.Request{
		Door: m.cfg.Door, Side: r.Side, Key: r.Key, HasCard: r.HasCard, Assurance: r.Grade,
		WallMS: at.WallMS, Clock: at.Clock, Link: link, At: at.At,
	}
	if r.HasCard && r.HasPIN {
		req.PIN = access.CheckPIN(m.policy, r.Key, r.PIN)
	}
	if link == access.LinkLeased {
		req.Behind = m.rules < m.lease.Rules
	}
	req.AgeMS = max(0, at.WallMS-m.fetched)
	if m.fetched <= 0 || m.fetched > at.WallMS+maxAhead.Milliseconds() {
		// Never known to be in force, or known in a future that the clock has come back from: too old for
		// any door.
		req.AgeMS = math.MaxInt64
	}
	return req
}

// OnRead takes one read. Linked, it asks the server and keeps the local decision for the case that no
// answer comes; without a lease it decides at once (D8).
func (m *Machine) OnRead(r Read, at Moment) []Effect {
	m.side = r.Side
	if !r.HasCard {
		return m.readError(r, at)
	}
	if !m.linked(at.At) {
		return m.decideLocally(r, access.LinkOffline, at)
	}
	req := m.request(r, access.LinkLeased, at)
	// A PIN that is still being judged counts as wrong until it is known: trying several at once gains
	// nothing (D10). And the PIN's question takes the place of the card's own.
	failed := m.failed(r.Key)
	for n, q := range m.pending {
		if q.read.HasPIN && q.read.Key == r.Key && failed < 255 {
			failed++
		}
		if q.read.Attempt == r.Attempt {
			delete(m.pending, n)
		}
	}
	m.asked++
	m.pending[m.asked] = &question{read: r, req: req, at: at.At}
	ask := Ask{
		Question: m.asked, Attempt: r.Attempt, Side: r.Side, Card: r.Sealed, Assurance: r.Grade.String(),
		PINGiven: r.HasPIN, PIN: r.PIN, PINFailed: failed, Rules: m.rules,
	}
	return []Effect{ask, SetTimer{Timer: TimerDeciding, At: at.At.Add(decidingAfter)}}
}

// readError records a train that was no card. At an exit nobody is held: the mechanical exit is open.
func (m *Machine) readError(r Read, at Moment) []Effect {
	if r.Side == access.SideExit {
		d := access.Decision{Primary: access.ReasonExitUnattributed, Failed: access.ReasonSet(0).With(access.ReasonReadError)}
		m.remember(r, d, access.ByGateway, access.Request{}, nil)
		return m.door(nil, door.Input{Kind: door.InDenied, At: at.At, Attempt: r.Attempt, Side: r.Side, By: access.ByGateway, Reason: d.Primary, Offline: !m.linked(at.At)}, at)
	}
	m.remember(r, access.Decision{Primary: access.ReasonReadError, Failed: access.ReasonSet(0).With(access.ReasonReadError)}, access.ByGateway, access.Request{}, nil)
	return m.door(nil, door.Input{Kind: door.InReadError, At: at.At, Attempt: r.Attempt, Side: r.Side, By: access.ByGateway, Reason: access.ReasonReadError}, at)
}

// decideLocally decides with what the gateway holds. Fail secure: Decide denies on a missing policy,
// an untrusted clock, an old snapshot and the offline mode `deny`.
func (m *Machine) decideLocally(r Read, link access.Link, at Moment) []Effect {
	req := m.request(r, link, at)
	view := m.view(r, req)
	d := access.Decide(m.policy, view, req)
	m.remember(r, d, access.ByGateway, req, &view)
	effects := m.waitsOnce(nil, r.Attempt, r.Key, d, at)
	m.stands(r.Attempt, req, d)
	effects = m.countPIN(effects, req, d)
	effects = m.outcome(effects, r, d, access.ByGateway, false, at)
	return m.pinLocked(effects, r, req, at)
}

// OnAnswer takes the server's verified answer to a question. late means that its deadline had passed:
// it is recorded and moves nothing (D8).
func (m *Machine) OnAnswer(number uint64, a wire.Answer, late bool, at Moment) []Effect {
	q, open := m.pending[number]
	if late || !open || q.read.Attempt != a.Attempt {
		return []Effect{Record{
			Draft: wire.Record{Door: m.cfg.Door, Event: door.EventLateIgnored, Attempt: a.Attempt, By: access.ByServer, Reason: a.Reason, Failed: a.Failed, Policy: a.Rules},
			At:    at,
		}}
	}
	delete(m.pending, number)
	view := m.view(q.read, q.req)
	d := access.Decision{Outcome: a.Outcome, Primary: a.Reason, Failed: a.Failed}
	m.remember(q.read, d, access.ByServer, q.req, &view)
	m.flights[a.Attempt].rules, m.flights[a.Attempt].age = a.Rules, 0
	effects := []Effect{StopTimer{Timer: TimerDeciding}}
	req := q.req
	req.PIN = pinOf(q.read, a)
	effects = m.waitsOnce(effects, a.Attempt, req.Key, d, at)
	m.stands(a.Attempt, req, d)
	effects = m.countPIN(effects, req, d)
	effects = m.outcome(effects, q.read, d, access.ByServer, a.Outcome == access.Granted, at)
	return m.pinLocked(effects, q.read, req, at)
}

// pinOf is what the server's answer says of the PIN. It does not tell duress from ok.
func pinOf(r Read, a wire.Answer) access.PINState {
	switch {
	case !r.HasPIN:
		return access.PINNone
	case a.Failed.Has(access.ReasonPINBad):
		return access.PINBad
	default:
		return access.PINOK
	}
}

// OnNoAnswer takes the failure of an ask: the deadline passed, or the link went away meanwhile. With
// a lease the local decision counts if the snapshot is not behind; Decide says so (D8).
func (m *Machine) OnNoAnswer(number uint64, at Moment) []Effect {
	q, open := m.pending[number]
	if !open {
		return nil
	}
	delete(m.pending, number)
	link := access.LinkOffline
	if m.linked(at.At) {
		link = access.LinkLeased
	}
	return append([]Effect{StopTimer{Timer: TimerDeciding}}, m.decideLocally(q.read, link, at)...)
}

// countPIN makes the decision's movement in the durable count of wrong PINs (D10); it is stored
// with the record of the decision.
func (m *Machine) countPIN(effects []Effect, req access.Request, d access.Decision) []Effect {
	e, moves := access.PINEvent(req, d)
	if !moves {
		return effects
	}
	before := m.pins.PINFailed(req.Key)
	access.Apply(m.pins, e)
	after := m.pins.PINFailed(req.Key)
	if after == before {
		return effects
	}
	m.unsaved[req.Key] = after
	return append(effects, PINFailures{Key: req.Key, Failed: after})
}

// pinLocked records the wrong PIN that locked the card: an item for a person.
func (m *Machine) pinLocked(effects []Effect, r Read, req access.Request, at Moment) []Effect {
	d, known := m.policy.Door(m.cfg.Door)
	if !known || !countsPIN(effects) || req.PIN != access.PINBad || m.pins.PINFailed(r.Key) != d.PINLimit {
		return effects
	}
	return append(effects, Record{At: at, Draft: wire.Record{
		Door: m.cfg.Door, Side: r.Side, Event: door.EventPINLocked, Attempt: r.Attempt, By: access.ByGateway,
		Reason: access.ReasonPINLocked, Policy: m.rules, Assurance: r.Grade.String(), Link: r.Link,
	}})
}

// outcome hands a decision to the door.
func (m *Machine) outcome(effects []Effect, r Read, d access.Decision, by access.DecidedBy, durable bool, at Moment) []Effect {
	in := door.Input{At: at.At, Attempt: r.Attempt, Side: r.Side, By: by, Reason: d.Primary, Offline: by == access.ByGateway && !m.linked(at.At)}
	switch d.Outcome {
	case access.Granted:
		in.Kind, in.Durable = door.InGranted, durable
	case access.NeedPIN, access.NeedSecond, access.NeedEscort:
		in.Kind, in.Waiting = door.InWaiting, d.Outcome
		in.For = time.Duration(m.policy.Wait(m.cfg.Door, d.Outcome)) * time.Millisecond
	default: // denied, and any outcome this program does not know: the door stays locked
		in.Kind = door.InDenied
	}
	effects = m.door(effects, in, at)
	if d.Outcome == access.Granted && r.Side == access.SideEnter {
		effects = m.join(effects, r, at)
	}
	return effects
}

// On takes an input that is the door's alone: contacts, timers, tamper, durability, commands.
func (m *Machine) On(in door.Input, at Moment) []Effect { return m.door(nil, in, at) }

// OnTimer takes a timer of this machine that is not the door's.
func (m *Machine) OnTimer(t Timer, at Moment) []Effect {
	if t == TimerDeciding {
		if len(m.pending) == 0 {
			return nil
		}
		for _, q := range m.pending {
			return []Effect{Show{Side: q.read.Side, What: door.IndDeciding}}
		}
	}
	return m.door(nil, door.Input{Kind: door.InTimer, Timer: door.TimerName(t), At: at.At}, at)
}

func (m *Machine) door(effects []Effect, in door.Input, at Moment) []Effect {
	before := m.state.Unarmed()
	state, actions := door.Step(m.cfg, m.state, in)
	m.state = state
	effects = m.translate(effects, actions, at)
	if now := m.state.Unarmed(); now != before { // last: a lock that has to be driven does not wait for a disk
		effects = append(effects, Unarmed{On: now})
	}
	return effects
}

// remember keeps what later records of this attempt repeat.
func (m *Machine) remember(r Read, d access.Decision, by access.DecidedBy, req access.Request, view *access.View) {
	f := &flight{decision: d, by: by, rules: m.rules, age: req.AgeMS, read: r}
	if view != nil {
		f.inputs = access.AppendInputs(nil, *view, req)
	}
	if old, again := m.flights[r.Attempt]; again {
		f.recorded = old.recorded && old.read.HasPIN == r.HasPIN
		m.flights[r.Attempt] = f
		return
	}
	if len(m.order) >= maxFlights {
		delete(m.flights, m.order[0])
		m.order = m.order[1:]
	}
	m.flights[r.Attempt] = f
	m.order = append(m.order, r.Attempt)
}

func (m *Machine) forget(a door.Attempt) {
	delete(m.flights, a)
	for i, o := range m.order {
		if o == a {
			m.order = append(m.order[:i], m.order[i+1:]...)
			return
		}
	}
}

// StateName is the door's state in one stable word.
func (m *Machine) StateName() string { return m.state.Name().String() }

// countsPIN reports whether the effects move a count of wrong PINs.
func countsPIN(effects []Effect) bool {
	for _, e := range effects {
		if _, ok := e.(PINFailures); ok {
			return true
		}
	}
	return false
}

// Interlocks reports whether this door holds the other door of its airlock shut (DS-9).
func (m *Machine) Interlocks() bool { return m.state.Interlocks() }

// Behind is the zone behind the door, "" without a policy.
func (m *Machine) Behind() access.ZoneID {
	d, _ := m.policy.Door(m.cfg.Door)
	return d.EnterZone
}
