package review

import "monban/firmware/door"

// heldOpen: a door stood open longer than its open time (扉の長時間開放).
func heldOpen(f Fact, _ []Fact) (Finding, bool) { return on(f, door.EventHeldOpen, HeldOpen) }
