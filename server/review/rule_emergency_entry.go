package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// emergencyEntry: an emergency grant let somebody in where the ordinary rules would not have (AD-14).
func emergencyEntry(f Fact) (Finding, bool) {
	if f.Event != door.EventGranted || f.Side != access.SideEnter || !f.Failed.Has(access.ReasonEmergencyEntry) {
		return Finding{}, false
	}
	return New(EmergencyEntry, f.Leaf), true
}
