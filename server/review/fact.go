package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// Fact is one thing a gateway recorded, as rules see it: no name, no person's id, no card's number.
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

	// What the log and the directory say around it, for the rules over time.
	ReceivedMS int64         // the log's clock: when it was here, UTC ms
	Late       bool          // long after it happened
	WidthMS    int64         // width of the occurred interval
	Person     uint64        // an opaque number of whoever it was, within this process; 0 = nobody is known
	Card       uint64        // the same of the card, known or not; 0 = none was read
	Into       access.ZoneID // the zone that a passage leads into, "" = outside every zone
	From       access.ZoneID // the zone that it leads out of, "" = from outside
	Escort     bool          // the person may escort (VE-2)
	Outsider   bool          // the zone lets the person in with an escort only
	Together   bool          // the zone asks people to go in together (AD-8, VE-2)
	OpenDay    bool          // the site was open on that day
	Minute     int           // of that day in the site's zone
	Before     Passage       // the person's passage before it
	After      Passage       // and after it, when it came late
	FirstMS    int64         // when the person passed a door first, 0 = never before
	Used       bool          // the person entered by this door before, not too long ago
	Covered    bool          // approved work covers it (VE-9); meaningful where AsksWork
	Named      bool          // the person's right names this hour: its schedule is not around the clock; the same
	Own        string        // what the person gave themselves: "grant", "group", "card"; "" = nothing
	Unsettled  bool          // records of another gateway of the zone may still come: what was before is not known
}

// area is the zone at whose border a passage was.
func (f *Fact) area() access.ZoneID {
	if f.Into != "" {
		return f.Into
	}
	return f.From
}

// Rule looks at one fact alone and gives a finding or none. Rules are pure. Those that look over time are Watch's.
type Rule func(f Fact) (Finding, bool)

// Rules lists every rule, in the order in which their findings are written.
func Rules() []Rule {
	return []Rule{
		forcedOpen, keyEntry, heldOpen, insideOpen, exitUnattributed, exitInvalidCard,
		pinLocked, tamper, lineFault, readerLost, strikeFailed, fireRelease, clockStep, decisionMismatch,
		recoveryUsed, uncleanBoot, mainsLost, batteryLow, antiPassback, emergencyEntry, trainingExpired, zoneUnknown,
		noEntry, lostCardUsed, inactivePersonCard, lateRecord,
	}
}

// Judge runs every rule over one fact.
func Judge(f Fact) []Finding {
	var out []Finding
	for _, rule := range Rules() {
		if found, ok := rule(f); ok {
			found.AtMS, found.Gateway, found.Door, found.Attempt = f.AtMS, f.Gateway, f.Door, f.Attempt
			out = append(out, found)
		}
	}
	return out
}

// on makes the finding of a rule that one event alone is enough for.
func on(f Fact, event door.Event, kind Kind) (Finding, bool) {
	if f.Event != event {
		return Finding{}, false
	}
	found := New(kind, f.Leaf)
	found.Detail = f.Detail
	return found, true
}
