package review

import "monban/firmware/access"

// decisionMismatch: a gateway let somebody pass on its own decision, and the server, with the rules
// of now, would not have. The detail names the server's reason: often a right that was taken away
// while the gateway was away, which the reviewer sees at once.
func decisionMismatch(f Fact, _ []Fact) (Finding, bool) {
	if !f.Rejudged || f.Outcome != access.Granted || f.Judged.Outcome == access.Granted {
		return Finding{}, false
	}
	found := New(DecisionMismatch, f.Leaf)
	found.Detail = f.Judged.Primary.String()
	return found, true
}
