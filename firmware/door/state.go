package door

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// maxGrants bounds the people who may badge before or during one opening (VE-11).
const maxGrants = 8

const timerCount = int(TimerPIN) + 1

// State is where one door stands: a comparable value that Step takes and gives back. The zero State
// is a closed, locked door in normal mode.
//
// It keeps plain facts (is the contact open, is the release running, what faults are there) and
// derives the name from them, so that no two of its parts can contradict each other.
type State struct {
	now    mono.Time // of the latest input
	timers [timerCount]deadline
	mode   access.DoorMode

	// The lock and the grants that move it.
	release bool // the release window runs; at a controlled door the strike is released
	offline bool // the latest grant was decided without the server (indication only)
	grants  [maxGrants]grant
	count   int     // used entries of grants, oldest first
	last    Attempt // of the latest grant acted on in this release
	barrier Barrier // the latest one given out

	// The contact. raw is the latest edge, open what has been stable for the debounce time.
	open, raw bool
	since     mono.Time // of the latest raw edge

	// The opening in progress; meaningless while closed.
	cause   cause
	held    bool
	attempt Attempt

	// The latest sign that somebody is about to leave.
	exitSeen    bool
	exitAt      mono.Time
	exitAttempt Attempt

	// Who waits at the enter side for a PIN, a second person or an escort, oldest first.
	waits   [maxGrants]wait
	waiting int // used entries of waits

	interlocked bool // the other door of the airlock is not closed (DS-9)

	rearm rearming // waits for its record

	occupied    bool // somebody is known to be inside (DS-10)
	escortAway  bool // outsiders inside are without an escort (VE-10)
	fire        bool // the fire panel's contact is on
	unarmed     bool // after a fire release, until a person re-arms
	strikeFault bool
	lineFault   bool
	readerLost  bool
	tamper      bool
	tampered    bool // latched until re-armed
	shown       Indication
}

type deadline struct {
	on bool
	at mono.Time
}

// grant is one permission that has not been used yet.
type grant struct {
	ready    bool          // its record is durable; false: it waits behind barrier until deadline
	command  bool          // a remote unlock, not a card
	pulse    time.Duration // of a command: the release it asks for, 0 = the door's own
	offline  bool
	attempt  Attempt
	side     access.Side
	by       access.DecidedBy
	barrier  Barrier
	deadline mono.Time
}

type wait struct {
	attempt Attempt
	side    access.Side
	by      access.DecidedBy
	reason  access.Reason // of the denial when nothing comes
	show    Indication
	until   mono.Time
}

// Waiting is one person who waits at the door for somebody else.
type Waiting struct {
	Attempt Attempt
	For     access.Outcome // NeedSecond or NeedEscort
}

// Waiting lists who waits for a second person or an escort, oldest first. A PIN is nobody else's matter.
func (s State) Waiting() []Waiting {
	var out []Waiting
	for _, w := range s.waits[:s.waiting] {
		switch w.show {
		case IndWaitSecond:
			out = append(out, Waiting{w.attempt, access.NeedSecond})
		case IndWaitEscort:
			out = append(out, Waiting{w.attempt, access.NeedEscort})
		}
	}
	return out
}

// cause says why the door stands open.
type cause uint8

const (
	causeNone    cause = iota // closed, or open since before this process began
	causeGrant                // on a grant or command
	causeExit                 // a sensed exit without a known card
	causeInside               // probably from inside; nothing senses exits here
	causeForced               // none of these
	causeRelease              // during a fire release
)

// Name is the state's name.
func (s State) Name() StateName {
	switch {
	case s.fire || s.unarmed:
		return Released
	case s.strikeFault || s.lineFault:
		return Faulted
	case s.open && s.cause == causeForced:
		return Forced
	case s.open && s.held:
		return HeldOpen
	case s.open:
		return Open
	case s.release:
		return Unlocked
	case s.mode == access.ModeLockdown:
		return InLockdown
	default:
		return Secured
	}
}

// IsOpen reports the debounced contact.
func (s State) IsOpen() bool { return s.open }

// Interlocks reports whether the other door of an airlock stays shut for those who enter, because this
// one is not known to be closed: open, about to open, released, or with a wiring fault (DS-9). A fire
// release overrides it.
func (s State) Interlocks() bool {
	return !s.fire && !s.unarmed && (s.open || s.raw || s.release || s.lineFault)
}

// Mode is the door mode in force.
func (s State) Mode() access.DoorMode { return s.mode }

// Tampered reports a tamper alarm since the last re-arm.
func (s State) Tampered() bool { return s.tampered }

// Unarmed reports that the fire panel has released the door and nobody has re-armed it since. It has to
// outlive the process: see StartUnarmed.
func (s State) Unarmed() bool { return s.unarmed }

// ReaderLost reports that the reader does not answer.
func (s State) ReaderLost() bool { return s.readerLost }

// Shown is what the person at the door is being shown by Step.
func (s State) Shown() Indication { return s.shown }
