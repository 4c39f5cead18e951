package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

const (
	// unknownCardWindowMS and unknownCardCount: a wrong card out of a purse is one read, perhaps two;
	// three within ten minutes is somebody trying.
	unknownCardWindowMS = 10 * 60 * 1000
	unknownCardCount    = 3
)

func isUnknownCard(f Fact) bool {
	return f.Event == door.EventDenied && f.Reason == access.ReasonUnknownCredential
}

// unknownCardRepeated: the third unknown card at one door within ten minutes. The fourth and later
// ones are told only when ten minutes lay between, so that one evening's trying is one item.
func unknownCardRepeated(f Fact, before []Fact) (Finding, bool) {
	if !isUnknownCard(f) {
		return Finding{}, false
	}
	count := 1
	for _, b := range before {
		if isUnknownCard(b) && b.Door == f.Door && b.AtMS <= f.AtMS && b.AtMS > f.AtMS-unknownCardWindowMS {
			count++
		}
	}
	if count != unknownCardCount {
		return Finding{}, false
	}
	return New(UnknownCardRepeated, f.Leaf), true
}
