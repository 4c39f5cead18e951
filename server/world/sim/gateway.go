package sim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/world/invariant"
)

// gateway is one box: its disk and doors outlive its process.
type gateway struct {
	w    *World
	id   access.GatewayID
	keys policypub.GatewayKeys
	disk *disk

	// The network as it is, whatever the process thinks.
	cut  bool // the cable is out
	mute bool // its records do not come through; all else does
	half bool
	conn int

	// The process; start makes it anew.
	up         bool
	life       int // counts processes
	boot       wire.BootID
	bootAt     time.Duration // true time at which it began
	bootWall   int64         // what its wall clock said then, UTC ms
	bootLeap   time.Duration
	offset     int64 // estimated server time − wall time, ms
	quality    access.ClockQuality
	machine    *link.Gateway
	doors      []*doorNode
	connected  bool
	lease      mono.Time
	linkUp     bool
	wake       mono.Time
	woken      int
	waiting    map[uint64]waiting
	tag        uint64
	applying   bool
	held       link.PolicyHeld
	since      int64 // wall ms at which the policy was last known to be in force
	policy     *access.Policy
	places     *controller.Places
	airlocks   *controller.Airlocks
	queue      []queued // the volatile half of the outbox
	committing bool
	latched    bool
	inStep     bool
	next       []link.GatewayInput

	// Faults to come.
	failing  commitFault
	slowDisk int
	wallOff  time.Duration // how wrong the wall clock will be at the next boot
	badClock bool          // it will not know how wrong

	image   *disk // somebody's copy of the card
	imageAt time.Duration
	excused map[wire.Epoch]bool // epochs of disks that were put back: not all of them can arrive
}

type waiting struct {
	door     *doorNode
	question uint64
	over     bool
}

// doorNode is one door: hardware that stays, and the machine of the present process.
type doorNode struct {
	away     bool // visitors behind it are without an escort
	g        *gateway
	cfg      door.Config
	maxAge   time.Duration
	machine  *controller.Machine
	timers   map[controller.Timer]mono.Time
	pin      *controller.PINFailures
	barriers map[door.Barrier]cause
	cause    cause
	who      map[door.Attempt]presented

	// Hardware.
	open   bool // the leaf
	fire   bool
	broken bool // the lock output does not obey
	shown  door.Indication
	last   struct { // the card last presented, for a PIN keyed in after it
		attempt door.Attempt
		card    Card
		side    access.Side
		ok      bool
	}
}

// cause is what a release of the strike is put down to.
type cause struct {
	attempt door.Attempt
	by      access.DecidedBy
	side    access.Side
	command wire.BootID
	reason  access.Reason
}

type presented struct {
	card string
	side access.Side
}

func newGateway(w *World, id access.GatewayID, dir *directory.Snapshot) *gateway {
	g := &gateway{w: w, id: id, keys: w.keys.Gateways[id], disk: &disk{pins: map[access.Key]uint8{}, unarmed: map[access.DoorID]bool{}}, excused: map[wire.Epoch]bool{}}
	for i := range dir.Doors {
		d := &dir.Doors[i]
		if d.Gateway != id {
			continue
		}
		g.doors = append(g.doors, &doorNode{g: g, cfg: door.DefaultConfig(d.ID, d.Kind, d.Sensing), maxAge: d.MaxAge})
	}
	return g
}

// start begins a process, as after power has come.
func (g *gateway) start() {
	w := g.w
	g.life++
	g.up = true
	w.fill(g.boot[:])
	g.bootAt, g.bootLeap = w.now, w.leap
	g.bootWall = w.wallMS() + g.wallOff.Milliseconds()
	g.quality = access.ClockNTP
	if g.badClock {
		g.quality = access.ClockFloor
	}
	g.offset, g.wallOff, g.badClock = 0, 0, false
	g.connected, g.half, g.lease, g.linkUp, g.applying = false, false, 0, false, false
	g.waiting, g.tag, g.queue, g.committing, g.latched = map[uint64]waiting{}, 0, nil, false, false
	g.next, g.inStep = nil, false
	g.places, g.airlocks = controller.NewPlaces(), controller.NewAirlocks()
	g.places.Follow(func(zones []access.ZoneID) {
		for _, d := range g.doors {
			d.post(func() { d.escortAway(zones) })
		}
	})
	if len(g.disk.epochs) == 0 {
		g.mint("created")
	}
	if w.opt.Hooks.ForgetOnRestart && g.disk.state().Pending > 0 {
		g.disk.current().aside = true
		g.mint("restart")
	}
	w.emit(invariant.Event{Kind: invariant.Boot, Gateway: g.id, Boot: g.boot})
	w.transport(g, "started")
	g.machine = link.NewGateway(link.GatewayConfig{
		Site: w.opt.Site, ID: g.id, Signer: w.gatewayKey(g.id),
		Verifiers: wire.Verifiers{}.With(wire.RoleLink, w.roleKey(wire.RoleLink)).With(wire.RolePolicy, w.roleKey(wire.RolePolicy)).
			With(wire.RoleCommand, w.roleKey(wire.RoleCommand)),
		AskKey: g.keys.Ask, Rand: w.dice, Boot: g.boot, Software: "sim", Deltas: true,
	})
	for _, d := range g.doors {
		d.start()
	}
	g.loadPolicy()
	g.step(g.held)
	g.step(g.disk.state())
	g.note(door.EventBoot, "")
	g.saveAges(g.life)
	w.connect(g)
}

// stop ends the process without warning. With what is in the middle of a commit it is a toss-up.
func (g *gateway) stop(why string) {
	if !g.up {
		return
	}
	if g.committing && g.w.chance(50) {
		g.w.count("power cut: written, not told")
		g.write(g.queue)
	}
	g.up, g.connected = false, false
	g.life++
	g.conn++
	g.w.transport(g, why)
}

func (g *gateway) mono() mono.Time { return mono.Time(g.w.now - g.bootAt) }

// own is the machine's wall clock, UTC ms. It was read once, at the start (D4); what passes while the
// machine is suspended, CLOCK_BOOTTIME counts.
func (g *gateway) own() int64 {
	return g.bootWall + (g.w.now - g.bootAt + g.w.leap - g.bootLeap).Milliseconds()
}

func (g *gateway) wall() int64 { return g.own() + g.offset }

func (g *gateway) moment() controller.Moment {
	return controller.Moment{At: g.mono(), WallMS: g.wall(), Clock: g.quality}
}

func (g *gateway) stamp(m controller.Moment) wire.Stamp {
	boottime := int64(m.At) + int64(g.w.leap-g.bootLeap)
	return wire.Stamp{Boot: g.boot, BoottimeNS: boottime, WallMS: m.WallMS - g.offset, Quality: m.Clock, OffsetMS: g.offset}
}

func (w *World) transport(g *gateway, word string) {
	w.count("transport " + word)
	w.emit(invariant.Event{Kind: invariant.Transport, Gateway: g.id, Word: word})
}

// saveAges does each minute what the process does: age of the policy and last trusted time (D12).
func (g *gateway) saveAges(life int) {
	g.w.after(time.Minute, func() {
		if g.life != life || !g.up {
			return
		}
		g.saveNow()
		g.saveAges(life)
	})
}

func (g *gateway) saveNow() {
	if g.quality < access.ClockRTC {
		return
	}
	if v := g.held.Manifest; v > 0 {
		g.disk.age.version, g.disk.age.ms = v, max(0, g.wall()-g.since)
	}
	g.push(queued{trusted: g.wall()})
}

// loadPolicy puts what the disk holds in force.
func (g *gateway) loadPolicy() {
	g.policy, g.held, g.since = nil, link.PolicyHeld{}, 0
	s := g.disk.policy
	if s == nil {
		g.setPolicy(nil, 0, 0)
		return
	}
	p, err := compile(s.parts, g.w)
	if err != nil {
		g.setPolicy(nil, 0, 0) // fail secure
		return
	}
	saved := g.disk.trusted // 0: nobody knows how long it was off, and the policy is too old (D12)
	age := int64(0)
	if g.disk.age.version == s.manifest.Version {
		age = g.disk.age.ms
	}
	g.held, g.since = g.disk.held(), max(saved-age, 0)
	g.setPolicy(p, s.manifest.Parts[0].Version, g.since)
	g.rebuildPlaces()
}

// rebuildPlaces puts the state part on the disk in force, with the gateway's own later records (D7).
func (g *gateway) rebuildPlaces() {
	st := access.NewState(0)
	defer func() { g.places.Rebuilt(st, g.wall()) }()
	if g.policy == nil || g.disk.policy == nil || len(g.disk.epochs) != 1 {
		return
	}
	part, err := access.DecodeState(g.disk.policy.parts[2])
	if err != nil || part.Version <= 1 {
		return
	}
	e := g.disk.current()
	replay := controller.Replay{State: part.State(), Policy: g.policy, Ask: g.keys.Ask}
	if part.Epoch == fmt.Sprintf("%x", e.epoch[:]) {
		replay.After = part.Through
	}
	for i := range e.rows {
		replay.Add(e.rows[i])
	}
	st = replay.State
}

func compile(parts [3][]byte, w *World) (*access.Policy, error) {
	rules, err := access.DecodeRules(parts[0])
	if err != nil {
		return nil, err
	}
	p, err := access.Compile(*rules, w.opt.Zone)
	if err != nil {
		return nil, err
	}
	modes, err := access.DecodeModes(parts[1])
	if err != nil {
		return nil, err
	}
	return p.WithModes(modes), nil
}

func (g *gateway) setPolicy(p *access.Policy, rules uint64, since int64) {
	g.policy = p
	g.places.SetPolicy(p, g.wall())
	g.airlocks.SetPolicy(p)
	for _, d := range g.doors {
		d.apply(d.machine.SetPolicy(p, rules, since, g.moment()))
	}
	if p != nil {
		g.note(door.EventPolicyApplied, "rules-"+strconv.FormatUint(rules, 10))
	}
}

// note records an event of the gateway itself.
func (g *gateway) note(e door.Event, detail string) {
	g.push(queued{record: &wire.Record{Event: e, Detail: detail, Stamp: g.stamp(g.moment())}})
}

// step gives the link's machine one input and carries out what it wants; an input that comes of that
// waits its turn.
func (g *gateway) step(in link.GatewayInput) {
	if !g.up {
		return
	}
	g.next = append(g.next, in)
	if g.inStep {
		return
	}
	g.inStep = true
	defer func() { g.inStep = false }()
	for len(g.next) > 0 {
		in := g.next[0]
		g.next = g.next[1:]
		g.wake = g.mono().Add(time.Second)
		for _, a := range g.machine.Step(g.mono(), g.stamp(g.moment()), in) {
			g.do(a)
		}
	}
	g.woken++
	turn, life := g.woken, g.life
	g.w.after(g.wake.Sub(g.mono()), func() {
		if g.woken == turn && g.life == life {
			g.step(link.Tick{})
		}
	})
}

func (g *gateway) do(a link.GatewayAction) {
	switch a := a.(type) {
	case link.Publish:
		if _, _, kind, err := wire.ParseTopic(a.Topic); err == nil {
			g.w.up(g, kind, a.Payload)
		}
	case link.Load:
		g.next = append(g.next, link.Batch{Events: g.disk.load(a)})
	case link.Acked:
		g.push(queued{acked: &a})
	case link.NewEpoch:
		g.w.count("new epoch " + a.Why)
		g.push(queued{newEpoch: a.Why})
	case link.Answered:
		q, open := g.waiting[a.Tag]
		if !open {
			return
		}
		delete(g.waiting, a.Tag)
		q.door.answered(q.question, a.Answer, a.Late)
	case link.AskFailed:
		q, open := g.waiting[a.Tag]
		if !open || q.over {
			return
		}
		q.over = true
		g.waiting[a.Tag] = q
		q.door.local(func(m *controller.Machine) []controller.Effect { return m.OnNoAnswer(q.question, g.moment()) })
	case link.LinkUp:
		g.linkUp = true
		g.w.transport(g, "link up")
		g.note(door.EventLinkUp, "")
		if g.w.opt.Hooks.UnlockOnLink {
			g.doors[0].release(door.DefaultConfig("", 0, 0).ReleaseTime)
		}
	case link.LinkLost:
		g.linkUp, g.lease = false, 0
		for _, d := range g.doors {
			d.machine.SetLease(controller.Lease{})
		}
		g.w.transport(g, "link lost")
		g.note(door.EventLinkLost, "")
	case link.Lease:
		g.leased(a)
	case link.ServerTime:
		g.serverTime(a)
	case link.PolicyReady:
		g.applyPolicy(a)
	case link.Commanded:
		g.commanded(a.Command, a.Until)
	case link.KeysChanged:
	case link.Rejected:
		g.w.count("gateway rejected " + a.Kind + " " + a.Why)
	case link.Wake:
		g.wake = a.At
	}
}

func (g *gateway) leased(l link.Lease) {
	g.lease = l.Until
	held := g.held.Parts[0].Version
	for _, d := range g.doors {
		d.machine.SetLease(controller.Lease{Until: l.Until, Rules: l.Rules})
		if held == l.Rules {
			d.machine.Confirmed(g.wall())
		}
	}
	if held == l.Rules {
		g.since = g.wall()
	}
}

const clockStepMS = 2000 // as in gateway/app

func (g *gateway) serverTime(t link.ServerTime) {
	half := int64(t.At.Sub(t.Sent)/2) / int64(time.Millisecond)
	next := t.ServerMS + half - g.own()
	step, was := next-g.offset, g.quality
	g.offset, g.quality = next, access.ClockServer
	if step > clockStepMS || step < -clockStepMS || was != g.quality {
		g.saveNow()
	}
	if step > clockStepMS || step < -clockStepMS {
		g.note(door.EventClockStep, "ms."+strconv.FormatInt(step, 10))
	}
}

// applyPolicy compiles, makes durable and puts in force, off the link's way.
func (g *gateway) applyPolicy(p link.PolicyReady) {
	if g.applying {
		return
	}
	g.applying = true
	life := g.life
	g.w.after(g.diskTime(), func() {
		if g.life != life || !g.up {
			return // crash point: the policy before stays in force
		}
		g.applying = false
		parts, err := p.Assemble()
		var compiled *access.Policy
		if err == nil {
			compiled, err = compile(parts, g.w)
		}
		if err == nil && g.storePolicy(p, parts) == nil {
			g.held, g.since = g.disk.held(), g.wall()
			g.setPolicy(compiled, p.Manifest.Parts[0].Version, g.since)
			g.rebuildPlaces()
		}
		g.step(g.held)
	})
}

// linked reports whether a lease is held now.
func (g *gateway) linked() bool { return g.up && g.lease > g.mono() }

func (d *doorNode) start() {
	g := d.g
	d.machine = controller.NewMachine(g.id, d.cfg, func(k access.Key) uint8 { return g.disk.pins[k] }, g.places)
	d.timers, d.barriers, d.pin, d.cause = map[controller.Timer]mono.Time{}, map[door.Barrier]cause{}, nil, cause{}
	d.who = map[door.Attempt]presented{}
	d.last.ok, d.away = false, false
	if g.disk.unarmed[d.cfg.Door] {
		d.apply(d.machine.StartUnarmed(d.open, g.mono()))
		g.w.emit(invariant.Event{Kind: invariant.Fire, Gateway: g.id, Door: d.cfg.Door, On: true})
	} else {
		d.apply(d.machine.Start(d.open, g.mono()))
	}
	g.airlocks.Follow(d.cfg.Door, func(shut bool) {
		d.post(func() { d.on(door.Input{Kind: door.InInterlock, On: shut}) })
	})
	if d.fire { // the level of the line is read at the start
		g.w.emit(invariant.Event{Kind: invariant.Fire, Gateway: g.id, Door: d.cfg.Door, On: true})
		d.on(door.Input{Kind: door.InFireRelease, On: true})
	}
}

// local runs one input of the machine.
func (d *doorNode) local(f func(m *controller.Machine) []controller.Effect) { d.apply(f(d.machine)) }

func (d *doorNode) on(in door.Input) {
	if d.g.up {
		in.At = d.g.mono()
		d.apply(d.machine.On(in, d.g.moment()))
	}
}

func (d *doorNode) answered(question uint64, a wire.Answer, late bool) {
	d.cause = cause{attempt: a.Attempt, by: access.ByServer, side: d.who[a.Attempt].side}
	d.apply(d.machine.OnAnswer(question, a, late, d.g.moment()))
}

// post is the loop's mailbox: what another goroutine tells the door comes a moment later.
func (d *doorNode) post(f func()) {
	life := d.g.life
	d.g.w.after(time.Duration(d.g.w.rng.IntN(200))*time.Microsecond, func() {
		if d.g.life == life && d.g.up {
			f()
		}
	})
}

// apply carries out effects in their order, as the controller's Loop does.
func (d *doorNode) apply(effects []controller.Effect) {
	failed := false
	for _, e := range effects {
		switch e := e.(type) {
		case controller.Record:
			d.record(e)
		case controller.Ask:
			d.ask(e)
		case controller.Release:
			if d.broken {
				failed = true
				continue
			}
			if e.Side != access.SideExit && !d.g.airlocks.Claim(d.cfg.Door) {
				d.post(func() { d.on(door.Input{Kind: door.InInterlock, On: true}) })
				continue
			}
			d.release(e.For)
		case controller.Secure:
			if d.broken {
				failed = true
				continue
			}
			if d.cfg.Kind == door.KindControlled {
				d.g.w.emit(invariant.Event{Kind: invariant.Secured, Gateway: d.g.id, Door: d.cfg.Door})
			}
		case controller.Show:
			d.shown = e.What
		case controller.SetTimer:
			d.setTimer(e)
		case controller.StopTimer:
			delete(d.timers, e.Timer)
		case controller.PINFailures:
			d.pin = &e
		case controller.Unarmed:
			if d.g.disk.unarmed[d.cfg.Door] = e.On; !e.On {
				delete(d.g.disk.unarmed, d.cfg.Door)
			}
		}
	}
	d.g.airlocks.Set(d.cfg.Door, d.machine.Interlocks())
	if failed {
		d.on(door.Input{Kind: door.InStrikeFailed})
	}
}

// escortAway is told of the zones in which visitors are without an escort.
func (d *doorNode) escortAway(zones []access.ZoneID) {
	if on := slices.Contains(zones, d.machine.Behind()); on != d.away {
		d.away = on
		d.on(door.Input{Kind: door.InEscortAway, On: on})
	}
}

// release is the strike: the edge that everything here is about.
func (d *doorNode) release(time.Duration) {
	g, c := d.g, d.cause
	g.w.emit(invariant.Event{
		Kind: invariant.Edge, Gateway: g.id, Door: d.cfg.Door, Attempt: c.attempt, Command: c.command, By: c.by, Side: c.side, Reason: c.reason,
		Card: d.who[c.attempt].card, Linked: g.linked(), MaxAge: d.maxAge, Trusted: g.quality >= access.ClockRTC, Rules: g.held.Parts[0].Version,
	})
	g.w.count("edge by " + c.by.String())
}

func (d *doorNode) setTimer(e controller.SetTimer) {
	d.timers[e.Timer] = e.At
	life := d.g.life
	d.g.w.after(e.At.Sub(d.g.mono()), func() {
		if at, set := d.timers[e.Timer]; d.g.life != life || !d.g.up || !set || at != e.At {
			return
		}
		delete(d.timers, e.Timer)
		d.apply(d.machine.OnTimer(e.Timer, d.g.moment()))
	})
}

func (d *doorNode) record(e controller.Record) {
	g := d.g
	pin, barrier := d.pin, e.Barrier
	d.pin = nil
	if barrier != 0 {
		c := cause{attempt: e.Draft.Attempt, by: e.Draft.By, side: e.Draft.Side, reason: e.Draft.Reason}
		if e.Draft.Failed.Has(access.ReasonRecoveryCard) { // granted, and by what: the checkers look at it
			c.reason = access.ReasonRecoveryCard
		}
		if e.Draft.Event == door.EventCommandAccepted {
			c.command = wire.BootID(e.Draft.Attempt)
		}
		d.barriers[barrier] = c
	}
	r := e.Draft
	r.Stamp = g.stamp(e.At)
	if g.w.opt.Hooks.BlockExit && r.Side == access.SideExit && r.Event == door.EventGranted {
		r.Event, r.Reason = door.EventDenied, access.ReasonNoGrant
	}
	var private []byte
	if e.Private != nil {
		var nonce wire.Nonce
		g.w.fill(nonce[:])
		private = wire.SealPrivate(g.keys.Ask, nonce, *e.Private)
	}
	g.push(queued{record: &r, private: private, pin: pin, done: func(err error) {
		if pin != nil {
			d.post(func() { d.machine.PINSaved(*pin) })
		}
		if barrier == 0 {
			return
		}
		d.post(func() {
			kind := door.InDurable
			if err != nil {
				kind = door.InNotDurable // fail secure: no record, no strike (I1)
			}
			d.cause = d.barriers[barrier]
			delete(d.barriers, barrier)
			d.on(door.Input{Kind: kind, Barrier: barrier})
		})
	}})
}

func (d *doorNode) ask(e controller.Ask) {
	g := d.g
	g.tag++
	g.waiting[g.tag] = waiting{door: d, question: e.Question}
	for tag, q := range g.waiting { // as the uplink does: bound what never came
		if q.over && tag+4*link.MaxAsks < g.tag {
			delete(g.waiting, tag)
		}
	}
	in := link.Ask{Ask: wire.Ask{
		Attempt: e.Attempt, Door: d.cfg.Door, Side: e.Side, Card: e.Card, Assurance: e.Assurance, PINGiven: e.PINGiven,
		PINFailed: e.PINFailed, Stamp: g.stamp(g.moment()), Rules: e.Rules,
	}, PIN: e.PIN, Tag: g.tag}
	d.post(func() { g.step(in) })
}

// badge presents a card; with digits its PIN is keyed in as well (one presentation).
func (d *doorNode) badge(side access.Side, c Card, digits string) {
	g := d.g
	if !g.up {
		return // a dark reader reads nothing; the door stays locked
	}
	var attempt door.Attempt
	g.w.fill(attempt[:])
	d.present(attempt, side, c, digits)
}

// keyIn gives the PIN of the card last presented here, as the reader joins the two.
func (d *doorNode) keyIn(digits string) bool {
	if !d.g.up || !d.last.ok {
		return false
	}
	d.present(d.last.attempt, d.last.side, d.last.card, digits)
	return true
}

// keyPurpose is what the holder of the card last presented here came for, as the reader sends it after # and a digit.
func (d *doorNode) keyPurpose(code uint8) bool {
	g := d.g
	ref, _, err := g.w.keys.Card(d.last.card.Number.Format, d.last.card.Number.Facility, d.last.card.Number.Number)
	if !g.up || !d.last.ok || err != nil {
		return false
	}
	var nonce wire.Nonce
	g.w.fill(nonce[:])
	d.apply(d.machine.OnPurpose(controller.Purpose{Attempt: d.last.attempt, Side: d.last.side, Sealed: wire.SealCard(g.keys.Ask, nonce, ref), Link: "clear", Code: code}, g.moment()))
	return true
}

func (d *doorNode) present(attempt door.Attempt, side access.Side, c Card, digits string) {
	g := d.g
	ref, _, err := g.w.keys.Card(c.Number.Format, c.Number.Facility, c.Number.Number)
	if err != nil {
		return // the reader makes no card of it
	}
	var nonce wire.Nonce
	g.w.fill(nonce[:])
	r := controller.Read{
		Attempt: attempt, Side: side, Key: access.Key(ref.Token(g.keys.Token[:])), HasCard: true,
		Sealed: wire.SealCard(g.keys.Ask, nonce, ref), Grade: card.UIDOnly, Link: "clear",
	}
	if digits != "" {
		if pin, err := g.w.keys.PIN(ref, digits); err == nil {
			r.HasPIN, r.PIN = true, pin.Token(g.keys.Token[:])
		}
	}
	d.who[attempt] = presented{c.ID, side}
	d.last.attempt, d.last.card, d.last.side, d.last.ok = attempt, c, side, true
	_, known := g.policy.Credential(r.Key)
	g.w.emit(invariant.Event{Kind: invariant.Badge, Gateway: g.id, Door: d.cfg.Door, Attempt: attempt, Side: side, Card: c.ID, Known: known})
	g.w.count("badge")
	if g.w.opt.Hooks.NoPolicyGrants && g.policy == nil {
		d.cause = cause{attempt: attempt, by: access.ByGateway, side: side}
		d.g.append(wire.Record{Door: d.cfg.Door, Side: side, Event: door.EventGranted, Attempt: attempt, By: access.ByGateway, Reason: access.ReasonGranted, Stamp: g.stamp(g.moment())}, nil)
		d.release(0)
		return
	}
	if g.w.opt.Hooks.FrozenAge {
		d.machine.Confirmed(g.wall())
	}
	d.apply(d.machine.OnRead(r, g.moment()))
}

// setOpen moves the leaf of the door.
func (d *doorNode) setOpen(open bool) {
	if d.open == open {
		return
	}
	d.open = open
	kind := door.InContactClosed
	if open {
		kind = door.InContactOpen
	}
	d.on(door.Input{Kind: kind, On: open})
}

// setFire is the fire release line.
func (d *doorNode) setFire(on bool) {
	d.fire = on
	d.g.w.emit(invariant.Event{Kind: invariant.Fire, Gateway: d.g.id, Door: d.cfg.Door, On: on})
	if on && d.g.w.opt.Hooks.LockInFire {
		d.g.w.emit(invariant.Event{Kind: invariant.Secured, Gateway: d.g.id, Door: d.cfg.Door})
	}
	d.on(door.Input{Kind: door.InFireRelease, On: on})
}

// rearm is the person with the key after a fire.
func (d *doorNode) rearm() {
	d.g.w.emit(invariant.Event{Kind: invariant.Rearmed, Gateway: d.g.id, Door: d.cfg.Door})
	d.on(door.Input{Kind: door.InCommand, Command: door.CommandRearm, By: access.ByGateway})
}
