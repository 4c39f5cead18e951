package review

import "monban/firmware/door"

// exitWithoutEntry: somebody left a zone by a door's exit reader whom the log did not have inside (VR-1): their newest
// passage before did not lead into that zone or one in it. Who has none at all counts too, once the log is older than the
// warm-up and so is not expected to lack the entry.
type exitWithoutEntry struct {
	set     *Settings
	beganMS int64
}

func (r exitWithoutEntry) step(f *Fact) []Finding {
	young := f.AtMS-r.beganMS < r.set.WarmUpMS
	if !f.passed() || f.Event != door.EventExit || f.Unsettled || f.Before.Known && f.Before.Within || !f.Before.Known && young {
		return nil
	}
	x := f.about(ExitWithoutEntry, string(f.From))
	x.Once = OncePerAttempt
	return []Finding{x}
}
