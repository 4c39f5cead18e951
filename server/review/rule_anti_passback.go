package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// antiPassback: somebody entered who is inside by the log, and the zone only flags it (AD-9). Mostly an
// exit without a card; else a card that two people use.
func antiPassback(f Fact) (Finding, bool) {
	if f.Event != door.EventGranted || f.Side != access.SideEnter || !f.Failed.Has(access.ReasonAntiPassback) {
		return Finding{}, false
	}
	return New(AntiPassback, f.Leaf), true
}
