package rehearse

import (
	"monban/firmware/access"
)

// Check is one of the things that Decide looks at, in the order of firmware/access/DESIGN.md. The names
// are stable: pages and API have a sentence for each.
type Check string

// The checks.
const (
	CheckDoor       Check = "door"
	CheckRead       Check = "read"
	CheckCard       Check = "card"
	CheckPerson     Check = "person"
	CheckConditions Check = "conditions"
	CheckTraining   Check = "training"
	CheckGrant      Check = "grant"
	CheckAssurance  Check = "assurance"
	CheckPIN        Check = "pin"
	CheckMode       Check = "mode"
	CheckFooting    Check = "footing"
	CheckZone       Check = "zone" // anti-passback, occupancy, two persons, escort, airlock, missing knowledge
)

// checks lists which reasons belong to which check. A reason that stands nowhere belongs to CheckZone:
// those are the rules that grow, and a failed check must never be shown as passed.
var checks = []struct {
	check   Check
	reasons access.ReasonSet
}{
	{CheckDoor, set(access.ReasonUnknownDoor, access.ReasonNoPolicy)},
	{CheckRead, set(access.ReasonUnknownCredential, access.ReasonReadError)},
	{CheckCard, set(access.ReasonCredentialLost, access.ReasonCredentialSuspended, access.ReasonCredentialRevoked, access.ReasonCredentialExpired)},
	{CheckPerson, set(access.ReasonPersonInactive, access.ReasonContractExpired)},
	{CheckConditions, set(access.ReasonConditionsPending)},
	{CheckTraining, set(access.ReasonTrainingExpired)},
	{CheckGrant, set(access.ReasonNoGrant, access.ReasonGrantExpired, access.ReasonGrantNotYet, access.ReasonOutsideSchedule)},
	{CheckAssurance, set(access.ReasonAssuranceLow)},
	{CheckPIN, set(access.ReasonPINRequired, access.ReasonPINBad, access.ReasonPINLocked)},
	{CheckMode, set(access.ReasonDoorLocked, access.ReasonLockdown)},
	{CheckFooting, set(access.ReasonClockUntrusted, access.ReasonPolicyBehind, access.ReasonPolicyExpired, access.ReasonOfflineDeny,
		access.ReasonOutboxFull, access.ReasonNotDurable)},
}

func set(reasons ...access.Reason) (s access.ReasonSet) {
	for _, r := range reasons {
		s = s.With(r)
	}
	return s
}

// Result of one check.
type Result string

// The results.
const (
	Passed    Result = "passed"
	Failed    Result = "failed"
	Flagged   Result = "flagged"    // failed, and the decision grants all the same: a finding
	Asked     Result = "asked"      // the door asks for more: a PIN, a second person, an escort
	NotLooked Result = "not_looked" // an earlier check left nothing to look at
)

// Line is one check with what came of it.
type Line struct {
	Check   Check
	Result  Result
	Reasons []access.Reason // that failed, in order of precedence; empty when passed
}

// Lines takes a decision apart into its checks: every check once, in their order.
func Lines(d access.Decision) []Line {
	lines := make([]Line, 0, len(checks)+1)
	rest := d.Failed
	for _, c := range checks {
		lines = append(lines, line(c.check, d, d.Failed&c.reasons))
		rest &^= c.reasons
	}
	return append(lines, line(CheckZone, d, rest))
}

func line(c Check, d access.Decision, failed access.ReasonSet) Line {
	l := Line{Check: c, Result: Passed}
	for _, r := range access.Reasons() {
		if failed.Has(r) {
			l.Reasons = append(l.Reasons, r)
		}
	}
	noDoor := d.Failed.Has(access.ReasonUnknownDoor) || d.Failed.Has(access.ReasonNoPolicy)
	noCard := d.Failed.Has(access.ReasonUnknownCredential) || d.Failed.Has(access.ReasonReadError) || d.Failed.Has(access.ReasonNoPolicy)
	switch {
	case len(l.Reasons) > 0 && d.Outcome == access.Granted:
		l.Result = Flagged
	case failed == set(access.ReasonPINRequired), len(l.Reasons) > 0 && d.Outcome != access.Denied:
		l.Result = Asked
	case len(l.Reasons) > 0:
		l.Result = Failed
	case noCard && onCard(c), noDoor && onDoor(c):
		l.Result = NotLooked
	}
	return l
}

// onCard: without a card there is nothing that this check could look at.
func onCard(c Check) bool {
	switch c {
	case CheckDoor, CheckRead, CheckMode, CheckFooting:
		return false
	}
	return true
}

// onDoor: without a door there is no zone whose rules could be asked.
func onDoor(c Check) bool {
	switch c {
	case CheckDoor, CheckRead, CheckCard, CheckPerson:
		return false
	}
	return true
}
