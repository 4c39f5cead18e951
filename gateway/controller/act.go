package controller

import (
	"context"
	"io"
	"log/slog"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/hal"
)

// apply carries out effects in their order. A lock that does not obey is itself an input.
func (l *Loop) apply(effects []Effect) {
	var failed error
	late := false
	for _, e := range effects {
		switch e := e.(type) {
		case Record:
			if failed != nil && e.Draft.Event == door.EventCommandDone {
				continue // it was not done: strike_failed with the same attempt says what happened
			}
			l.record(e)
		case SelfTest:
			l.selfTest(e)
		case Unarmed:
			l.latch(e.On)
		case Ask:
			l.ask(e)
		case Release:
			if l.cfg.HAL.Lock == nil {
				continue // an observed door has no lock to release (DS-11)
			}
			if e.Side != access.SideExit && !l.cfg.Airlocks.Claim(l.cfg.Door.Door) {
				late = true
				continue
			}
			if err := l.cfg.HAL.Lock.Release(e.For); err != nil {
				failed = err
			}
		case Secure:
			if l.cfg.HAL.Lock == nil {
				continue
			}
			if err := l.cfg.HAL.Lock.Secure(); err != nil {
				failed = err
			}
		case Show:
			l.show(e)
		case SetTimer:
			l.timers[e.Timer] = e.At
		case StopTimer:
			delete(l.timers, e.Timer)
		case PINFailures:
			l.pin = &e
		}
	}
	if late {
		// The other door of the airlock was granted in the same moment. This one stays locked: the machine is told at once
		// and takes the grant back, before Run says that this door holds the other one shut, which would take back that one's
		// grant too.
		at := l.cfg.Now()
		l.apply(l.m.On(door.Input{Kind: door.InInterlock, At: at.At, On: true}, at))
	}
	if failed != nil { // after the rest, so that what the person is shown last is that the door is out of order
		l.strikeFailed(failed)
	}
}

// strikeFailed tells the machine that the lock output did not obey. The door: as the wires leave it;
// the machine asks for the secure level and grants nothing until it obeys again.
func (l *Loop) strikeFailed(err error) {
	l.cfg.Log.LogAttrs(context.Background(), slog.LevelError, "lock does not obey", slog.String("door", string(l.cfg.Door.Door)), slog.Any("err", err))
	at := l.cfg.Now()
	l.apply(l.m.On(door.Input{Kind: door.InStrikeFailed, At: at.At}, at))
}

// record seals the private part and hands the record to the outbox. When sealing fails nothing is
// appended and the waiting barrier hears "not durable": the door stays locked (I1).
func (l *Loop) record(e Record) {
	barrier := e.Barrier
	pin := l.pin
	l.pin = nil
	done := func(err error) {
		if pin != nil {
			l.box.post(pinSaved{*pin})
		}
		if barrier != 0 {
			l.box.post(durable{barrier, err})
		}
	}
	r := e.Draft
	r.Stamp = l.cfg.Stamp(e.At)
	var private []byte
	if e.Private != nil {
		var nonce wire.Nonce
		if _, err := io.ReadFull(l.cfg.Rand, nonce[:]); err != nil {
			done(err)
			return
		}
		private = wire.SealPrivate(l.cfg.AskKey, nonce, *e.Private)
	}
	l.cfg.Recorder.Append(r, private, pin, done)
}

func (l *Loop) ask(e Ask) {
	question := e.Question
	l.cfg.Asker.Ask(wire.Ask{
		Attempt: e.Attempt, Door: l.cfg.Door.Door, Side: e.Side, Card: e.Card, Assurance: e.Assurance,
		PINGiven: e.PINGiven, PINFailed: e.PINFailed, Stamp: l.cfg.Stamp(l.cfg.Now()), Rules: e.Rules, PINReset: l.reset,
	}, e.PIN,
		func(a wire.Answer, late bool) { l.box.post(answer{question, a, late}) },
		func() { l.box.post(noAnswer{question}) })
}

// show drives the lights and sounders of one side, or of both.
func (l *Loop) show(e Show) {
	ind := Indicate(e.What)
	for side, r := range map[access.Side]hal.Reader{access.SideEnter: l.cfg.HAL.Enter, access.SideExit: l.cfg.HAL.Exit} {
		if r == nil || (e.Side != access.SideUnknown && e.Side != side) {
			continue
		}
		if err := r.Indicate(ind); err != nil {
			// Lights are best effort and never delay a decision; the door is not concerned.
			l.cfg.Log.LogAttrs(context.Background(), slog.LevelDebug, "reader shows nothing", slog.String("door", string(l.cfg.Door.Door)), slog.Any("err", err))
		}
	}
}

// Indicate says what a reader's light and sounder do for an indication; docs/at-the-door.md has the
// same table for people. An unknown indication is shown as idle.
func Indicate(i door.Indication) hal.Indication {
	switch i {
	case door.IndGranted:
		return hal.Indication{Light: hal.Green, Tone: hal.ToneLong}
	case door.IndDenied:
		return hal.Indication{Light: hal.Red, Blink: hal.BlinkSlow, Tone: hal.ToneThreeShort}
	case door.IndPIN:
		return hal.Indication{Light: hal.Amber, Blink: hal.BlinkSlow, Tone: hal.ToneShort}
	case door.IndKey:
		return hal.Indication{Light: hal.Amber, Blink: hal.BlinkSlow, Tone: hal.ToneClick}
	case door.IndWaitSecond, door.IndWaitEscort:
		return hal.Indication{Light: hal.Amber, Tone: hal.ToneTwoShort}
	case door.IndDeciding:
		return hal.Indication{Light: hal.Amber}
	case door.IndGrantedOffline:
		return hal.Indication{Light: hal.Green, Other: hal.Amber, Blink: hal.BlinkTurn, Tone: hal.ToneLong}
	case door.IndDeniedOffline:
		return hal.Indication{Light: hal.Red, Other: hal.Amber, Blink: hal.BlinkTurn, Tone: hal.ToneThreeShort}
	case door.IndHeldOpen:
		return hal.Indication{Light: hal.Red, Tone: hal.ToneIntermittent}
	case door.IndLockdown:
		return hal.Indication{Light: hal.Red, Blink: hal.BlinkDouble}
	case door.IndEscortAway:
		return hal.Indication{Light: hal.Amber, Blink: hal.BlinkDouble, Tone: hal.ToneIntermittent}
	case door.IndOutOfOrder:
		return hal.Indication{Light: hal.Red, Other: hal.Amber, Blink: hal.BlinkSteady}
	default:
		return hal.Indication{Light: hal.Red}
	}
}
