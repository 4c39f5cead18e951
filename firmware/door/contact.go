package door

import (
	"monban/firmware/access"
)

// onContact takes one raw edge. It counts when it has been stable for the debounce time; the moment
// recorded is that of the edge.
func (m *machine) onContact(open bool) {
	if open == m.s.raw {
		return
	}
	m.s.raw, m.s.since = open, m.s.now
	if m.s.raw == m.s.open { // it bounced back
		m.stop(TimerDebounce)
		m.dropUnused()
		return
	}
	wait := min(m.cfg.Debounce, MaxDebounce)
	if wait <= 0 {
		m.settle()
		return
	}
	m.set(TimerDebounce, m.s.now.Add(wait))
}

// settle takes the raw contact for true.
func (m *machine) settle() {
	if m.s.raw == m.s.open {
		return
	}
	m.s.open = m.s.raw
	if m.s.open {
		m.opened()
	} else {
		m.closed()
	}
}

// opened explains an opening. What nothing explains is forced.
func (m *machine) opened() {
	s := &m.s
	s.held, s.attempt = false, Attempt{}
	passed := m.passAll()
	switch {
	case passed:
		s.cause = causeGrant
	case s.fire || s.unarmed: // people leave; the wires have opened the door
		s.cause = causeRelease
		m.emit(EventInsideOpen, Attempt{}, access.SideUnknown, access.ByNobody, access.ReasonUndecided).At = s.since
	case s.release: // opened again in the time of a grant that was used while the door stood open
		s.cause, s.attempt = causeGrant, s.last
	case m.leftJustBefore(s.since):
		s.cause, s.attempt = causeExit, s.exitAttempt
		m.emit(EventExitUnattributed, s.attempt, access.SideExit, access.ByNobody, access.ReasonExitUnattributed).At = s.since
	case m.cfg.Exit == ExitNone && s.occupied:
		s.cause = causeInside
		m.emit(EventInsideOpen, Attempt{}, access.SideExit, access.ByNobody, access.ReasonUndecided).At = s.since
	default:
		s.cause = causeForced
		m.note(EventForcedOpen, Attempt{}).At = s.since
		m.lock() // fail secure: whatever moved it, the strike is driven to its secure level
	}
	if s.release { // once open, nobody needs the strike any more
		m.secure()
	}
	if s.cause != causeForced && s.cause != causeRelease {
		m.set(TimerHeld, s.since.Add(m.cfg.OpenTime))
	}
	m.showBase()
}

// closed ends an opening.
func (m *machine) closed() {
	s := &m.s
	event := EventClosed
	if s.held || s.cause == causeForced {
		event = EventHeldEnd
	}
	m.note(event, s.attempt).At = s.since
	m.stop(TimerHeld)
	s.cause, s.held, s.attempt = causeNone, false, Attempt{}
	m.showBase()
}

// onHeld: the door has stood open too long.
func (m *machine) onHeld() {
	s := &m.s
	if !s.open || s.held || s.cause == causeForced || s.fire || s.unarmed {
		return
	}
	s.held = true
	m.note(EventHeldOpen, s.attempt)
	m.showBase()
}

// passAll turns every grant that may be used into its passage (VE-11) and reports whether there was
// one. At an observed door nothing had to wait for a record, so all may be used.
func (m *machine) passAll() bool {
	s := &m.s
	kept, passed := 0, false
	for _, g := range s.grants[:s.count] {
		if !g.ready {
			s.grants[kept] = g
			kept++
			continue
		}
		m.passage(g)
		if !passed {
			s.attempt = g.attempt
		}
		passed = true
	}
	m.keep(kept)
	return passed
}

func (m *machine) passage(g grant) {
	event := EventEntry
	if g.side == access.SideExit {
		event = EventExit
	}
	m.emit(event, g.attempt, g.side, g.by, access.ReasonGranted).At = m.s.since
}

// onRequestExit: the button or handle. It moves no lock (leaving is mechanical) and only explains
// the opening that follows; a door that declares no exit sensing lets nothing explain it.
func (m *machine) onRequestExit(in Input) {
	m.emit(EventRequestExit, in.Attempt, access.SideExit, access.ByNobody, access.ReasonUndecided)
	if m.cfg.Exit != ExitNone {
		m.leaving(in.Attempt)
	}
}
