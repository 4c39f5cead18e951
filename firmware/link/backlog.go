package link

import (
	"time"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// backlogGrace is how long records of a linked gateway may be on their way before the server counts what they tell as
// unknown: a lost batch is sent again after a second, and after two more.
const backlogGrace = 10 * time.Second

// Backlog says, whenever it changes, whether a gateway that is linked holds records that are not committed here: of the
// time when it was alone, or because they do not come through. Until they are in, nobody knows at the server who is
// inside the zones at its doors (D7). Nothing is outstanding of a gateway that is not heard: what it may hold nobody
// can say, and the zone's other doors go on by what is known.
type Backlog struct{ Outstanding bool }

func (Backlog) isServerAction() {}

// backlog is what the server's machine knows of the records that it does not have.
type backlog struct {
	told    bool // what the last Backlog said
	unknown bool // the gateway was not heard for a lease's time: what it did meanwhile its next heartbeat tells

	// The newest heartbeat that named records which are not here; all up to upTo must come.
	open   bool
	epoch  wire.Epoch
	upTo   uint64
	others bool // and there are records of other epochs
	alone  bool // made while the gateway was not heard
	since  mono.Time
}

// listened notes, before s.heard moves, that a message came.
func (s *Server) listened() {
	if !s.alive || s.now.Sub(s.heard) > LeaseTime {
		s.backlog.unknown = true
	}
}

// backlogBeat takes a fresh heartbeat.
func (s *Server) backlogBeat(h *wire.Heartbeat) {
	b := &s.backlog
	b.others = h.Pending > h.Head-min(h.Head, h.Acked)
	switch {
	case b.unknown, !b.open:
		b.open, b.alone, b.since = true, b.unknown, s.now
		b.epoch, b.upTo, b.unknown = h.Epoch, h.Head, false
	case b.epoch != h.Epoch: // the one before is through, or begun anew
		b.epoch, b.upTo = h.Epoch, h.Head
	}
}

// settleBacklog says what has changed. It ends each step.
func (s *Server) settleBacklog() {
	b := &s.backlog
	if b.open && !b.others && s.mark.known && s.mark.epoch == b.epoch && s.mark.seq >= b.upTo {
		b.open = false
	}
	linked := s.alive && s.now.Sub(s.heard) <= LeaseTime
	outstanding := linked && (b.unknown || b.open && (b.alone || s.now.Sub(b.since) > backlogGrace))
	if outstanding != b.told {
		b.told = outstanding
		// First: whatever else this step asks for must know it.
		s.out = append([]ServerAction{Backlog{Outstanding: outstanding}}, s.out...)
	}
}
