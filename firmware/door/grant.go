package door

import (
	"monban/firmware/access"
	"monban/firmware/mono"
)

// onGranted: a decision lets somebody pass. An entry is refused in spite of it while the door is
// locked, in lockdown or cannot trust its strike or contact; an exit never is.
func (m *machine) onGranted(in Input) {
	if in.Side != access.SideEnter && in.Side != access.SideExit ||
		in.By != access.ByServer && in.By != access.ByGateway || m.cfg.ReleaseTime <= 0 {
		m.refuse(in, access.ReasonUndecided) // fail secure: a decision without decider or side is none
		return
	}
	if m.known(in.Attempt) { // the same decision again: it has been or will be acted on
		return
	}
	if in.Side == access.SideEnter {
		if reason, blocked := m.blocked(); blocked {
			m.refuse(in, reason)
			return
		}
	}
	m.endWait(in.Attempt)
	g := grant{attempt: in.Attempt, side: in.Side, by: in.By, offline: in.Offline}
	if !m.makeRoom(g.side) {
		m.refuse(in, access.ReasonUndecided) // fail secure: more people than one opening can name
		return
	}
	record := m.emit(EventGranted, g.attempt, g.side, g.by, access.ReasonGranted)
	if m.needsBarrier() && !(in.Durable && in.By == access.ByServer) {
		record.Barrier = m.waitFor(&g)
		m.push(g)
		return
	}
	m.act(g)
}

// onInterlock: the other door of the airlock opened or closed (DS-9). While it is not closed nobody
// enters here: what was granted and not used lapses, whoever leaves is not concerned, so a contact that is
// stuck at the other door traps nobody. A fire release has opened both by the wires already.
func (m *machine) onInterlock(in Input) {
	if m.s.interlocked = in.On; !in.On || m.s.fire || m.s.unarmed || m.s.open {
		return
	}
	before := len(m.out)
	m.withdraw(access.ReasonInterlock)
	if len(m.out) != before {
		m.showRefused(false)
	}
}

// needsBarrier: only a strike that may move waits for a record (I1). An observed door has none, and
// after a fire release the wires have opened it already.
func (m *machine) needsBarrier() bool {
	return m.cfg.Kind == KindControlled && !m.s.fire && !m.s.unarmed
}

// blocked says whether entries are refused whatever was decided, and why.
func (m *machine) blocked() (access.Reason, bool) {
	switch {
	case m.s.mode == access.ModeLockdown:
		return access.ReasonLockdown, true
	case m.s.mode != access.ModeNormal: // locked or unknown
		return access.ReasonDoorLocked, true
	case m.s.strikeFault || m.s.lineFault:
		return access.ReasonDoorLocked, true
	case m.s.interlocked && !m.s.fire && !m.s.unarmed:
		return access.ReasonInterlock, true
	default:
		return access.ReasonUndecided, false
	}
}

// known reports whether this attempt is already in hand. The zero attempt never is.
func (m *machine) known(a Attempt) bool {
	if a == (Attempt{}) {
		return false
	}
	for _, g := range m.s.grants[:m.s.count] {
		if g.attempt == a {
			return true
		}
	}
	return m.s.open && m.s.attempt == a || m.s.release && m.s.last == a
}

// waitFor gives g the next barrier and its deadline.
func (m *machine) waitFor(g *grant) Barrier {
	m.s.barrier++
	g.barrier = m.s.barrier
	g.deadline = m.s.now.Add(m.cfg.DurableWait)
	return g.barrier
}

func (m *machine) push(g grant) {
	m.s.grants[m.s.count] = g
	m.s.count++
	m.timeDurable()
}

// keep shortens the queue to its first n entries.
func (m *machine) keep(n int) {
	for i := n; i < m.s.count; i++ {
		m.s.grants[i] = grant{}
	}
	m.s.count = n
	m.timeDurable()
}

func (m *machine) remove(i int) grant {
	g := m.s.grants[i]
	copy(m.s.grants[i:], m.s.grants[i+1:m.s.count])
	m.keep(m.s.count - 1)
	return g
}

// makeRoom reports whether one more grant fits. For somebody who leaves, the oldest makes room.
func (m *machine) makeRoom(side access.Side) bool {
	if m.s.count < maxGrants {
		return true
	}
	if side != access.SideExit {
		return false
	}
	m.unused(m.remove(0), access.ReasonUndecided)
	return true
}

// act uses a grant whose record is durable: the strike is released, and the release time starts
// with that edge. At a door that stands open the passage is recorded at once; the strike is released
// all the same, for the door may fall shut before this person has passed.
func (m *machine) act(g grant) {
	s := &m.s
	g.ready, g.barrier, g.deadline = true, 0, 0
	until := s.now.Add(m.releaseFor(g))
	if t := s.timers[TimerRelock]; s.release && t.on { // a short pulse does not cut off whoever was let in just before
		until = max(until, t.at)
	}
	if m.cfg.Kind == KindControlled && !s.fire && !s.unarmed {
		m.out = append(m.out, Action{
			Kind: ActUnlock, Attempt: g.attempt, Side: g.side, By: g.by, For: until.Sub(s.now), At: s.now,
		})
	}
	if g.command {
		m.emit(EventCommandDone, g.attempt, g.side, g.by, access.ReasonGranted).Detail = CommandUnlock.String()
	}
	s.release, s.last, s.offline = true, g.attempt, g.offline
	m.set(TimerRelock, until)
	if s.open {
		event := EventEntry
		if g.side == access.SideExit {
			event = EventExit
		}
		m.emit(event, g.attempt, g.side, g.by, access.ReasonGranted)
	} else {
		m.push(g)
	}
	m.stop(TimerFeedback)
	if g.offline {
		m.show(IndGrantedOffline)
	} else {
		m.show(IndGranted)
	}
}

// onDurable: the record behind barrier b is on the disk. A barrier nobody waits for any more (the
// grant lapsed, the mode changed) moves nothing.
func (m *machine) onDurable(b Barrier) {
	if r := m.s.rearm; r.on && r.barrier == b && b != 0 {
		m.rearmed()
		return
	}
	i := m.waiting(b)
	if i < 0 {
		return
	}
	g := m.remove(i)
	if g.command && (m.s.fire || m.s.unarmed) { // meanwhile the fire panel has released the door
		m.refuseCommand(Input{Attempt: g.attempt, Side: g.side, By: g.by}, access.ReasonUndecided, DetailFireRelease)
		return
	}
	m.act(g)
}

// onNotDurable: the record could not be kept, so the door stays locked (I1). Leaving is mechanical.
func (m *machine) onNotDurable(b Barrier) {
	if r := m.s.rearm; r.on && r.barrier == b && b != 0 { // the alarm stays
		m.refuseCommand(m.takeRearm(), access.ReasonNotDurable, "")
		return
	}
	i := m.waiting(b)
	if i < 0 {
		return
	}
	g := m.remove(i)
	m.emit(EventDenied, g.attempt, g.side, g.by, access.ReasonNotDurable)
	m.afterRefusal(g)
}

// waiting finds the grant behind b, -1 when there is none.
func (m *machine) waiting(b Barrier) int {
	for i, g := range m.s.grants[:m.s.count] {
		if !g.ready && b != 0 && g.barrier == b {
			return i
		}
	}
	return -1
}

// lapse ends the grants whose record took too long (D19): the door stays locked.
func (m *machine) lapse() {
	if r := m.s.rearm; r.on && r.deadline <= m.s.now {
		in := m.takeRearm()
		m.emit(EventLapsed, in.Attempt, in.Side, in.By, access.ReasonNotDurable)
	}
	for i := 0; i < m.s.count; {
		if g := m.s.grants[i]; g.ready || g.deadline.After(m.s.now) {
			i++
			continue
		}
		g := m.remove(i)
		m.emit(EventLapsed, g.attempt, g.side, g.by, access.ReasonNotDurable)
		m.afterRefusal(g)
	}
	m.timeDurable()
}

func (m *machine) afterRefusal(g grant) {
	if g.side == access.SideExit { // no pulse, but the person will use the handle
		m.leaving(g.attempt)
	}
	m.showRefused(g.offline)
}

// timeDurable keeps TimerDurable at the earliest deadline of those who wait.
func (m *machine) timeDurable() {
	var first mono.Time
	any := false
	for _, g := range m.s.grants[:m.s.count] {
		if !g.ready && (!any || g.deadline < first) {
			first, any = g.deadline, true
		}
	}
	if r := m.s.rearm; r.on && (!any || r.deadline < first) {
		first, any = r.deadline, true
	}
	if any {
		m.set(TimerDurable, first)
	} else {
		m.stop(TimerDurable)
	}
}

// endRelease: the release time is over.
func (m *machine) endRelease() {
	m.secure()
	m.dropUnused()
	m.showBase()
}

// secure ends the release window and drives the strike to its secure level.
func (m *machine) secure() {
	m.s.release, m.s.offline = false, false
	m.stop(TimerRelock)
	m.lock()
}

// dropUnused turns what nobody used in the release time into no_entry (DS-4). While the contact is
// settling to open the grants are kept, for the opening may still prove to be theirs.
func (m *machine) dropUnused() {
	s := &m.s
	if s.release || s.raw && !s.open {
		return
	}
	for i := 0; i < s.count; {
		if !s.grants[i].ready {
			i++
			continue
		}
		m.unused(m.remove(i), access.ReasonUndecided)
	}
}

// unused records the end of a grant that will not be used: no_entry when it had been acted on,
// denied with the reason when it still waited for its record.
func (m *machine) unused(g grant, reason access.Reason) {
	if g.ready {
		m.emit(EventNoEntry, g.attempt, g.side, g.by, reason)
		return
	}
	m.emit(EventDenied, g.attempt, g.side, g.by, reason)
	m.afterRefusal(g)
}

// withdraw ends the release when no exit needs it, and every grant for entering: the door has just
// become one that nobody may enter.
func (m *machine) withdraw(reason access.Reason) {
	exits := false
	for _, g := range m.s.grants[:m.s.count] {
		exits = exits || g.ready && g.side == access.SideExit
	}
	if m.s.release && !exits {
		m.secure()
	}
	for i := 0; i < m.s.count; {
		if m.s.grants[i].side == access.SideExit {
			i++
			continue
		}
		m.unused(m.remove(i), reason)
	}
}
