package wire

import (
	"errors"
	"strconv"
)

// Fault says why a message was refused. Whoever counts refusals counts them by Fault.
type Fault uint8

// The faults; the zero Fault means none (or an error that is not of this package).
const (
	FaultNone      Fault = iota
	FaultTooLarge        // longer than MaxMessage or than the limit of its kind
	FaultSignature       // not signed, or not by the one role the kind accepts, or a malformed note
	FaultVersion         // the envelope's version is not 1
	FaultKind            // another kind than the topic says, or a kind that does not exist
	FaultTopic           // sealed for another topic: replayed elsewhere
	FaultReserved        // a kind whose format is not frozen yet
	FaultBody            // a field is missing, unknown, out of order, out of range or not canonical
)

var faultNames = [...]string{
	"none", "too_large", "signature", "version", "kind", "topic", "reserved", "body",
}

// String gives a stable snake_case name, for metrics and findings.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return faultNames[FaultBody]
}

// Error is a refused message. It never holds the content of a field: contents may be personal.
type Error struct {
	Fault  Fault
	Kind   string // kind of message, or "record", "keys"
	Field  string // JSON name of the field, "" when the whole message is meant
	At     int    // byte offset into the body, for FaultBody
	Detail string
}

// Error names the kind, the field and the byte.
func (e *Error) Error() string {
	s := "open " + e.Kind + ": " + e.Fault.String()
	if e.Field != "" {
		s += ": field " + e.Field + " at byte " + strconv.Itoa(e.At)
	}
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// FaultOf finds the fault inside err; FaultNone when err holds no *Error.
func FaultOf(err error) Fault {
	var e *Error
	if errors.As(err, &e) {
		return e.Fault
	}
	return FaultNone
}
