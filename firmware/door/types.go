// Package door is the state machine of one door: what moves the lock, what is recorded, and what
// the person in front of it sees and hears.
//
// Step has no I/O and no clock: inputs carry their monotonic time, actions are carried out by the
// controller. Every path that doubts keeps the strike locked; leaving is mechanical and never
// depends on this package (I9).
package door

import (
	"encoding/binary"
	"time"

	"monban/firmware/access"
	"monban/firmware/mono"
)

// Kind is what a door is built as (D14). The zero kind has no lock output.
type Kind uint8

// Door kinds.
const (
	KindObserve    Kind = iota // reader and contact, no lock output; same records (DS-11)
	KindControlled             // lock, contact and reader
)

// ExitSensing is how leaving is sensed at this door (DS-10).
type ExitSensing uint8

// Ways to sense an exit; the zero way senses nothing.
const (
	ExitNone ExitSensing = iota
	ExitReader
	ExitButton
	ExitHandle
)

// Config is one door's settings. Times are positive; Validate says which is not.
type Config struct {
	Door        access.DoorID
	Kind        Kind
	Exit        ExitSensing
	ReleaseTime time.Duration // how long the strike stays released for one grant; default 5 s, 1–60 s
	OpenTime    time.Duration // how long the door may stand open before held_open; default 30 s, 5 s–10 min
	Debounce    time.Duration // contact changes shorter than this are ignored; default 50 ms, 0–399 ms (DS-2: 400 ms always counts)
	DurableWait time.Duration // a grant without a durable record lapses after this; default 2 s (D19)
	PINWait     time.Duration // time to key in a PIN; default 10 s
}

// Event names what a record tells (wire field `event`). The names are stable.
type Event string

// Events of a door and its gateway.
const (
	EventGranted          Event = "granted"           // a decision let somebody in (or out at an exit reader)
	EventDenied           Event = "denied"            // a decision refused
	EventEntry            Event = "entry"             // opened on a grant from outside: the passage
	EventExit             Event = "exit"              // opened on a grant at the exit reader
	EventNoEntry          Event = "no_entry"          // granted, not opened in the release time (DS-4)
	EventClosed           Event = "closed"            // closed again after an attempt's opening
	EventForcedOpen       Event = "forced_open"       // opened with no grant and nobody inside
	EventInsideOpen       Event = "inside_open"       // probably opened from inside; no exit sensor (DS-10)
	EventRequestExit      Event = "request_exit"      // exit button or handle
	EventExitUnattributed Event = "exit_unattributed" // left without a known card (DS-3)
	EventHeldOpen         Event = "held_open"         // open longer than OpenTime
	EventHeldEnd          Event = "held_end"          // closed after held_open or forced_open
	EventTamper           Event = "tamper"
	EventTamperEnd        Event = "tamper_end"
	EventLineFault        Event = "line_fault"
	EventLineOK           Event = "line_ok"
	EventReaderLost       Event = "reader_lost"
	EventReaderBack       Event = "reader_back"
	EventReadError        Event = "read_error" // parity, length, noise: a read that is no card
	EventFireRelease      Event = "fire_release"
	EventFireClear        Event = "fire_clear"
	EventRearmed          Event = "rearmed"
	EventModeChanged      Event = "mode_changed"
	EventStrikeFailed     Event = "strike_failed" // the lock output did not obey
	EventLapsed           Event = "lapsed"        // a grant whose record was not durable in time
	EventLateIgnored      Event = "late_ignored"  // an answer that came too late
	EventPINLocked        Event = "pin_locked"    // the fifth wrong PIN
	EventPurposeKeyed     Event = "purpose_keyed" // what somebody came for, keyed in at the reader; which is in the private part (RR-7)
	EventDeskRead         Event = "desk_read"     // a card at a desk reader, where there is no door (RA-3)
	EventDeskJudged       Event = "desk_judged"   // what the server said to the card and PIN there
	EventCommandAccepted  Event = "command_accepted"
	EventCommandDone      Event = "command_done"
	// Events of the gateway itself (door "").
	EventBoot          Event = "boot"
	EventShutdown      Event = "shutdown"
	EventLinkLost      Event = "link_lost"
	EventLinkUp        Event = "link_up"
	EventPolicyApplied Event = "policy_applied"
	EventClockStep     Event = "clock_step"
	EventEpoch         Event = "epoch" // first record of a new epoch
	EventMainsLost     Event = "mains_lost"
	EventMainsBack     Event = "mains_back"
	EventBatteryLow    Event = "battery_low"
	EventBatteryOK     Event = "battery_ok"
	// EventMaintenance says that somebody works at a door with the gateway's own tools; Detail says with which, and how it ended.
	EventMaintenance Event = "maintenance"
)

// Details of EventBoot.
const (
	BootFirst   = "first"   // nothing was recorded before
	BootClean   = "clean"   // the last start ended with EventShutdown
	BootUnclean = "unclean" // it did not: a power cut or a crash
)

// StateName names where a door stands. The zero state is Secured: locked and closed.
type StateName uint8

// The states of a door.
const (
	Secured    StateName = iota // locked, closed
	Unlocked                    // strike released for a grant, still closed
	Open                        // open on a grant or a permitted exit
	HeldOpen                    // open too long
	Forced                      // opened without a grant
	InLockdown                  // mode lockdown: no grant acts
	Released                    // fire release: the wires have opened it; waits for a person to re-arm
	Faulted                     // the strike or contact cannot be trusted; no grant acts
)

// Barrier joins an emitted record with the actions that must wait for it (D19).
type Barrier uint64

// InputKind says what happened.
type InputKind uint8

// Inputs of Step.
const (
	InNone          InputKind = iota // ignored
	InGranted                        // a decision that lets pass: Attempt, By, Side
	InDenied                         // a decision that refuses: Attempt, Reason
	InWaiting                        // outcome NeedPIN, NeedSecond, NeedEscort: Waiting
	InContactOpen                    //
	InContactClosed                  //
	InRequestExit                    // button or handle
	InTamper                         // On = begins/ends
	InLineFault                      // On = begins/ends
	InReaderLost                     // On = lost, off = back
	InReadError                      // a read that is no card
	InTimer                          // Timer names which
	InCommand                        // Command: unlock, rearm, selftest
	InMode                           // Mode
	InFireRelease                    // On = begins/ends
	InDurable                        // Barrier: the record is durable
	InNotDurable                     // Barrier: it is not; deny, alarm
	InStrikeFailed                   // the lock output did not obey
	InOccupied                       // On = somebody is known to be inside (DS-10); never needed for egress
	InInterlock                      // On = the other door of the airlock is not closed (DS-9)
	InEscortAway                     // On = outsiders inside are without an escort (VE-10); shown, nothing else
)

// TimerName names one timer of a door; setting it again replaces it.
type TimerName uint8

// Timers.
const (
	TimerNone     TimerName = iota
	TimerRelock             // ends the release
	TimerHeld               // open too long
	TimerDebounce           // contact settles
	TimerDurable            // a grant waits for its record
	TimerFeedback           // light and sound go back to idle
	TimerPIN                // PIN entry ends
)

// CommandKind is a remote command (D13).
type CommandKind uint8

// Commands; the zero command does nothing.
const (
	CommandNone CommandKind = iota
	CommandUnlock
	CommandRearm
	CommandSelfTest
)

// Attempt joins everything about one read (D15): 6 bytes of the time at which it was made, then 10 random ones (ADR 0088). Nothing reads the time
// out of it, and any 16 bytes are an attempt: the time only lets those of one moment stand together in the server's index.
type Attempt [16]byte

// NewAttempt makes the attempt of a read at wallMS (ms since 1970, UTC, right or wrong).
func NewAttempt(wallMS int64, random [10]byte) (a Attempt) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(wallMS))
	copy(a[:6], ms[2:])
	copy(a[6:], random[:])
	return a
}

// Input is one thing that happened, with the monotonic time at which it did.
type Input struct {
	Kind    InputKind
	At      mono.Time
	On      bool
	Attempt Attempt
	Side    access.Side
	By      access.DecidedBy
	Reason  access.Reason
	Waiting access.Outcome
	Timer   TimerName
	Command CommandKind
	Mode    access.DoorMode
	Barrier Barrier
	Offline bool // the decision was made without the server
	// Durable: the record of this grant is already durable (the server committed it before it
	// answered), so the strike need not wait for the gateway's own barrier (D19).
	Durable bool
	// Until is when a command from the server ends, exclusive (I7); zero has ended.
	Until mono.Time
	// For bounds the release of a remote unlock; 0 = the door's own release time, which bounds it too. Of
	// InWaiting it is how long a second person or an escort is waited for; 0 = the time for a PIN.
	For time.Duration
}

// ActionKind says what the controller has to do.
type ActionKind uint8

// Actions.
const (
	ActNone      ActionKind = iota
	ActEmit                 // append a record: Event, Attempt, Side, By, Reason, Barrier
	ActUnlock               // release the strike, for at most For; the HAL has its own maximum too
	ActLock                 // drive the strike to its secure level
	ActSetTimer             // Timer at At
	ActStopTimer            // Timer
	ActIndicate             // Indication to the person at the door
	ActSelfTest             // look at the parts and record command_done: Attempt, Side, By
)

// Indication is what the person at the door sees and hears. docs/at-the-door.md describes each.
type Indication uint8

// Indications; the zero one is idle (steady red, silent).
const (
	IndIdle           Indication = iota
	IndGranted                   // green, one long tone
	IndDenied                    // red blinking, three short tones
	IndPIN                       // amber blinking, one short tone
	IndKey                       // one click per key, the same for every key
	IndWaitSecond                // amber steady, two short tones
	IndWaitEscort                // amber steady, two short tones
	IndDeciding                  // amber steady while the server is asked longer than 100 ms
	IndGrantedOffline            // green with an amber blink, one long tone
	IndDeniedOffline             // red and amber blinking in turn, three short tones
	IndHeldOpen                  // intermittent tone until closed
	IndLockdown                  // red, double blink
	IndOutOfOrder                // red and amber steady
	IndEscortAway                // amber, double blink, intermittent tone: the escort has left the visitors (VE-10)
)

// Action is one effect Step asks for.
type Action struct {
	Kind    ActionKind
	Event   Event
	Attempt Attempt
	Side    access.Side
	By      access.DecidedBy
	Reason  access.Reason
	Barrier Barrier // of an Emit; 0 = nothing waits for it
	For     time.Duration
	Timer   TimerName
	At      mono.Time // of a SetTimer: when it fires; of an Emit: when it happened
	Show    Indication
	// Detail of an Emit is a machine word: the new mode of mode_changed, what a command orders, why one
	// was refused; else "".
	Detail string
}
