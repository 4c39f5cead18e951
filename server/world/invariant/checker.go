package invariant

import (
	"fmt"
)

// Checker watches a trace for one promise. Observe is given the events in order and returns an error
// that begins with the promise's name at the first event that breaks it.
type Checker interface{ Observe(e *Event) error }

// All makes a fresh checker for every promise, in order.
func All() []Checker {
	return []Checker{I1(), I2(), I3(), I4(), I5(), I6(), I7(), I8(), I9(), I10()}
}

// Check runs checkers over a whole trace and gives the first violation. Without checkers it runs All.
func Check(trace []Event, checkers ...Checker) error {
	if len(checkers) == 0 {
		checkers = All()
	}
	for i := range trace {
		for _, c := range checkers {
			if err := c.Observe(&trace[i]); err != nil {
				return fmt.Errorf("event %d: %w", i, err)
			}
		}
	}
	return nil
}

// violation is the one form of every complaint.
func violation(promise string, e *Event, format string, args ...any) error {
	return fmt.Errorf("%s at %v, gateway %s, door %s: %s", promise, e.At, e.Gateway, e.Door, fmt.Sprintf(format, args...))
}
