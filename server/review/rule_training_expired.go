package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// trainingExpired: somebody was let in with training out of date; the zone only flags it (AD-15).
func trainingExpired(f Fact) (Finding, bool) {
	if f.Event != door.EventGranted || f.Side != access.SideEnter || !f.Failed.Has(access.ReasonTrainingExpired) {
		return Finding{}, false
	}
	return New(TrainingExpired, f.Leaf), true
}
