package door

import (
	"time"

	"monban/firmware/access"
)

// onDenied: a decision refuses. The lock is not touched. At the exit reader it also explains the
// opening that may follow: a person without a known card leaves by the mechanical exit (D11).
func (m *machine) onDenied(in Input) {
	if in.Reason == access.ReasonGranted { // a refusal cannot have been granted
		in.Reason = access.ReasonUndecided
	}
	m.refuse(in, in.Reason)
}

func (m *machine) refuse(in Input, reason access.Reason) {
	m.endWait(in.Attempt)
	m.emit(EventDenied, in.Attempt, in.Side, in.By, reason)
	if in.Side == access.SideExit {
		m.leaving(in.Attempt)
	}
	m.showRefused(in.Offline)
}

// onWaiting: the decision needs one more thing. The lock is not touched. Several may wait for a second
// person or an escort; a PIN is keyed in by one person at a time.
func (m *machine) onWaiting(in Input) {
	w := wait{attempt: in.Attempt, side: in.Side, by: in.By}
	switch in.Waiting {
	case access.NeedPIN:
		w.reason, w.show = access.ReasonPINRequired, IndPIN
	case access.NeedSecond:
		w.reason, w.show = access.ReasonSecondPerson, IndWaitSecond
	case access.NeedEscort:
		w.reason, w.show = access.ReasonEscortMissing, IndWaitEscort
	default: // granted, denied or unknown is nothing to wait for
		m.refuse(in, access.ReasonUndecided)
		return
	}
	if w.until = m.s.now.Add(m.cfg.PINWait); w.show != IndPIN && in.For > 0 {
		w.until = m.s.now.Add(min(in.For, maxWait))
	}
	for i := range m.s.waits[:m.s.waiting] { // whoever keyed in a PIN before makes room for this one
		if old := m.s.waits[i]; old.show == IndPIN && old.attempt != in.Attempt {
			m.removeWait(i)
			m.emit(EventDenied, old.attempt, old.side, old.by, old.reason)
			break
		}
	}
	m.endWait(in.Attempt)
	if m.s.waiting == len(m.s.waits) { // fail secure: the oldest has waited longest and badges again
		old := m.removeWait(0)
		m.emit(EventDenied, old.attempt, old.side, old.by, old.reason)
	}
	m.s.waits[m.s.waiting] = w
	m.s.waiting++
	m.timeWaits()
	m.stop(TimerFeedback)
	m.show(w.show)
}

// maxWait bounds a wait: nobody stands at a door for longer.
const maxWait = time.Hour

func (m *machine) removeWait(i int) wait {
	w := m.s.waits[i]
	copy(m.s.waits[i:], m.s.waits[i+1:m.s.waiting])
	m.s.waiting--
	m.s.waits[m.s.waiting] = wait{}
	m.timeWaits()
	return w
}

// timeWaits keeps TimerPIN at the earliest end of a wait.
func (m *machine) timeWaits() {
	if m.s.waiting == 0 {
		m.stop(TimerPIN)
		return
	}
	first := m.s.waits[0].until
	for _, w := range m.s.waits[1:m.s.waiting] {
		first = min(first, w.until)
	}
	m.set(TimerPIN, first)
}

// endWait: the attempt that was waited for has its answer.
func (m *machine) endWait(a Attempt) {
	for i, w := range m.s.waits[:m.s.waiting] {
		if w.attempt == a {
			m.removeWait(i)
			return
		}
	}
}

// waitEnded: nothing came. That is a refusal.
func (m *machine) waitEnded() {
	ended := false
	for i := 0; i < m.s.waiting; {
		if m.s.waits[i].until.After(m.s.now) {
			i++
			continue
		}
		w := m.removeWait(i)
		m.emit(EventDenied, w.attempt, w.side, w.by, w.reason)
		ended = true
	}
	m.timeWaits()
	if ended {
		m.showRefused(false)
	}
}

// onReadError: a read that is no card.
func (m *machine) onReadError(in Input) {
	m.emit(EventReadError, in.Attempt, in.Side, access.ByNobody, access.ReasonReadError)
	if in.Side == access.SideExit {
		m.leaving(in.Attempt)
	}
	m.showRefused(in.Offline)
}
