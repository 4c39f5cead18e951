package controller

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// Effect is one thing the Loop has to do for the Machine. The set is closed.
type Effect interface{ isEffect() }

// Record is a record to append. The Loop adds gateway, epoch, sequence, stamp and the sealed private
// part.
type Record struct {
	Draft   wire.Record
	Private *wire.Private // nil when the record has none
	Barrier door.Barrier  // reported back as InDurable or InNotDurable; 0 = nobody waits
	At      Moment
}

// Ask is a question to the server.
type Ask struct {
	Question  uint64 // comes back with the answer
	Attempt   door.Attempt
	Side      access.Side
	Card      []byte
	Assurance string
	PINGiven  bool
	PIN       [32]byte // the gateway's PIN token; the Loop turns it into a proof bound to the ask
	PINFailed uint8
	Rules     uint64
}

// Release lets the door be opened for at most For; Side says for whom.
type Release struct {
	For  time.Duration
	Side access.Side
}

// Secure drives the lock to its secure level.
type Secure struct{}

// Show tells the person at a side of the door; SideUnknown means both sides.
type Show struct {
	Side access.Side
	What door.Indication
}

// Timer names a timer: the door's own, and the machine's.
type Timer uint8

// TimerDeciding fires when an answer takes long enough to be shown. The other timers have the
// numbers of door.TimerName.
const TimerDeciding Timer = 255

// SetTimer sets a timer, replacing an earlier one of the same name.
type SetTimer struct {
	Timer Timer
	At    mono.Time
}

// StopTimer takes a timer back.
type StopTimer struct{ Timer Timer }

// PINFailures is the new durable count of wrong PINs of one card.
type PINFailures struct {
	Key    access.Key
	Failed uint8
}

func (Record) isEffect()      {}
func (Ask) isEffect()         {}
func (Release) isEffect()     {}
func (Secure) isEffect()      {}
func (Show) isEffect()        {}
func (SetTimer) isEffect()    {}
func (StopTimer) isEffect()   {}
func (PINFailures) isEffect() {}

// translate turns the door's actions into effects and fills each record with what its attempt is
// known by.
func (m *Machine) translate(effects []Effect, actions []door.Action, at Moment) []Effect {
	for _, a := range actions {
		switch a.Kind {
		case door.ActEmit:
			effects = append(effects, m.record(a, at))
			effects = m.occupancy(effects, a, at)
		case door.ActUnlock:
			effects = append(effects, Release{For: a.For, Side: a.Side})
		case door.ActLock:
			effects = append(effects, Secure{})
		case door.ActSetTimer:
			effects = append(effects, SetTimer{Timer: Timer(a.Timer), At: a.At})
		case door.ActStopTimer:
			effects = append(effects, StopTimer{Timer: Timer(a.Timer)})
		case door.ActSelfTest:
			effects = append(effects, SelfTest{Attempt: a.Attempt, Side: a.Side, By: a.By, At: at})
		case door.ActIndicate:
			effects = append(effects, Show{Side: m.shownAt(a.Show), What: a.Show})
		default: // an action this program does not know does nothing: the door stays as it is
		}
	}
	return effects
}

// shownAt is the side of the door that an indication is meant for: an answer for whoever badged last,
// the door's own state for both.
func (m *Machine) shownAt(i door.Indication) access.Side {
	switch i {
	case door.IndGranted, door.IndGrantedOffline, door.IndDenied, door.IndDeniedOffline, door.IndPIN, door.IndKey,
		door.IndWaitSecond, door.IndWaitEscort, door.IndDeciding:
		return m.side
	default:
		return access.SideUnknown
	}
}

// record drafts the record of one emitted event.
func (m *Machine) record(a door.Action, at Moment) Record {
	if a.At > 0 && a.At < at.At { // a contact counts from its edge, not from when it had settled
		at.WallMS -= at.At.Sub(a.At).Milliseconds()
		at.At = a.At
	}
	r := Record{
		Draft: wire.Record{
			Door: m.cfg.Door, Side: a.Side, Event: a.Event, Attempt: a.Attempt, By: a.By, Reason: a.Reason, Detail: a.Detail,
		},
		Barrier: a.Barrier, At: at,
	}
	f, known := m.flights[a.Attempt]
	if !known || a.Attempt == (door.Attempt{}) {
		return r
	}
	if e, moves := moved(m.policy, m.cfg.Door, a.Event, f.holder, f.since, at.WallMS); moves {
		m.places.apply(e)
	}
	if r.Draft.Side == access.SideUnknown {
		r.Draft.Side = f.read.Side
	}
	r.Draft.Link = f.read.Link
	r.Draft.Assurance = f.read.Grade.String()
	r.Draft.Policy = f.rules
	r.Draft.PolicyAge = f.age
	switch a.Event {
	case door.EventGranted, door.EventDenied, door.EventReadError, door.EventExitUnattributed, door.EventLapsed, door.EventPINLocked:
		r.Draft.Failed = f.decision.Failed
		if f.read.Fault != "" {
			r.Draft.Detail = f.read.Fault
		}
		if !f.recorded && f.read.HasCard {
			// The private part travels once per decision: later records of the attempt are joined by its id.
			f.recorded = true
			pin := access.PINNone
			if f.read.HasPIN {
				pin = access.CheckPIN(m.policy, f.read.Key, f.read.PIN)
			}
			r.Private = &wire.Private{Card: f.read.Sealed, PIN: pin, Inputs: f.inputs}
		}
	}
	switch a.Event {
	case door.EventDenied, door.EventReadError, door.EventNoEntry, door.EventClosed, door.EventLapsed:
		m.forget(a.Attempt)
	}
	return r
}

// mode is the door's mode in the policy held. Without a policy, or with one that does not name this
// door, nobody enters and everybody leaves.
func (m *Machine) mode() access.DoorMode {
	d, ok := m.policy.Door(m.cfg.Door)
	if !ok {
		return access.ModeLocked
	}
	return d.Mode
}

// occupancy follows passages seen at this door, so that an opening from inside is told from a forced
// one (DS-10). After a start nobody is known to be inside: the doubtful opening is the alarm.
func (m *Machine) occupancy(effects []Effect, a door.Action, at Moment) []Effect {
	before := m.inside > 0
	switch a.Event {
	case door.EventEntry:
		m.inside++
	case door.EventExit, door.EventInsideOpen, door.EventExitUnattributed:
		m.inside = max(0, m.inside-1)
	}
	if now := m.inside > 0; now != before {
		return m.door(effects, door.Input{Kind: door.InOccupied, On: now, At: at.At}, at)
	}
	return effects
}
