package door

import (
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

// onWaiting: the decision needs one more thing. The lock is not touched.
func (m *machine) onWaiting(in Input) {
	w := wait{on: true, attempt: in.Attempt, side: in.Side, by: in.By}
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
	if old := m.s.wait; old.on && old.attempt != in.Attempt { // somebody else came first
		m.emit(EventDenied, old.attempt, old.side, old.by, old.reason)
	}
	m.s.wait = w
	m.set(TimerPIN, m.s.now.Add(m.cfg.PINWait))
	m.stop(TimerFeedback)
	m.show(w.show)
}

// endWait: the attempt that was waited for has its answer.
func (m *machine) endWait(a Attempt) {
	if m.s.wait.on && m.s.wait.attempt == a {
		m.s.wait = wait{}
		m.stop(TimerPIN)
	}
}

// waitEnded: nothing came. That is a refusal.
func (m *machine) waitEnded() {
	w := m.s.wait
	if !w.on {
		return
	}
	m.s.wait = wait{}
	m.emit(EventDenied, w.attempt, w.side, w.by, w.reason)
	m.showRefused(false)
}

// onReadError: a read that is no card.
func (m *machine) onReadError(in Input) {
	m.emit(EventReadError, in.Attempt, in.Side, access.ByNobody, access.ReasonReadError)
	if in.Side == access.SideExit {
		m.leaving(in.Attempt)
	}
	m.showRefused(in.Offline)
}
