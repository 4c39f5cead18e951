package door

import (
	"encoding/hex"
	"fmt"
)

// Stable snake_case names. They stand in configuration, commands and heartbeats.
var (
	kindNames    = []string{"observe", "controlled"}
	exitNames    = []string{"none", "reader", "button", "handle"}
	stateNames   = []string{"secured", "unlocked", "open", "held_open", "forced", "lockdown", "released", "faulted"}
	commandNames = []string{"none", "remote_unlock", "rearm", "self_test"}
	timerNames   = []string{"none", "relock", "held", "debounce", "durable", "feedback", "pin"}
	inputNames   = []string{
		"none", "granted", "denied", "waiting", "contact_open", "contact_closed", "request_exit",
		"tamper", "line_fault", "reader_lost", "read_error", "timer", "command", "mode",
		"fire_release", "durable", "not_durable", "strike_failed", "occupied", "interlock", "escort_away",
	}
	actionNames     = []string{"none", "emit", "unlock", "lock", "set_timer", "stop_timer", "indicate", "self_test"}
	indicationNames = []string{
		"idle", "granted", "denied", "pin", "key", "wait_second", "wait_escort", "deciding",
		"granted_offline", "denied_offline", "held_open", "lockdown", "out_of_order", "escort_away",
	}
)

func nameOf(names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", v)
}

func parseName(names []string, name, what string) (uint8, error) {
	for i, n := range names {
		if n == name {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("parse %s: unknown name %q", what, name)
}

func marshalName(names []string, v uint8, what string) ([]byte, error) {
	if int(v) < len(names) {
		return []byte(names[v]), nil
	}
	return nil, fmt.Errorf("marshal %s: value %d has no name", what, v)
}

// String gives the stable name.
func (k Kind) String() string { return nameOf(kindNames, uint8(k)) }

// MarshalText gives the stable name; a value without one is an error.
func (k Kind) MarshalText() ([]byte, error) { return marshalName(kindNames, uint8(k), "door kind") }

// UnmarshalText parses as ParseKind does.
func (k *Kind) UnmarshalText(b []byte) (err error) { *k, err = ParseKind(string(b)); return err }

// ParseKind reads a stable name; anything else is KindObserve (no lock output) and an error.
func ParseKind(name string) (Kind, error) {
	v, err := parseName(kindNames, name, "door kind")
	return Kind(v), err
}

// String gives the stable name.
func (e ExitSensing) String() string { return nameOf(exitNames, uint8(e)) }

// MarshalText gives the stable name; a value without one is an error.
func (e ExitSensing) MarshalText() ([]byte, error) {
	return marshalName(exitNames, uint8(e), "exit sensing")
}

// UnmarshalText parses as ParseExitSensing does.
func (e *ExitSensing) UnmarshalText(b []byte) (err error) {
	*e, err = ParseExitSensing(string(b))
	return err
}

// ParseExitSensing reads a stable name; anything else is ExitNone and an error.
func ParseExitSensing(name string) (ExitSensing, error) {
	v, err := parseName(exitNames, name, "exit sensing")
	return ExitSensing(v), err
}

// String gives the stable name.
func (n StateName) String() string { return nameOf(stateNames, uint8(n)) }

// MarshalText gives the stable name; a value without one is an error.
func (n StateName) MarshalText() ([]byte, error) {
	return marshalName(stateNames, uint8(n), "door state")
}

// ParseStateName reads a stable name; anything else is Faulted (nothing can be said of the door)
// and an error.
func ParseStateName(name string) (StateName, error) {
	v, err := parseName(stateNames, name, "door state")
	if err != nil {
		return Faulted, err
	}
	return StateName(v), nil
}

// String gives the stable name.
func (c CommandKind) String() string { return nameOf(commandNames, uint8(c)) }

// MarshalText gives the stable name; a value without one is an error.
func (c CommandKind) MarshalText() ([]byte, error) {
	return marshalName(commandNames, uint8(c), "command")
}

// ParseCommandKind reads a stable name; anything else is CommandNone, which does nothing, and an
// error.
func ParseCommandKind(name string) (CommandKind, error) {
	v, err := parseName(commandNames, name, "command")
	return CommandKind(v), err
}

// String gives the stable name.
func (t TimerName) String() string { return nameOf(timerNames, uint8(t)) }

// String gives the stable name.
func (k InputKind) String() string { return nameOf(inputNames, uint8(k)) }

// String gives the stable name.
func (k ActionKind) String() string { return nameOf(actionNames, uint8(k)) }

// String gives the stable name; docs/at-the-door.md says what each looks and sounds like.
func (i Indication) String() string { return nameOf(indicationNames, uint8(i)) }

// Indications lists every indication.
func Indications() []Indication {
	all := make([]Indication, len(indicationNames))
	for i := range all {
		all[i] = Indication(i)
	}
	return all
}

// String gives 32 lower-case hex digits.
func (a Attempt) String() string { return hex.EncodeToString(a[:]) }

// MarshalText gives 32 lower-case hex digits.
func (a Attempt) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, a[:]), nil }

// UnmarshalText parses as ParseAttempt does.
func (a *Attempt) UnmarshalText(b []byte) (err error) { *a, err = ParseAttempt(string(b)); return err }

// ParseAttempt reads 32 lower-case hex digits; anything else is the zero attempt and an error.
func ParseAttempt(text string) (Attempt, error) {
	var a Attempt
	if len(text) != 2*len(a) {
		return Attempt{}, fmt.Errorf("parse attempt: %d characters, want %d", len(text), 2*len(a))
	}
	if _, err := hex.Decode(a[:], []byte(text)); err != nil || a.String() != text {
		return Attempt{}, fmt.Errorf("parse attempt: %q is not lower-case hex", text)
	}
	return a, nil
}

// Events lists every event of a door and its gateway.
func Events() []Event {
	return []Event{
		EventGranted, EventDenied, EventEntry, EventExit, EventNoEntry, EventClosed, EventForcedOpen,
		EventInsideOpen, EventRequestExit, EventExitUnattributed, EventHeldOpen, EventHeldEnd,
		EventTamper, EventTamperEnd, EventLineFault, EventLineOK, EventReaderLost, EventReaderBack,
		EventReadError, EventFireRelease, EventFireClear, EventRearmed, EventModeChanged,
		EventStrikeFailed, EventLapsed, EventLateIgnored, EventPINLocked, EventPurposeKeyed, EventDeskRead, EventDeskJudged, EventCommandAccepted,
		EventCommandDone, EventBoot, EventShutdown, EventLinkLost, EventLinkUp, EventPolicyApplied,
		EventClockStep, EventEpoch, EventMainsLost, EventMainsBack, EventBatteryLow, EventBatteryOK,
		EventMaintenance,
	}
}

// Known reports whether e is one of Events.
func (e Event) Known() bool {
	for _, k := range Events() {
		if k == e {
			return true
		}
	}
	return false
}
