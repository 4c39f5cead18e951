// Package review finds what a person has to look at (要確認) in what doors and gateways report.
//
// Each rule is one file with one pure function and one story in testdata. A finding is not a
// verdict: only a person's review says 違反 (violation). It holds no name and no card (PR-2).
package review

import (
	"encoding/hex"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// Severity orders findings. The zero value is low.
type Severity uint8

// Severities.
const (
	Low    Severity = iota // waits for the day review
	Medium                 // looked at the same day
	High                   // told at once
)

var severityNames = [...]string{"low", "medium", "high"}

// String gives the stable name; an unknown value reads "high", so that it is not overlooked.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return severityNames[High]
}

// ParseSeverity reads a stable name; any other string gives High and false.
func ParseSeverity(name string) (Severity, bool) {
	for i, n := range severityNames {
		if n == name {
			return Severity(i), true
		}
	}
	return High, false
}

// Finding is one item to be looked at.
type Finding struct {
	Kind     Kind
	Severity Severity
	AtMS     int64 // when what was found happened, UTC ms
	Gateway  access.GatewayID
	Door     access.DoorID // "" when no door is meant
	Attempt  door.Attempt  // zero when no attempt is meant
	// Cause is the index of the leaf that shows it, NoCause when none does. A leaf is written once, so
	// a batch that is repeated finds nothing twice.
	Cause  int64
	Detail string // machine word for the page: a reason, a fault, a place in a chain; ≤ 128 of [a-z0-9_.:/-]
	Once   Once   // how often the same is told; the log does not hold it
}

// NoCause stands for "no leaf shows it".
const NoCause = -1

// New makes a finding of a kind with the catalogue's severity. cause is a leaf index or NoCause.
func New(kind Kind, cause int64) Finding {
	return Finding{Kind: kind, Severity: kind.Entry().Severity, Cause: cause}
}

// Place is the detail of a finding about a gateway's chain: EPOCH/SEQ. It tells findings of one kind
// and gateway apart, so that the same fault reported again is not told again.
func Place(epoch wire.Epoch, seq uint64) string {
	return hex.EncodeToString(epoch[:]) + "/" + strconv.FormatUint(seq, 10)
}
