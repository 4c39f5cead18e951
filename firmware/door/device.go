package door

import (
	"monban/firmware/access"
)

// onMode takes the mode of the policy's `modes` part (D13). A mode we do not know locks. Becoming
// locked ends what people outside were granted; those who leave are not concerned.
func (m *machine) onMode(mode access.DoorMode) {
	if mode > access.ModeLockdown {
		mode = access.ModeLocked
	}
	if mode == m.s.mode {
		return
	}
	m.s.mode = mode
	reason, blocked := access.ReasonUndecided, false
	switch mode {
	case access.ModeLockdown:
		reason, blocked = access.ReasonLockdown, true
	case access.ModeLocked:
		reason, blocked = access.ReasonDoorLocked, true
	case access.ModeNormal:
	}
	record := m.note(EventModeChanged, Attempt{})
	record.Reason, record.Detail = reason, mode.String()
	if blocked {
		m.withdraw(reason)
	}
	m.showBase()
}

// onFire: the fire panel has opened the door by its wires. We record it and leave the lock alone
// until the panel is clear and a person re-arms (DS-6).
func (m *machine) onFire(on bool) {
	if on == m.s.fire {
		return
	}
	m.s.fire = on
	if on {
		m.s.unarmed = true
		m.stop(TimerHeld)
		m.note(EventFireRelease, Attempt{})
	} else {
		m.note(EventFireClear, Attempt{})
	}
	m.showBase()
}

// onTamper: an opened reader or box. It is an alarm and stays flagged until re-armed; the lock is
// not touched.
func (m *machine) onTamper(in Input) {
	if in.On == m.s.tamper {
		return
	}
	m.s.tamper = in.On
	if in.On {
		m.s.tampered = true
		m.note(EventTamper, in.Attempt)
	} else {
		m.note(EventTamperEnd, in.Attempt)
	}
}

func (m *machine) onReaderLost(in Input) {
	if in.On == m.s.readerLost {
		return
	}
	m.s.readerLost = in.On
	if in.On {
		m.note(EventReaderLost, Attempt{})
	} else {
		m.note(EventReaderBack, Attempt{})
	}
}

// onLineFault: the contact's line is cut, shorted or bypassed, so nothing can be said of the door.
// Fail secure: entries are refused and a running release ends until the line is whole again.
func (m *machine) onLineFault(in Input) {
	if in.On == m.s.lineFault {
		return
	}
	m.s.lineFault = in.On
	if in.On {
		m.note(EventLineFault, m.s.attempt)
		m.withdraw(access.ReasonDoorLocked)
	} else {
		m.note(EventLineOK, m.s.attempt)
	}
	m.showBase()
}

// onStrikeFailed: the lock output did not obey. Fail secure: it is driven to its secure level once
// more (not again and again: that failure would come back here) and entries are refused until a
// person has looked and re-arms.
func (m *machine) onStrikeFailed() {
	if m.s.strikeFault {
		return
	}
	m.s.strikeFault = true
	attempt := m.s.attempt
	if m.s.release {
		attempt = m.s.last
	}
	m.note(EventStrikeFailed, attempt)
	m.secure()
	m.withdraw(access.ReasonDoorLocked)
	m.dropUnused()
	m.showBase()
}
