package entrylog

import (
	"fmt"
	"strconv"
)

// Names of system leaves. Each has a fixed list of fields (SystemFields).
const (
	SystemGenesis    = "genesis"            // first leaf of every log
	SystemSuccession = "succession"         // first leaf of a log that follows a restored one (D22), see Succession
	SystemPolicy     = "policy_hash"        // a compiled policy came into force (D16)
	SystemKeys       = "keys"               // a keys note came into force (D18)
	SystemContext    = "checkpoint_context" // software and schema that sign from here on
	SystemCoverage   = "coverage"           // a gateway was heard, or not, over an interval (I10)
	SystemFinding    = "finding"            // something a person has to look at
	SystemGap        = "gap"                // a gateway's records are missing; the chain goes on after them
	SystemCosigned   = "cosigned"           // what a witness held at the end of a day (EV-4): its row cannot go unnoticed
	SystemQuarantine = "quarantine"         // a record whose key exists with other bytes (D20)
	SystemDisposal   = "disposal"           // reserved: written by none, the five below say more
)

// Names of the leaves of retention: what was destroyed, when and on whose word. They are kept for ever.
const (
	SystemDisposalStarted = "disposal_started" // before anything is destroyed
	SystemDisposalRange   = "disposal_range"   // which leaves lose their bodies and openings
	SystemDisposalChain   = "disposal_chain"   // where a gateway's chain goes on after its dropped records
	SystemDisposalDone    = "disposal_done"    // nothing of it is left
	SystemErased          = "erased"           // one leaf's opening was erased on a decision
)

// SystemFields lists the fields of a system leaf in their order; nil for a name that does not exist.
func SystemFields(name string) []string {
	switch name {
	case SystemGenesis:
		return []string{"origin", "zone"} // checkpoint origin; time zone of days and fiscal years
	case SystemSuccession:
		return []string{"origin", "before", "size", "root", "known", "known_root", "known_sig", "from", "to", "since", "why"}
	case SystemPolicy:
		return []string{"gateway", "part", "version", "sum"}
	case SystemKeys:
		return []string{"version", "sum"}
	case SystemContext:
		return []string{"software", "schema"}
	case SystemCoverage:
		return []string{"gateway", "from", "to", "state", "heard"}
	case SystemFinding:
		return []string{"kind", "severity", "gateway", "door", "attempt", "cause", "detail"}
	case SystemGap:
		return []string{"gateway", "epoch", "seq", "h"} // the chain goes on after seq, whose hash is h
	case SystemCosigned:
		return []string{"witness", "day", "origin", "size", "sum"} // sum: SHA-256 of key, LF, note
	case SystemQuarantine:
		return []string{"gateway", "epoch", "seq", "sum"}
	case SystemDisposal:
		return []string{"step", "class", "fiscal_year", "count", "method"}
	case SystemDisposalStarted:
		return []string{"run", "class", "fiscal_year", "leaves", "openings", "key", "method", "asked", "approved"}
	case SystemDisposalRange:
		return []string{"started", "ranges"} // leaf of disposal_started; Spans
	case SystemDisposalChain:
		return []string{"started", "gateway", "epoch", "from", "to", "h", "idx"} // h: chain hash at to, the record of leaf idx
	case SystemDisposalDone:
		return []string{"started", "class", "fiscal_year", "rows", "copies"}
	case SystemErased:
		return []string{"index", "decision"}
	}
	return nil
}

// wordLimit bounds the values of a system leaf, in characters.
func wordLimit(name string) int {
	if name == SystemDisposalRange {
		return MaxSpanText
	}
	return 256
}

// System is a `system` leaf. Values stand in the order of SystemFields(Name); each is a machine word
// of at most 256 characters, those of a disposal_range of at most MaxSpanText.
type System struct {
	Name   string
	Values []string
	AtMS   int64
	Commit Hash
}

// Value gives the value of a field, "" when the leaf has none of that name.
func (y *System) Value(key string) string {
	for i, k := range SystemFields(y.Name) {
		if k == key && i < len(y.Values) {
			return y.Values[i]
		}
	}
	return ""
}

// Uint gives the value of a numeric field; ok is false when it is not a canonical unsigned number.
func (y *System) Uint(key string) (n uint64, ok bool) {
	s := scan{b: []byte(y.Value(key))}
	n = s.uint()
	return n, s.end() == nil
}

// Int gives the value of a signed numeric field, e.g. a time in ms.
func (y *System) Int(key string) (n int64, ok bool) {
	s := scan{b: []byte(y.Value(key))}
	n = s.int()
	return n, s.end() == nil
}

// Hex fills dst from a field of lower-case hex digits; false when it does not fit.
func (y *System) Hex(key string, dst []byte) bool {
	s := scan{b: append(append([]byte{'"'}, y.Value(key)...), '"')}
	s.hex(dst)
	return s.end() == nil
}

// HexText gives b as lower-case hex digits, for values of system leaves.
func HexText(b []byte) string {
	q := appendHex(nil, b)
	return string(q[1 : len(q)-1])
}

func (y *System) check() error {
	keys := SystemFields(y.Name)
	if keys == nil {
		return fmt.Errorf("system leaf: no such name %q", y.Name)
	}
	if len(y.Values) != len(keys) {
		return fmt.Errorf("system leaf %s: %d values for %d fields", y.Name, len(y.Values), len(keys))
	}
	for i, v := range y.Values {
		if err := checkWord(keys[i], v, wordLimit(y.Name)); err != nil {
			return fmt.Errorf("system leaf %s: %w", y.Name, err)
		}
	}
	return nil
}

// Append appends the canonical bytes of y.
func (y *System) Append(dst []byte) ([]byte, error) {
	if err := y.check(); err != nil {
		return nil, err
	}
	dst = append(dst, headSystem...)
	dst = strconv.AppendInt(dst, y.AtMS, 10)
	dst = append(dst, `,"name":`...)
	dst = appendString(dst, y.Name)
	for i, k := range SystemFields(y.Name) {
		dst = append(dst, ',', '"')
		dst = append(dst, k...)
		dst = append(dst, '"', ':')
		dst = appendString(dst, y.Values[i])
	}
	dst = append(dst, `,"commit":`...)
	dst = appendHash(dst, y.Commit)
	return append(dst, '}'), nil
}

// ParseSystem is the inverse of Append.
func ParseSystem(b []byte) (y System, err error) {
	s := scan{b: b}
	s.lit(headSystem)
	y.AtMS = s.int()
	s.lit(`,"name":`)
	y.Name = s.word(64)
	if s.err != nil {
		return System{}, fmt.Errorf("system leaf: %w", s.err)
	}
	for _, k := range SystemFields(y.Name) {
		s.lit(`,"` + k + `":`)
		y.Values = append(y.Values, s.word(wordLimit(y.Name)))
	}
	s.lit(`,"commit":`)
	y.Commit = s.hash()
	s.lit("}")
	if err := s.end(); err != nil {
		return System{}, fmt.Errorf("system leaf %s: %w", y.Name, err)
	}
	if err := y.check(); err != nil {
		return System{}, err
	}
	return y, nil
}
