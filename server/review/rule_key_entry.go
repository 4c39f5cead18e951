package review

import "monban/firmware/door"

// keyEntry: a door opened without a badge while a mechanical key of it was lent: opened with the key, not forced (DS-7). The
// loan says who has the key.
func keyEntry(f Fact) (Finding, bool) {
	if !f.KeyOut {
		return Finding{}, false
	}
	return on(f, door.EventForcedOpen, KeyEntry)
}
