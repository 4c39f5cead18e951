package review

import (
	"fmt"

	"monban/firmware/access"
)

// decisionMismatch: a gateway let somebody pass on its own decision, and either the server would not
// have with the rules of now, often because a right was taken away while the gateway was away, or not
// even the rules say so that the gateway held: then the gateway is at fault, or what it sent is.
func decisionMismatch(f Fact) (Finding, bool) {
	held := f.KnowsThen && f.Then.Outcome != access.Granted
	if !f.Rejudged || f.Outcome != access.Granted || f.Judged.Outcome == access.Granted && !held {
		return Finding{}, false
	}
	found := New(DecisionMismatch, f.Leaf)
	found.Detail = f.Judged.Primary.String()
	if f.NowRules != 0 {
		found.Detail += fmt.Sprintf(":%s:late-%ds", f.changed(held), max(f.DelayMS, 0)/1000)
	}
	return found, true
}

// changed says in one word what is different between the gateway's decision and the server's.
func (f *Fact) changed(held bool) string {
	modes := access.ReasonSet(0).With(access.ReasonLockdown).With(access.ReasonDoorLocked)
	switch {
	case held:
		return "held-" + f.Then.Primary.String() // its own rules refuse
	case !f.KnowsThen:
		return fmt.Sprintf("unknown-%d-%d", f.HeldRules, f.NowRules) // nothing says what it decided by
	case f.HeldRules != f.NowRules:
		return fmt.Sprintf("rules-%d-%d", f.HeldRules, f.NowRules)
	case f.Judged.Failed&^modes == 0:
		return "mode" // the door was closed or put in lockdown since, or the gateway did not know yet
	default:
		return "same" // same rules: its clock or what it knew around them
	}
}
