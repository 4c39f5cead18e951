package review

import "monban/firmware/door"

// heldOpen: a door stood open longer than its open time (扉の長時間開放). Inside a carry session it may (EQ-1).
func heldOpen(f Fact) (Finding, bool) {
	if f.Carrying {
		return Finding{}, false
	}
	return on(f, door.EventHeldOpen, HeldOpen)
}
