// Package supervision judges a sensing line with end-of-line resistors by the ratio of its voltage to the
// rail: rest, active, short, cut, or a fault between the bands. It is pure: time and ratio are arguments.
//
// Doubt is never rest. What has not been judged yet is unknown; a ratio between two bands is a fault once it has
// lasted (a bypass resistor, moisture); and a line in trouble is trouble until it has been well for a while, so
// that a short that is made and taken away again is seen by whoever looks once a second.
package supervision

import (
	"fmt"
	"time"

	"monban/firmware/mono"
)

// State of a line. The zero State is unknown and is never taken for rest.
type State uint8

// States.
const (
	Unknown State = iota
	Rest
	Active
	Short
	Cut
	Fault
)

// String gives the state's stable name.
func (s State) String() string {
	switch s {
	case Rest:
		return "rest"
	case Active:
		return "active"
	case Short:
		return "short"
	case Cut:
		return "cut"
	case Fault:
		return "fault"
	case Unknown:
	}
	return "unknown"
}

// trouble reports whether the line itself, not what it senses, is wrong.
func (s State) trouble() bool { return s == Short || s == Cut || s == Fault }

// Times of the judgement.
const (
	// BetweenTime is how long a ratio may lie between two bands: a contact that moves passes there.
	BetweenTime = 100 * time.Millisecond
	// ClearTime is how long a line must have been well before its trouble ends.
	ClearTime = time.Second
)

// Hysteresis is how far outside its band a ratio may lie before a state that holds is left.
const Hysteresis = 0.02

// Bands are the ratios of a line's voltage to its rail, 0–1, lowest first:
// short < ShortMost < RestLeast – RestMost < ActiveLeast – ActiveMost < CutLeast < cut.
type Bands struct {
	ShortMost               float64
	RestLeast, RestMost     float64
	ActiveLeast, ActiveMost float64
	CutLeast                float64
	// Swapped: the contact is open at rest, so the two middle bands change places.
	Swapped bool
}

// Standard is for 2.2 kΩ in series, 8.2 kΩ across the contact and 2.2 kΩ to the rail.
func Standard() Bands {
	return Bands{ShortMost: 0.15, RestLeast: 0.40, RestMost: 0.60, ActiveLeast: 0.75, ActiveMost: 0.88, CutLeast: 0.93}
}

// Validate reports the first fault: bands must ascend, and lie further apart than twice the hysteresis.
func (b Bands) Validate() error {
	at := []float64{0, b.ShortMost, b.RestLeast, b.RestMost, b.ActiveLeast, b.ActiveMost, b.CutLeast, 1}
	names := []string{"0", "short", "rest (low end)", "rest (high end)", "active (low end)", "active (high end)", "cut", "1"}
	for i := 1; i < len(at); i++ {
		if !(at[i] > at[i-1]) { // also refuses NaN
			return fmt.Errorf("bands overlap: %s %.3f is not above %s %.3f", names[i], at[i], names[i-1], at[i-1])
		}
	}
	for _, i := range []int{2, 4, 6} { // between two bands
		if at[i]-at[i-1] < 2*Hysteresis {
			return fmt.Errorf("bands %s %.3f and %s %.3f are closer than %.2f: noise would cross", names[i-1], at[i-1], names[i], at[i], 2*Hysteresis)
		}
	}
	return nil
}

// judge finds the band of r; wide bands are those of a state that already holds.
func (b Bands) judge(r float64, holds State) (State, bool) {
	low, high := Rest, Active
	if b.Swapped {
		low, high = Active, Rest
	}
	for _, band := range []struct {
		s           State
		least, most float64
	}{
		{Short, -1, b.ShortMost}, {low, b.RestLeast, b.RestMost}, {high, b.ActiveLeast, b.ActiveMost}, {Cut, b.CutLeast, 2},
	} {
		h := 0.0
		if band.s == holds {
			h = Hysteresis
		}
		if r >= band.least-h && r <= band.most+h {
			return band.s, true
		}
	}
	return Unknown, false
}

// Line is one supervised line. The zero Line is not usable; make it with New.
type Line struct {
	bands   Bands
	state   State
	between mono.Time // since when the ratio lies between bands
	inside  bool      // the last ratio lay in a band
	well    mono.Time // since when the line has been well although its state is trouble
	healing bool
	seen    [Fault + 1]bool
}

// New makes a line that has not been judged. Bands that do not validate are refused.
func New(b Bands) (*Line, error) {
	if err := b.Validate(); err != nil {
		return nil, err
	}
	return &Line{bands: b, inside: true}, nil
}

// State is the state as of the last Add or Lost.
func (l *Line) State() State { return l.state }

// Latched reports whether the line has been in this trouble since it was made or last reset.
func (l *Line) Latched(s State) bool { return s.trouble() && l.seen[s] }

// Reset forgets the latched troubles, but one that still holds.
func (l *Line) Reset() {
	l.seen = [Fault + 1]bool{}
	l.seen[l.state] = true
}

// Add judges one measurement, r = voltage / rail, taken at now. It reports the state and whether it changed. A
// ratio that is no number is taken for a fault. What the door does: a line in trouble is never a closed door and
// never a pressed button.
func (l *Line) Add(now mono.Time, r float64) (State, bool) {
	s, in := l.bands.judge(r, l.state)
	if !in {
		if l.inside {
			l.inside, l.between = false, now
		}
		l.healing = false
		if now.Sub(l.between) > BetweenTime || r != r {
			return l.to(Fault)
		}
		return l.state, false
	}
	l.inside = true
	if l.state.trouble() && !s.trouble() {
		if !l.healing {
			l.healing, l.well = true, now
		}
		if now.Sub(l.well) < ClearTime {
			return l.state, false
		}
	}
	l.healing = false
	return l.to(s)
}

// Lost says that the line could not be measured: nothing is known of it.
func (l *Line) Lost() (State, bool) {
	l.inside, l.healing = true, false
	return l.to(Unknown)
}

func (l *Line) to(s State) (State, bool) {
	changed := s != l.state
	l.state = s
	l.seen[s] = true
	if s != Fault && !l.inside {
		l.inside = true
	}
	return s, changed
}
