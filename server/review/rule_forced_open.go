package review

import "monban/firmware/door"

// forcedOpen: a door opened with no grant and nobody inside (こじ開け). At a door that is only
// observed there is no lock to force: somebody went in without a badge, which is told low.
func forcedOpen(f Fact) (Finding, bool) {
	if f.KeyOut {
		return Finding{}, false // keyEntry tells of it
	}
	found, ok := on(f, door.EventForcedOpen, ForcedOpen)
	if ok && f.Observed {
		found.Severity = Low
	}
	return found, ok
}
