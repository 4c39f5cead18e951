package controller

import (
	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// Purpose is what somebody keyed in after a card: the code of what they came for (RR-7).
type Purpose struct {
	Attempt door.Attempt // of the card
	Side    access.Side
	Sealed  []byte // card_ref under the ask key
	Link    string
	Code    uint8 // 1–wire.MaxPurpose
}

// OnPurpose records it. It moves nothing at the door and is judged by nobody here: what the code means is the server's knowledge, and a
// code nobody has named counts as none. At an exit there is nothing to say. The record is made whatever became of the card: a read
// allows one, and each read has a record of its own already.
func (m *Machine) OnPurpose(p Purpose, at Moment) []Effect {
	if p.Side != access.SideEnter || p.Code == 0 || p.Code > wire.MaxPurpose {
		return nil
	}
	return []Effect{Record{
		Draft:   wire.Record{Door: m.cfg.Door, Side: p.Side, Event: door.EventPurposeKeyed, Attempt: p.Attempt, By: access.ByNobody, Reason: access.ReasonUndecided, Link: p.Link},
		Private: &wire.Private{Card: p.Sealed, Purpose: p.Code},
		At:      at,
	}}
}
