package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// lostCardUsed: a card that is lost, withdrawn or suspended was tried. A suspended one is mostly the own card in the purse
// beside a temporary one, so it is told low. More of the same word at the same door within the window are counted: a suspended
// card hides no lost one.
func lostCardUsed(f Fact) (Finding, bool) {
	if f.Event != door.EventDenied {
		return Finding{}, false
	}
	failed := f.Failed.With(f.Reason)
	found := New(LostCardUsed, f.Leaf)
	found.Once = OncePerWindow
	switch {
	case failed.Has(access.ReasonCredentialLost):
		found.Detail = "lost"
	case failed.Has(access.ReasonCredentialRevoked):
		found.Detail = "revoked"
	case failed.Has(access.ReasonCredentialSuspended):
		found.Detail, found.Severity = "suspended", Low
	default:
		return Finding{}, false
	}
	return found, true
}

// inactivePersonCard: the card of somebody who is suspended, on leave or gone was tried (VR-7).
func inactivePersonCard(f Fact) (Finding, bool) {
	if f.Event != door.EventDenied || !f.Failed.With(f.Reason).Has(access.ReasonPersonInactive) {
		return Finding{}, false
	}
	found := New(InactivePersonCard, f.Leaf)
	found.Once = OncePerWindow
	return found, true
}
