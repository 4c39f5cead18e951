package review

import "monban/firmware/door"

// insideOpen: probably opened from inside at a door that senses no exit; low, never an alarm (DS-10).
func insideOpen(f Fact) (Finding, bool) { return on(f, door.EventInsideOpen, InsideOpen) }
