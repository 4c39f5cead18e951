package attempt

import (
	"crypto/sha256"
	"strconv"

	"monban/server/entrylog"
)

// Statuses of a finding.
const (
	StatusOpen     = "open"
	StatusInReview = "in_review"
	StatusClosed   = "closed"
)

// Finding is something a person has to look at (要確認): one `finding` system leaf, one row.
type Finding struct {
	Idx      int64  // leaf
	Kind     string // snake_case
	Severity string // low, medium, high
	Gateway  string
	Door     string
	Attempt  [16]byte // zero = none
	Cause    int64    // leaf that shows it, NoIndex = none
	Detail   string   // machine word
	AtMS     int64    // when it happened, server time, UTC ms

	Day       string // of AtMS in the site's zone
	Status    string
	StatusIdx int64 // leaf that set Status
}

// Leaf is the finding as a system leaf.
func (f *Finding) Leaf() entrylog.System {
	id, cause := "", ""
	if f.Attempt != [16]byte{} {
		id = entrylog.HexText(f.Attempt[:])
	}
	if f.Cause != NoIndex {
		cause = strconv.FormatInt(f.Cause, 10)
	}
	return entrylog.System{Name: entrylog.SystemFinding, AtMS: f.AtMS,
		Values: []string{f.Kind, f.Severity, f.Gateway, f.Door, id, cause, f.Detail}}
}

// ParseFinding makes the row of a finding leaf as it was when the leaf was written; false when the
// leaf's values have not the form that Leaf gives them.
func (fo Fold) ParseFinding(idx int64, y *entrylog.System) (f Finding, ok bool) {
	f = Finding{
		Idx: idx, Kind: y.Value("kind"), Severity: y.Value("severity"), Gateway: y.Value("gateway"),
		Door: y.Value("door"), Cause: NoIndex, Detail: y.Value("detail"), AtMS: y.AtMS,
		Day: entrylog.Day(y.AtMS, fo.Zone), Status: StatusOpen, StatusIdx: idx,
	}
	if y.Value("attempt") != "" && !y.Hex("attempt", f.Attempt[:]) {
		return f, false
	}
	if y.Value("cause") != "" {
		if f.Cause, ok = y.Int("cause"); !ok {
			return f, false
		}
	}
	return f, true
}

// FindingStatus tells which finding an action moves, and to which status; ok is false for every
// other action.
func FindingStatus(a *entrylog.Action) (idx int64, status string, ok bool) {
	if a.Target != "finding" || a.Result == "refused" {
		return 0, "", false
	}
	switch a.Verb {
	case "finding_taken", "finding_assigned":
		status = StatusInReview
	case "finding_justified", "finding_violation", "finding_mistake", "finding_incident", "finding_closed":
		status = StatusClosed
	case "finding_reopened":
		status = StatusOpen
	default:
		return 0, "", false
	}
	idx, err := strconv.ParseInt(a.ID, 10, 64)
	return idx, status, err == nil
}

// Coverage says whether a gateway was heard over an interval of server time (I10).
type Coverage struct {
	Idx     int64
	Gateway string
	FromMS  int64
	ToMS    int64
	State   string // alive, dead
	Heard   uint64 // heartbeats
}

// Leaf is the statement as a system leaf.
func (c *Coverage) Leaf(atMS int64) entrylog.System {
	return entrylog.System{Name: entrylog.SystemCoverage, AtMS: atMS, Values: []string{
		c.Gateway, strconv.FormatInt(c.FromMS, 10), strconv.FormatInt(c.ToMS, 10), c.State, strconv.FormatUint(c.Heard, 10),
	}}
}

// ParseCoverage is the inverse of Leaf.
func ParseCoverage(idx int64, y *entrylog.System) (c Coverage, ok bool) {
	c = Coverage{Idx: idx, Gateway: y.Value("gateway"), State: y.Value("state")}
	var a, b, d bool
	c.FromMS, a = y.Int("from")
	c.ToMS, b = y.Int("to")
	c.Heard, d = y.Uint("heard")
	return c, a && b && d
}

// QuarantineLeaf commits to a record that is kept outside the chain (D20).
func QuarantineLeaf(gateway string, epoch [16]byte, seq uint64, body []byte, atMS int64) entrylog.System {
	sum := sha256.Sum256(body)
	return entrylog.System{Name: entrylog.SystemQuarantine, AtMS: atMS, Values: []string{
		gateway, entrylog.HexText(epoch[:]), strconv.FormatUint(seq, 10), entrylog.HexText(sum[:]),
	}}
}

// PolicyLeaf commits to a compiled policy part (D16) by its SHA-256.
func PolicyLeaf(gateway, part string, version uint64, bytes []byte, atMS int64) (entrylog.System, entrylog.Hash) {
	sum := sha256.Sum256(bytes)
	return entrylog.System{Name: entrylog.SystemPolicy, AtMS: atMS, Values: []string{
		gateway, part, strconv.FormatUint(version, 10), entrylog.HexText(sum[:]),
	}}, sum
}
