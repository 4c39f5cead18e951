// Package desk is a reader on a desk, where people prove with staff card and PIN who they are to the pages (RA-3, D28). It has
// no door, no lock and no policy: it cannot open anything, and it decides nothing. A card is followed by two entries, the number
// that the page shows and the PIN; each is a question to the server. Without the server nobody signs in.
//
// The Machine is pure; the Loop carries out what it asks for. No card number and no digit comes here (D3, D10).
package desk

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/controller"
)

// Read is one presentation of a card, or an entry after it.
type Read struct {
	Attempt  door.Attempt
	Key      access.Key
	HasCard  bool // false: what was read is no card
	Sealed   []byte
	Grade    card.Assurance
	HasEntry bool // the number or the PIN
	Entry    [32]byte
	Link     string
	Fault    string // why it was no card
}

// shownFor is how long an answer is shown.
const shownFor = 3 * time.Second

// show is what the light says, and for how long; 0 = until something else is.
type show struct {
	what door.Indication
	long time.Duration
}

// effects is what the Loop has to do, in this order.
type effects struct {
	records []controller.Record
	pin     *controller.PINFailures // goes with the first record
	ask     *controller.Ask
	show    *show
}

// Machine is the state of one desk. It keeps one attempt: the newest card's.
type Machine struct {
	desk   access.DoorID
	wait   time.Duration // how long an entry may take
	stored func(access.Key) uint8

	read   Read   // of the attempt at hand; its zero Attempt = none
	number bool   // the server has taken the number; what is keyed in next is the PIN
	asked  uint64 // number of the newest question
	open   bool   // and its answer is outstanding
}

// NewMachine makes the machine of a desk. wait is how long each entry may take. stored gives the durable count of a card's
// wrong PINs, which desks and doors share (AD-13).
func NewMachine(desk access.DoorID, wait time.Duration, stored func(access.Key) uint8) *Machine {
	return &Machine{desk: desk, wait: wait, stored: stored}
}

// OnRead takes a card or an entry. Another card ends the attempt before it.
func (m *Machine) OnRead(r Read, at controller.Moment) effects {
	switch {
	case !r.HasCard:
		m.forget()
		d := wire.Record{Door: m.desk, Side: access.SideEnter, Event: door.EventReadError, Attempt: r.Attempt, By: access.ByGateway,
			Reason: access.ReasonReadError, Failed: access.ReasonSet(0).With(access.ReasonReadError), Link: r.Link, Detail: r.Fault}
		return effects{records: []controller.Record{{Draft: d, At: at}}, show: &show{door.IndDenied, shownFor}}
	case !r.HasEntry:
		m.forget()
		m.read = r
		d := m.draft(door.EventDeskRead, access.ByNobody, access.ReasonUndecided)
		return effects{
			records: []controller.Record{{Draft: d, Private: &wire.Private{Card: r.Sealed}, At: at}},
			show:    &show{door.IndPIN, m.wait},
		}
	case r.Attempt != m.read.Attempt || m.open:
		// An entry of a card that is not at hand any more, or keyed in before the server has answered the one before: it counts
		// for nothing, and the person begins again.
		m.forget()
		return effects{show: &show{door.IndDenied, shownFor}}
	}
	m.asked++
	m.open = true
	return effects{
		ask: &controller.Ask{
			Question: m.asked, Attempt: r.Attempt, Side: access.SideEnter, Card: r.Sealed, Assurance: r.Grade.String(),
			PINGiven: true, PIN: r.Entry, PINFailed: m.stored(r.Key),
		},
		show: &show{door.IndDeciding, m.wait},
	}
}

// OnAnswer takes the server's verified answer. A late one is recorded and counts for nothing.
func (m *Machine) OnAnswer(number uint64, a wire.Answer, late bool, at controller.Moment) effects {
	if late || !m.open || number != m.asked || a.Attempt != m.read.Attempt {
		return effects{records: []controller.Record{{At: at, Draft: wire.Record{
			Door: m.desk, Event: door.EventLateIgnored, Attempt: a.Attempt, By: access.ByServer, Reason: a.Reason, Failed: a.Failed, Policy: a.Rules,
		}}}}
	}
	m.open = false
	if a.Outcome == access.NeedPIN && !m.number {
		m.number = true
		return effects{show: &show{door.IndPIN, m.wait}}
	}
	d := m.draft(door.EventDeskJudged, access.ByServer, a.Reason)
	d.Failed, d.Policy = a.Failed, a.Rules
	out := effects{records: []controller.Record{{Draft: d, At: at}}, show: &show{door.IndDenied, shownFor}}
	if a.Reason == access.ReasonDeskSigned {
		out.show.what = door.IndGranted // a light: there is nothing here that it could open
	}
	m.count(&out, a, at)
	m.forget()
	return out
}

// count keeps the card's wrong PINs as a door of this gateway does, so that guessing at the desk takes tries from the doors (AD-13).
func (m *Machine) count(out *effects, a wire.Answer, at controller.Moment) {
	key := m.read.Key
	before := m.stored(key)
	switch {
	case a.Failed.Has(access.ReasonPINBad) && before < 255:
		out.pin = &controller.PINFailures{Key: key, Failed: before + 1}
		if before+1 == access.DefaultPINLimit {
			out.records = append(out.records, controller.Record{At: at, Draft: m.draft(door.EventPINLocked, access.ByGateway, access.ReasonPINLocked)})
		}
	case a.Reason == access.ReasonDeskSigned && before > 0:
		out.pin = &controller.PINFailures{Key: key}
	}
}

// OnNoAnswer: the server did not answer in time, or there is no link. Nobody signs in; the card's record is there.
func (m *Machine) OnNoAnswer(number uint64) effects {
	if !m.open || number != m.asked {
		return effects{}
	}
	m.forget()
	return effects{show: &show{door.IndDeniedOffline, shownFor}}
}

// OnKey is a key press: a click, while somebody is at it.
func (m *Machine) OnKey() effects {
	if m.read.Attempt == (door.Attempt{}) {
		return effects{}
	}
	return effects{show: &show{door.IndKey, m.wait}}
}

// OnFault records that the reader is gone, back, opened, shut, or its cable in trouble.
func (m *Machine) OnFault(e door.Event, at controller.Moment) effects {
	m.forget()
	return effects{records: []controller.Record{{At: at, Draft: wire.Record{Door: m.desk, Side: access.SideEnter, Event: e, By: access.ByGateway}}}}
}

func (m *Machine) draft(e door.Event, by access.DecidedBy, reason access.Reason) wire.Record {
	return wire.Record{Door: m.desk, Side: access.SideEnter, Event: e, Attempt: m.read.Attempt, By: by, Reason: reason,
		Assurance: m.read.Grade.String(), Link: m.read.Link}
}

func (m *Machine) forget() { m.read, m.number, m.open = Read{}, false, false }
