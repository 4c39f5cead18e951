package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// exitUnattributed: somebody left and no known card says who (DS-3). The register shows 退室未記録
// until the person or the zone manager says so.
func exitUnattributed(f Fact) (Finding, bool) {
	return on(f, door.EventExitUnattributed, ExitUnattributed)
}

// exitInvalidCard: somebody left with a card that would not have let them in any more. Leaving is
// never refused (D11); that they were inside is what has to be looked at. The hour alone is nothing: who may
// enter until 17:15 goes home after that each day.
func exitInvalidCard(f Fact) (Finding, bool) {
	if f.Event != door.EventGranted || f.Side != access.SideExit || f.Failed&^access.ReasonSet(0).With(access.ReasonOutsideSchedule) == 0 {
		return Finding{}, false
	}
	found := New(ExitInvalidCard, f.Leaf)
	found.Detail = f.Failed.Primary().String()
	return found, true
}
