// Package review finds what a person has to look at (要確認) in what doors and gateways report.
//
// Each rule is one file with one pure function and one story in testdata. A finding is not a
// verdict: only a person's review says 違反 (violation). A finding names its cause so exactly that the
// same cause gives the same finding however often it is reported, and it holds no name and no card
// (PR-2).
package review

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
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

// ID identifies a finding: the first 16 bytes of SHA-256(kind ‖ 0x00 ‖ cause). One cause gives one
// finding of a kind, however often a batch is repeated.
type ID [16]byte

// String gives 32 hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Finding is one item to be looked at.
type Finding struct {
	ID       ID
	Kind     Kind
	Severity Severity
	AtMS     int64 // server's clock when it was found, UTC ms
	Gateway  access.GatewayID
	Door     access.DoorID
	Attempt  door.Attempt // zero when no attempt is meant
	// Cause is the machine word of what proves it: record:GATEWAY/EPOCH/SEQ, ask:ID, gap:…, see the
	// Cause functions. ≤ 200 characters of [a-z0-9_.:/-].
	Cause  string
	Detail string // machine word for the page, e.g. the reasons of both sides; ≤ 128 characters
}

// New makes a finding of a kind with the catalogue's severity.
func New(kind Kind, cause string) Finding {
	sum := sha256.Sum256([]byte(string(kind) + "\x00" + cause))
	return Finding{ID: ID(sum[:16]), Kind: kind, Severity: kind.Entry().Severity, Cause: cause}
}

// Leaf is the system leaf of a finding (EV-1). What a person later says about it are leaves of their own.
func (f *Finding) Leaf() entrylog.System {
	attempt := ""
	if f.Attempt != (door.Attempt{}) {
		attempt = hex.EncodeToString(f.Attempt[:])
	}
	return entrylog.System{
		Name: entrylog.SystemFinding, AtMS: f.AtMS,
		Values: []string{string(f.Kind), f.Severity.String(), string(f.Gateway), string(f.Door), attempt, f.Cause},
	}
}

// CauseRecord names a gateway's record.
func CauseRecord(gw access.GatewayID, epoch wire.Epoch, seq uint64) string {
	return "record:" + position(gw, epoch, seq)
}

// CauseDecision names an answer of the server.
func CauseDecision(id wire.AskID) string { return "ask:" + hex.EncodeToString(id[:]) }

// CauseAttempt names an attempt as a whole.
func CauseAttempt(a door.Attempt) string { return "attempt:" + hex.EncodeToString(a[:]) }

// CauseChain names a place in a gateway's chain at which something does not fit. what tells apart
// several faults at one place.
func CauseChain(gw access.GatewayID, epoch wire.Epoch, seq uint64, what string) string {
	return "chain:" + position(gw, epoch, seq) + ":" + what
}

func position(gw access.GatewayID, epoch wire.Epoch, seq uint64) string {
	return fmt.Sprintf("%s/%s/%s", gw, hex.EncodeToString(epoch[:]), strconv.FormatUint(seq, 10))
}
