package door

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// Words of Action.Detail of a command that was refused, where the reason alone does not say why.
const (
	DetailExpired     = "expired"      // it came, or its record was durable, too late (I7)
	DetailNoLock      = "no_lock"      // the door is observed only
	DetailFireRelease = "fire_release" // the door is released by the fire panel, or was and nobody has re-armed it
	DetailFireOn      = "fire_on"      // re-arm while the fire panel is still on
	DetailFaulted     = "faulted"      // strike or contact cannot be trusted
	DetailBusy        = "busy"         // more commands or grants at once than a door takes
)

// rearming is a re-arm whose record is not durable yet.
type rearming struct {
	on       bool
	attempt  Attempt
	side     access.Side
	by       access.DecidedBy
	barrier  Barrier
	deadline mono.Time
}

// onCommand: a verified remote command (D13, I7). Its own id is the attempt of its records. One that
// comes from the server holds until just before in.Until; one that a person gives on the spot
// (ByGateway) has no such time.
func (m *machine) onCommand(in Input) {
	if in.By != access.ByGateway { // a command comes from the server unless its maker says otherwise
		in.By = access.ByServer
	}
	if in.Command == CommandNone || in.Command > CommandSelfTest {
		return // none and unknown: does nothing
	}
	if in.By == access.ByServer && m.s.now >= in.Until { // fail locked, the zero time too: nobody waits at the door any more
		m.refuseCommand(in, access.ReasonUndecided, DetailExpired)
		return
	}
	switch in.Command {
	case CommandUnlock:
		m.onUnlock(in)
	case CommandRearm:
		m.onRearm(in)
	case CommandSelfTest:
		m.command(EventCommandAccepted, in)
		m.out = append(m.out, Action{Kind: ActSelfTest, Attempt: in.Attempt, Side: in.Side, By: in.By, At: m.s.now})
	case CommandNone: // does nothing
	}
}

// command emits a record about a command; Detail is what was ordered.
func (m *machine) command(e Event, in Input) *Action {
	a := m.emit(e, in.Attempt, in.Side, in.By, access.ReasonUndecided)
	a.Detail = in.Command.String()
	return a
}

// refuseCommand answers a command with the reason for which nothing happens. Whoever stands at the door has
// ordered nothing and is shown nothing.
func (m *machine) refuseCommand(in Input, reason access.Reason, detail string) {
	m.emit(EventDenied, in.Attempt, in.Side, in.By, reason).Detail = detail
}

// commandDeadline is when a waiting command ends: like any grant, and never at or after its own end (I7).
func (m *machine) commandDeadline(in Input) mono.Time {
	deadline := m.s.now.Add(m.cfg.DurableWait)
	if in.By == access.ByServer { // an input at the instant of a deadline goes before it, so the deadline lies before the end
		deadline = min(deadline, in.Until-1)
	}
	return deadline
}

// onUnlock releases the strike once for an operator, behind a durable record like any other grant
// decided here, and refuses where nobody may enter.
func (m *machine) onUnlock(in Input) {
	if m.known(in.Attempt) {
		return
	}
	in.Side = access.SideEnter // a pulse is for whoever stands outside, so what forbids entering forbids it
	reason, blocked := m.blocked()
	switch { // fail secure: the strike stays locked
	case m.cfg.Kind != KindControlled:
		m.refuseCommand(in, access.ReasonUndecided, DetailNoLock)
	case m.s.fire || m.s.unarmed: // the wires hold the door; a pulse of ours would only look like one
		m.refuseCommand(in, access.ReasonUndecided, DetailFireRelease)
	case m.s.strikeFault || m.s.lineFault:
		m.refuseCommand(in, reason, DetailFaulted)
	case blocked:
		m.refuseCommand(in, reason, "")
	case m.cfg.ReleaseTime <= 0 || !m.makeRoom(access.SideEnter):
		m.refuseCommand(in, access.ReasonUndecided, DetailBusy)
	default:
		g := grant{command: true, attempt: in.Attempt, side: in.Side, by: in.By, pulse: max(in.For, 0)}
		record := m.command(EventCommandAccepted, in)
		record.Barrier = m.waitFor(&g)
		g.deadline = m.commandDeadline(in)
		m.push(g)
	}
}

// releaseFor is how long a grant releases the strike: a command may ask for less than the door's own time.
func (m *machine) releaseFor(g grant) time.Duration {
	if g.pulse > 0 {
		return min(g.pulse, m.cfg.ReleaseTime)
	}
	return m.cfg.ReleaseTime
}

// onRearm: a person has looked at the door. It waits for its record like everything that ends an alarm.
func (m *machine) onRearm(in Input) {
	switch {
	case m.s.rearm.on && m.s.rearm.attempt == in.Attempt:
		return // the same again
	case m.s.rearm.on:
		m.refuseCommand(in, access.ReasonUndecided, DetailBusy)
	case m.s.fire:
		m.refuseCommand(in, access.ReasonUndecided, DetailFireOn)
	default:
		m.s.barrier++
		m.s.rearm = rearming{
			on: true, attempt: in.Attempt, side: in.Side, by: in.By, barrier: m.s.barrier, deadline: m.commandDeadline(in),
		}
		m.command(EventCommandAccepted, in).Barrier = m.s.barrier
		m.timeDurable()
	}
}

// takeRearm gives the re-arm that waits and ends its waiting.
func (m *machine) takeRearm() Input {
	r := m.s.rearm
	m.s.rearm = rearming{}
	m.timeDurable()
	return Input{Command: CommandRearm, Attempt: r.attempt, Side: r.side, By: r.by}
}

// rearmed: its record is durable. The door locks again; while the fire panel is on it does not.
func (m *machine) rearmed() {
	in := m.takeRearm()
	if m.s.fire {
		m.refuseCommand(in, access.ReasonUndecided, DetailFireOn)
		return
	}
	m.s.unarmed, m.s.strikeFault, m.s.tampered = false, false, m.s.tamper
	m.secure()
	m.dropUnused()
	m.emit(EventRearmed, in.Attempt, in.Side, in.By, access.ReasonUndecided)
	m.command(EventCommandDone, in)
	if m.s.open && m.s.cause == causeRelease { // an open door counts from now
		m.s.cause = causeInside
		m.set(TimerHeld, m.s.now.Add(m.cfg.OpenTime))
	}
	m.showBase()
}
