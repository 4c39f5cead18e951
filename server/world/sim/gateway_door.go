package sim

import (
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/server/world/invariant"
)

// The doors of a gateway: effects of their machines, and the hands at them.

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
	failed, late := false, false
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
				late = true
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
	if late { // at once, before this door says that it holds the other one shut: as in the Loop
		d.on(door.Input{Kind: door.InInterlock, On: true})
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
