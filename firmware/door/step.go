package door

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// Step takes one input and gives the next state and what to do, in order. It is pure: equal
// arguments give equal results.
//
// Every deadline that has passed by in.At is dealt with first, whatever the input is, so a timer
// that comes late or not at all never keeps the strike released beyond the next input; the HAL's
// own maximum bounds the rest. An input at the very instant of a deadline goes before it. A time
// earlier than the latest one seen counts as that one.
//
// The strike is released only for a granted input or an unlock command, and only when its record is
// durable: the server said so for its own decision (Durable), or InDurable came (I1).
func Step(cfg Config, s State, in Input) (State, []Action) {
	m := machine{cfg: cfg, s: s}
	m.advance(in)
	m.handle(in)
	m.setTimers(s.timers, in)
	return m.s, m.out
}

// Start is the state and the first actions of a door at process start: the strike is driven secure
// whatever it was before (I6). contactOpen is the contact's reading at that moment.
func Start(cfg Config, contactOpen bool, at mono.Time) (State, []Action) {
	m := machine{cfg: cfg, s: State{now: at, open: contactOpen, raw: contactOpen, since: at}}
	m.lock()
	if contactOpen { // nobody knows since when; it may stand open as long as after any opening
		m.set(TimerHeld, at.Add(cfg.OpenTime))
	}
	m.show(IndIdle)
	m.setTimers([timerCount]deadline{}, Input{})
	return m.s, m.out
}

// StartUnarmed is Start for a door that was released by the fire panel and not re-armed before the
// process ended. The output is driven secure as at every start, which the panel's wires overrule; the door stays
// Released, and no grant moves the strike, until a person re-arms (DS-6).
func StartUnarmed(cfg Config, contactOpen bool, at mono.Time) (State, []Action) {
	m := machine{cfg: cfg, s: State{now: at, open: contactOpen, raw: contactOpen, since: at, shown: IndIdle}}
	m.lock()
	m.s.unarmed = true
	if contactOpen {
		m.s.cause = causeRelease
	}
	m.show(m.base())
	m.setTimers([timerCount]deadline{}, Input{})
	return m.s, m.out
}

// machine is one run of Step.
type machine struct {
	cfg Config
	s   State
	out []Action
}

func (m *machine) handle(in Input) {
	switch in.Kind {
	case InGranted:
		m.onGranted(in)
	case InDenied:
		m.onDenied(in)
	case InWaiting:
		m.onWaiting(in)
	case InContactOpen:
		m.onContact(true)
	case InContactClosed:
		m.onContact(false)
	case InRequestExit:
		m.onRequestExit(in)
	case InTamper:
		m.onTamper(in)
	case InLineFault:
		m.onLineFault(in)
	case InReaderLost:
		m.onReaderLost(in)
	case InReadError:
		m.onReadError(in)
	case InCommand:
		m.onCommand(in)
	case InMode:
		m.onMode(in.Mode)
	case InFireRelease:
		m.onFire(in.On)
	case InDurable:
		m.onDurable(in.Barrier)
	case InNotDurable:
		m.onNotDurable(in.Barrier)
	case InStrikeFailed:
		m.onStrikeFailed()
	case InOccupied:
		m.s.occupied = in.On
	case InEscortAway:
		m.s.escortAway = in.On
		if m.s.shown == IndIdle || m.s.shown == IndEscortAway { // else it is shown when what is shown now ends
			m.showBase()
		}
	case InInterlock:
		m.onInterlock(in)
	case InTimer, InNone: // advance has dealt with what was due
	default: // unknown: nothing moves
	}
}

// advance moves the clock to in.At and deals with what became due, oldest first, each at its time.
func (m *machine) advance(in Input) {
	to := max(in.At, m.s.now)
	for {
		t, ok := m.nextDue(to, in.Kind == InTimer)
		if !ok {
			break
		}
		m.s.now = max(m.s.timers[t].at, m.s.now)
		m.stop(t)
		m.expire(t)
	}
	m.s.now = to
}

// nextDue finds the earliest deadline before the instant to; at that instant itself only when a
// timer is the input.
func (m *machine) nextDue(to mono.Time, inclusive bool) (TimerName, bool) {
	next := TimerNone
	for t := TimerRelock; int(t) < timerCount; t++ {
		d := m.s.timers[t]
		if !d.on || d.at > to || d.at == to && !inclusive {
			continue
		}
		if next == TimerNone || d.at < m.s.timers[next].at {
			next = t
		}
	}
	return next, next != TimerNone
}

func (m *machine) expire(t TimerName) {
	switch t {
	case TimerRelock:
		m.endRelease()
	case TimerHeld:
		m.onHeld()
	case TimerDebounce:
		m.settle()
	case TimerDurable:
		m.lapse()
	case TimerFeedback:
		m.showBase()
	case TimerPIN:
		m.waitEnded()
	case TimerNone:
	}
}

func (m *machine) set(t TimerName, at mono.Time) { m.s.timers[t] = deadline{true, at} }

func (m *machine) stop(t TimerName) { m.s.timers[t] = deadline{} }

// setTimers asks for exactly the changes between the old deadlines and the new. A timer that fired
// before its time is asked for again.
func (m *machine) setTimers(old [timerCount]deadline, in Input) {
	for t := TimerRelock; int(t) < timerCount; t++ {
		fired := in.Kind == InTimer && in.Timer == t
		now := m.s.timers[t]
		switch {
		case now.on && (now != old[t] || fired):
			m.out = append(m.out, Action{Kind: ActSetTimer, Timer: t, At: now.at})
		case !now.on && old[t].on && !fired:
			m.out = append(m.out, Action{Kind: ActStopTimer, Timer: t})
		}
	}
}

// emit appends a record made now.
func (m *machine) emit(e Event, a Attempt, side access.Side, by access.DecidedBy, r access.Reason) *Action {
	m.out = append(m.out, Action{
		Kind: ActEmit, Event: e, Attempt: a, Side: side, By: by, Reason: r, At: m.s.now,
	})
	return &m.out[len(m.out)-1]
}

// note emits a record that no decision stands behind.
func (m *machine) note(e Event, a Attempt) *Action {
	return m.emit(e, a, access.SideUnknown, access.ByNobody, access.ReasonUndecided)
}

// lock drives the strike to its secure level. An observed door has none. After a fire release the
// lock is left alone until a person re-arms (DS-6).
func (m *machine) lock() {
	if m.cfg.Kind == KindControlled && !m.s.fire && !m.s.unarmed {
		m.out = append(m.out, Action{Kind: ActLock, At: m.s.now})
	}
}

// show tells the person something new, also when it is the same as before (three tones again).
func (m *machine) show(i Indication) {
	m.s.shown = i
	m.out = append(m.out, Action{Kind: ActIndicate, Show: i, At: m.s.now})
}

// showRefused shows a refusal for feedbackTime.
func (m *machine) showRefused(offline bool) {
	if offline {
		m.show(IndDeniedOffline)
	} else {
		m.show(IndDenied)
	}
	m.set(TimerFeedback, m.s.now.Add(feedbackTime))
}

// showBase goes back to what the state itself shows, silently when that is shown already.
func (m *machine) showBase() {
	m.stop(TimerFeedback)
	if base := m.base(); base != m.s.shown {
		m.show(base)
	}
}

func (m *machine) base() Indication {
	s := &m.s
	switch name := s.Name(); {
	case name == Released, name == Faulted:
		return IndOutOfOrder
	case name == Forced, name == HeldOpen:
		return IndHeldOpen
	case s.waiting > 0:
		return s.waits[s.waiting-1].show
	case s.release && s.offline:
		return IndGrantedOffline
	case s.release:
		return IndGranted
	case s.mode == access.ModeLockdown:
		return IndLockdown
	case s.escortAway:
		return IndEscortAway
	default:
		return IndIdle
	}
}

// leaving remembers a sign that somebody is about to go out by the mechanical exit.
func (m *machine) leaving(a Attempt) {
	m.s.exitSeen, m.s.exitAt, m.s.exitAttempt = true, m.s.now, a
}

// leftJustBefore reports whether an opening at that time is explained by such a sign.
func (m *machine) leftJustBefore(at mono.Time) bool {
	return m.s.exitSeen && at.Sub(m.s.exitAt) <= max(m.cfg.ReleaseTime, time.Second)
}
