// Package alarm is a gateway's own bell for the night (AL-6): lamp, buzzer and a dry contact for the guard company's panel. They
// go on by what the doors of this gateway record, with or without the server.
//
// Only forced doors, tampering, a fire release and a log of the server that contradicts what this gateway holds of it ring. A PIN under duress never does, as whoever forces somebody stands beside
// the lamp (D10); and a door's own event of it reads as an ordinary grant, so the rule could not even tell.
package alarm

import (
	"time"

	"monban/firmware/door"
	"monban/firmware/mono"
)

// Rule is how long the outputs stay on; each time > 0, Buzz ≤ Hold.
type Rule struct {
	Hold time.Duration // lamp and contact, after the last event
	Buzz time.Duration // buzzer: people have to think beside it
}

// State is the bell's state; the zero State is silent.
type State struct {
	on   bool
	last mono.Time
}

// Outputs are what is on.
type Outputs struct{ Lamp, Buzzer, Contact bool }

// rings reports whether an event at a door turns the bell on.
func rings(e door.Event) bool {
	switch e {
	case door.EventForcedOpen, door.EventTamper, door.EventFireRelease:
		return true
	}
	return false
}

// See takes an event of a door. A re-arm, which a guard or an officer orders, ends the ringing.
func (s State) See(e door.Event, now mono.Time) State {
	switch {
	case rings(e):
		return State{on: true, last: now}
	case e == door.EventRearmed:
		return State{}
	}
	return s
}

// Fork takes that a checkpoint which the log's key signed contradicts the one that this gateway holds: somebody wrote the log anew.
func (s State) Fork(now mono.Time) State { return State{on: true, last: now} }

// At is what is on at now.
func (s State) At(r Rule, now mono.Time) Outputs {
	if !s.on || now.Sub(s.last) >= r.Hold {
		return Outputs{}
	}
	return Outputs{Lamp: true, Contact: true, Buzzer: now.Sub(s.last) < r.Buzz}
}
