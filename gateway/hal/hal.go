// Package hal is the rim of the gateway towards readers, contacts and locks: small interfaces that
// a board's drivers (hal/pi) and the simulator (hal/sim) implement and that the reader and controller
// packages use. hal/haltest is the suite that every implementation passes.
//
// It decides nothing. It knows no card format, no person and no policy, and of our own packages it
// imports only firmware/mono: what the person at the door sees is described here in its own small
// words (Indication), and the controller translates. Implementations uphold two promises that no caller
// may weaken: every lock is at its secure level before New returns, and a released lock secures itself
// after its maximum time even if nobody calls again (I9).
//
// Channels of an implementation are closed by its Close and by nothing else. A value on a channel
// that carries card bits or keys prints itself masked.
package hal

import (
	"errors"
	"time"

	"monban/firmware/mono"
)

// MaxRelease is the longest time for which any implementation keeps a lock released for one call of
// Release. 60 s is the longest release time that a door may be configured with.
const MaxRelease = 60 * time.Second

// Errors that callers branch on.
var (
	// ErrClosed: the device was closed. The door: locks are secured by Close.
	ErrClosed = errors.New("device is closed")
	// ErrStrike: the lock output did not obey. The door: as the wires leave it; the caller raises
	// strike_failed and grants nothing more.
	ErrStrike = errors.New("lock output did not obey")
	// ErrRelease: Release was asked for a time ≤ 0 or > MaxRelease. The door: stays as it was.
	ErrRelease = errors.New("release time out of range")
)

// Reader is one card reader, with or without keypad, at one side of a door.
type Reader interface {
	// Signals delivers what the reader sends, in order. The receiver must keep up; an implementation
	// that had to drop something sends a Fault with FaultOverrun instead of a silent gap.
	Signals() <-chan Signal
	// Indicate shows ind until the next call; a tone is sounded once, but for ToneIntermittent.
	Indicate(ind Indication) error
	Close() error
}

// Level is the state of one supervised or plain input. The zero Level is unknown and is never taken
// for rest.
type Level uint8

// Levels. A plain (unsupervised) input knows only rest and active.
const (
	LevelUnknown Level = iota
	LevelRest          // contact: closed; button: not pressed; tamper: box shut; fire: no alarm
	LevelActive        // contact: open; button: pressed; tamper: box open; fire: alarm
	LevelShort         // supervised line shorted
	LevelCut           // supervised line cut
	LevelFault         // between the bands: bypass resistor, moisture
)

// String gives the level's stable name.
func (l Level) String() string {
	switch l {
	case LevelRest:
		return "rest"
	case LevelActive:
		return "active"
	case LevelShort:
		return "short"
	case LevelCut:
		return "cut"
	case LevelFault:
		return "fault"
	default:
		return "unknown"
	}
}

// Faulty reports whether the line itself, not what it senses, is in trouble. Unknown is faulty.
func (l Level) Faulty() bool { return l != LevelRest && l != LevelActive }

// Change says that an input has changed, and when. It is a hint: the level is the truth, and a
// receiver may re-read it at any time.
type Change struct {
	Level Level
	At    mono.Time
}

// Input is one sensed line: exit button or handle, tamper switch, fire sense.
type Input interface {
	// Changes delivers every change in order, not debounced. When the receiver is slow the oldest
	// changes may be merged, but the newest level is always delivered.
	Changes() <-chan Change
	// Level reads the line now.
	Level() (Level, error)
	Close() error
}

// Contact is the door contact: LevelRest = closed, LevelActive = open.
type Contact interface{ Input }

// Lock is one lock output.
type Lock interface {
	// Release lets the door be opened for at most max (0 < max ≤ MaxRelease), counted from this
	// call, whatever the caller does afterwards. A second call while released replaces the time. On
	// an error the caller must take the lock for not released and call Secure.
	Release(max time.Duration) error
	// Secure drives the lock to its secure level at once. Calling it again is harmless.
	Secure() error
	// Close secures the lock and gives up the line.
	Close() error
}

// Tender is a Lock that has work of its own, such as ending a release in time.
type Tender interface {
	// Tend returns as soon as that work does not stand still, and for ever not if it does. It moves nothing.
	Tend()
}

// Output is one relay that warns people, such as a lamp. It is off before New returns and after Close.
type Output interface {
	// Set turns it on or off; the same again is harmless.
	Set(on bool) error
	Close() error
}

// Power gathers what is sensed of a gateway's power supply; what is not fitted is nil.
type Power struct {
	Mains   Input // LevelActive = the mains is gone, the gateway runs on its battery
	Battery Input // LevelActive = the battery is low
}

// Door gathers what is fitted at one door; what is not fitted is nil. An observed door (D14) has no
// Lock.
type Door struct {
	Enter   Reader  // reader outside
	Exit    Reader  // reader inside
	Contact Contact // door contact
	Lock    Lock    // lock output
	Request Input   // exit button or handle
	Tamper  Input   // box or reader tamper switch
	Fire    Input   // fire panel's relay, sensed only: the release itself is wired
}
