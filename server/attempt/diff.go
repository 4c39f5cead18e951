package attempt

import (
	"bytes"
	"fmt"
)

// Diff names the columns in which a stored row differs from the one the leaves give; empty when they
// are the same.
func Diff(stored, want *Row) []string {
	var out []string
	text := func(column, a, b string) {
		if a != b {
			out = append(out, fmt.Sprintf("%s is %q, the leaves give %q", column, a, b))
		}
	}
	number := func(column string, a, b int64) {
		if a != b {
			out = append(out, fmt.Sprintf("%s is %d, the leaves give %d", column, a, b))
		}
	}
	if stored.ID != want.ID {
		out = append(out, fmt.Sprintf("attempt is %x, the leaves give %x", stored.ID, want.ID))
	}
	number("first_idx", stored.First, want.First)
	number("last_idx", stored.Last, want.Last)
	number("decision_idx", stored.Decision, want.Decision)
	number("opening_idx", stored.Opening, want.Opening)
	text("day", stored.Day, want.Day)
	text("gateway", stored.Gateway, want.Gateway)
	text("door", stored.Door, want.Door)
	text("side", stored.Side, want.Side)
	text("outcome", stored.Outcome, want.Outcome)
	text("reason", stored.Reason, want.Reason)
	text("failed", stored.Failed, want.Failed)
	text("decided_by", stored.DecidedBy, want.DecidedBy)
	number("policy", int64(stored.Policy), int64(want.Policy))
	number("from_ms", stored.FromMS, want.FromMS)
	number("to_ms", stored.ToMS, want.ToMS)
	number("received_ms", stored.Received, want.Received)
	text("passage", stored.Passage, want.Passage)
	number("passed_ms", stored.PassedMS, want.PassedMS)
	number("closed_ms", stored.ClosedMS, want.ClosedMS)
	if !bytes.Equal(stored.PersonRef, want.PersonRef) {
		out = append(out, fmt.Sprintf("person_ref is %x, the openings give %x", stored.PersonRef, want.PersonRef))
	}
	number("flags", int64(stored.Flags), int64(want.Flags))
	return out
}
