package review

import (
	"strings"

	"monban/firmware/access"
	"monban/firmware/door"
)

// recoveryUsed: a recovery card let somebody in on the gateway alone (AD-18). Each use is told at once
// and owes a report afterwards: who, why, and what was done inside. The detail names what the card set
// aside.
func recoveryUsed(f Fact) (Finding, bool) {
	if f.Event != door.EventGranted || !f.Failed.Has(access.ReasonRecoveryCard) {
		return Finding{}, false
	}
	found := New(RecoveryUsed, f.Leaf)
	aside := f.Failed &^ access.ReasonSet(0).With(access.ReasonRecoveryCard)
	found.Detail = strings.Join(aside.Names(), "/")
	return found, true
}
