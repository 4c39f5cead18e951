package yeartest

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/server/world/year"
)

// leaf is one door: its hardware, and the machine of the process that runs.
type leaf struct {
	b       *box
	cfg     door.Config
	machine *controller.Machine
	timers  map[controller.Timer]mono.Time
	life    int    // counts processes
	next    string // detail of the gateway's next boot
	unarmed bool
	pin     *controller.PINFailures

	released bool // the strike lets the leaf open
	open     bool
	broken   bool
	fire     bool
}

func (l *leaf) start() error {
	b := l.b
	l.life++
	l.machine = controller.NewMachine(b.id, l.cfg, func(k access.Key) uint8 { return b.pins[k] }, b.places)
	l.timers = map[controller.Timer]mono.Time{}
	var effects []controller.Effect
	if l.unarmed {
		effects = l.machine.StartUnarmed(l.open, b.mono())
	} else {
		effects = l.machine.Start(l.open, b.mono())
	}
	if err := l.apply(effects); err != nil {
		return err
	}
	if b.policy != nil {
		return l.apply(l.machine.SetPolicy(b.policy, b.rules, b.p.wallMS(), b.moment()))
	}
	return nil
}

func (l *leaf) on(in door.Input) error {
	if !l.b.up {
		return nil // a dark gateway sees nothing
	}
	in.At = l.b.mono()
	return l.apply(l.machine.On(in, l.b.moment()))
}

// apply carries out effects in their order, as the controller's Loop does. A record is durable at once.
func (l *leaf) apply(effects []controller.Effect) error {
	failed := false
	var durable []door.Barrier
	for _, e := range effects {
		switch e := e.(type) {
		case controller.Record:
			l.record(e)
			if e.Barrier != 0 {
				durable = append(durable, e.Barrier)
			}
		case controller.Ask:
			if err := l.ask(e); err != nil {
				return err
			}
		case controller.Release:
			if failed = failed || l.broken; !l.broken {
				l.released = true
			}
		case controller.Secure:
			if failed = failed || l.broken; !l.broken {
				l.released = false
			}
		case controller.SetTimer:
			l.setTimer(e)
		case controller.StopTimer:
			delete(l.timers, e.Timer)
		case controller.PINFailures:
			l.pin = &e
		case controller.Unarmed:
			l.unarmed = e.On
		}
	}
	if failed {
		if err := l.on(door.Input{Kind: door.InStrikeFailed}); err != nil {
			return err
		}
	}
	for _, barrier := range durable {
		if err := l.on(door.Input{Kind: door.InDurable, Barrier: barrier}); err != nil {
			return err
		}
	}
	return nil
}

func (l *leaf) record(e controller.Record) {
	r := e.Draft
	r.Stamp = l.b.stamp(e.At)
	var private []byte
	if e.Private != nil {
		private = wire.SealPrivate(l.b.keys.Ask, l.nonce(), *e.Private)
	}
	if l.pin != nil {
		l.b.pins[l.pin.Key] = l.pin.Failed
		l.machine.PINSaved(*l.pin)
		l.pin = nil
	}
	l.b.push(&r, private)
}

func (l *leaf) nonce() (n wire.Nonce) {
	l.b.p.fill(n[:])
	return n
}

func (l *leaf) setTimer(e controller.SetTimer) {
	l.timers[e.Timer] = e.At
	life := l.life
	l.b.p.after(e.At.Sub(l.b.mono()), func() error {
		if at, set := l.timers[e.Timer]; l.life != life || !l.b.up || !set || at != e.At {
			return nil
		}
		delete(l.timers, e.Timer)
		return l.apply(l.machine.OnTimer(e.Timer, l.b.moment()))
	})
}

// ask has the server decide. Its answer is there at once.
func (l *leaf) ask(e controller.Ask) error {
	b := l.b
	q := wire.Ask{
		Gateway: b.id, Attempt: e.Attempt, Door: l.cfg.Door, Side: e.Side, Card: e.Card, Assurance: e.Assurance, PINGiven: e.PINGiven,
		PINFailed: e.PINFailed, Stamp: b.stamp(b.moment()), Rules: e.Rules,
	}
	b.p.fill(q.ID[:])
	if e.PINGiven {
		q.PIN = wire.PINProof(b.keys.Ask, e.PIN, q.ID)
	}
	var a wire.Answer
	err := b.p.step(func(tx yearTx) (err error) {
		a, err = b.p.auth.Answer(tx, &q, b.p.wallMS())
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", l.cfg.Door, err)
	}
	return l.apply(l.machine.OnAnswer(e.Question, a, false, b.moment()))
}

// read holds a card to a reader.
func (l *leaf) read(a *year.Act) error {
	b := l.b
	if !b.up {
		return nil
	}
	ref := b.p.refs[a.Card]
	r := controller.Read{
		Side: access.SideEnter, Key: access.Key(ref.Token(b.keys.Token[:])), HasCard: true,
		Sealed: wire.SealCard(b.keys.Ask, l.nonce(), ref), Grade: card.UIDOnly, Link: "clear",
	}
	if a.Out {
		r.Side = access.SideExit
	}
	b.p.fill(r.Attempt[:])
	if a.PIN != "" {
		pin, err := b.p.Site.Keys.PIN(ref, a.PIN)
		if err != nil {
			return err
		}
		r.HasPIN, r.PIN = true, pin.Token(b.keys.Token[:])
	}
	if err := l.apply(l.machine.OnRead(r, b.moment())); err != nil {
		return err
	}
	if a.Denied && l.released {
		b.p.Wrong = append(b.p.Wrong, l.tell(a))
	}
	return nil
}

func (l *leaf) tell(a *year.Act) string {
	return fmt.Sprintf("%s %s %s out=%v", l.b.p.clock().In(l.b.p.Year.Zone).Format(time.DateTime), l.cfg.Door, a.Card, a.Out)
}

// do carries out one act of the world.
func (p *Plant) do(a *year.Act) error {
	l, b := p.doors[a.Door], p.boxes[a.Gateway]
	bad, good := door.Event(""), door.Event("")
	switch a.Do {
	case year.Read:
		return l.read(a)
	case year.Open:
		return l.pull(a)
	case year.Close:
		if !l.open {
			return nil
		}
		l.open = false
		return l.on(door.Input{Kind: door.InContactClosed})
	case year.Press:
		return l.on(door.Input{Kind: door.InRequestExit, Side: access.SideExit})
	case year.Chatter:
		for i := range 6 {
			kind := []door.InputKind{door.InContactOpen, door.InContactClosed}[i%2]
			p.after(time.Duration(i)*12*time.Millisecond, func() error { return l.on(door.Input{Kind: kind}) })
		}
		return nil
	case year.Cable:
		return b.cable(a.On)
	case year.Power:
		return b.power(a.On, a.Word == "ordered")
	case year.Mains:
		bad, good = door.EventMainsLost, door.EventMainsBack
	case year.Battery:
		bad, good = door.EventBatteryLow, door.EventBatteryOK
	case year.Clock:
		if !b.up {
			return nil // it starts with the right one
		}
		b.note(door.EventClockStep, "ms.240000")
		return nil
	case year.Tamper:
		return l.on(door.Input{Kind: door.InTamper, On: a.On})
	case year.Line:
		return l.on(door.Input{Kind: door.InLineFault, On: !a.On})
	case year.Reader:
		return l.on(door.Input{Kind: door.InReaderLost, On: !a.On})
	case year.Fire:
		l.fire = a.On
		return l.on(door.Input{Kind: door.InFireRelease, On: a.On})
	case year.Rearm:
		return l.on(door.Input{Kind: door.InCommand, Command: door.CommandRearm, By: access.ByGateway})
	case year.Strike:
		l.broken = !a.On
		return nil
	}
	if bad == "" || !b.up {
		return nil
	}
	if a.On {
		bad = good
	}
	b.note(bad, "")
	return nil
}

// pull opens the leaf if it can be opened: the lock lets it, there is none, it is forced, or it is opened from inside, where a handle
// always opens.
func (l *leaf) pull(a *year.Act) error {
	if l.open {
		return nil
	}
	if !l.released && !a.Forced && !a.Out && !l.fire && l.cfg.Kind == door.KindControlled {
		l.b.p.Stuck = append(l.b.p.Stuck, l.tell(a))
		return nil
	}
	l.open = true
	return l.on(door.Input{Kind: door.InContactOpen})
}
