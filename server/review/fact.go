package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// Fact is one thing a gateway recorded, as rules see it: no person, no card.
type Fact struct {
	AtMS     int64 // middle of the occurred interval, UTC ms
	Gateway  access.GatewayID
	Door     access.DoorID
	Side     access.Side
	Event    door.Event
	Attempt  door.Attempt
	By       access.DecidedBy
	Outcome  access.Outcome // of a granted or denied event
	Reason   access.Reason
	Failed   access.ReasonSet
	Observed bool   // the door is of kind observe: no lock, nothing can be forced
	KeyOut   bool   // a mechanical key of the door was lent then (DS-7)
	Carrying bool   // a carry session was open at the door then: it may stand open (EQ-1)
	Detail   string // machine word of the record
	Leaf     int64  // index of the leaf that says so
	// Judged is the server's own decision on a grant or denial that the gateway made alone;
	// meaningful when Rejudged.
	Rejudged bool
	Judged   access.Decision
	// Then is what the rules say that the gateway held, on the inputs that it decided on; meaningful
	// when KnowsThen. HeldRules and NowRules are the versions of the two, 0 when not known.
	KnowsThen           bool
	Then                access.Decision
	HeldRules, NowRules uint64
	DelayMS             int64 // from what happened until the record was here
}

// Rule looks at one fact and at what the same door reported before it (oldest first, as far back as
// Window) and gives a finding or none. Rules are pure.
type Rule func(f Fact, before []Fact) (Finding, bool)

// Rules lists every rule, in the order in which their findings are written.
func Rules() []Rule {
	return []Rule{
		forcedOpen, keyEntry, heldOpen, insideOpen, exitUnattributed, exitInvalidCard, unknownCardRepeated,
		pinLocked, tamper, lineFault, readerLost, strikeFailed, fireRelease, clockStep, decisionMismatch,
		recoveryUsed, uncleanBoot, mainsLost, batteryLow, antiPassback, emergencyEntry, trainingExpired, zoneUnknown,
	}
}

// Judge runs every rule over one fact. before is needed only when NeedsBefore says so.
func Judge(f Fact, before []Fact) []Finding {
	var out []Finding
	for _, rule := range Rules() {
		if found, ok := rule(f, before); ok {
			found.AtMS, found.Gateway, found.Door, found.Attempt = f.AtMS, f.Gateway, f.Door, f.Attempt
			out = append(out, found)
		}
	}
	return out
}

// NeedsBefore reports whether some rule looks back from f, so that the caller reads the door's
// past only then.
func NeedsBefore(f Fact) bool { return isUnknownCard(f) }

// Window is how far back a rule looks, ms.
const Window = unknownCardWindowMS

// on makes the finding of a rule that one event alone is enough for.
func on(f Fact, event door.Event, kind Kind) (Finding, bool) {
	if f.Event != event {
		return Finding{}, false
	}
	found := New(kind, f.Leaf)
	found.Detail = f.Detail
	return found, true
}
