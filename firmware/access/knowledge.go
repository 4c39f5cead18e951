package access

import (
	"fmt"
	"math/bits"
	"strings"
)

// Primary is the member that comes first in the order of precedence, ReasonUndecided for the empty
// set (so that a set that was never filled denies).
func (s ReasonSet) Primary() Reason {
	if s == 0 {
		return ReasonUndecided
	}
	r := Reason(bits.TrailingZeros64(uint64(s)))
	if r >= reasonCount {
		return ReasonUndecided
	}
	return r
}

// MarshalText joins the names with "+"; a bit without a name is an error.
func (s ReasonSet) MarshalText() ([]byte, error) {
	if s>>reasonCount != 0 {
		return nil, fmt.Errorf("marshal reasons: bits %#x have no name", uint64(s>>reasonCount<<reasonCount))
	}
	return []byte(s.String()), nil
}

// UnmarshalText parses as ParseReasonSet does.
func (s *ReasonSet) UnmarshalText(b []byte) (err error) {
	*s, err = ParseReasonSet(string(b))
	return err
}

// ParseReasonSet reads what String writes: names joined by "+". An unknown name is an error and
// gives the empty set.
func ParseReasonSet(text string) (ReasonSet, error) {
	var s ReasonSet
	if text == "" {
		return s, nil
	}
	for name := range strings.SplitSeq(text, "+") {
		r, ok := ParseReason(name)
		if !ok {
			return 0, fmt.Errorf("parse reasons: unknown name %q", name)
		}
		s = s.With(r)
	}
	return s, nil
}

// String gives the stable name; an unknown kind reads "".
func (k Knowledge) String() string {
	if int(k) < len(knowledgeNames) {
		return knowledgeNames[k]
	}
	return ""
}

// With returns the set with k in it; a kind that does not exist adds nothing.
func (s KnowledgeSet) With(k Knowledge) KnowledgeSet {
	if k >= knowledgeCount {
		return s
	}
	return s | 1<<k
}

// Has reports whether k is in the set.
func (s KnowledgeSet) Has(k Knowledge) bool { return k < knowledgeCount && s&(1<<k) != 0 }

// KnowAll is the set of everything, which is what the server holds.
const KnowAll = KnowledgeSet(1<<knowledgeCount - 1)

// String joins the names with "+"; the empty set is "".
func (s KnowledgeSet) String() string {
	var b strings.Builder
	for k := Knowledge(0); k < knowledgeCount; k++ {
		if !s.Has(k) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('+')
		}
		b.WriteString(k.String())
	}
	return b.String()
}

// MarshalText joins the names with "+"; a bit without a name is an error.
func (s KnowledgeSet) MarshalText() ([]byte, error) {
	if s&^KnowAll != 0 {
		return nil, fmt.Errorf("marshal knowledge: bits %#x have no name", uint8(s&^KnowAll))
	}
	return []byte(s.String()), nil
}

// UnmarshalText parses as ParseKnowledgeSet does.
func (s *KnowledgeSet) UnmarshalText(b []byte) (err error) {
	*s, err = ParseKnowledgeSet(string(b))
	return err
}

// ParseKnowledgeSet reads what String writes. An unknown name is an error and gives the empty set.
func ParseKnowledgeSet(text string) (KnowledgeSet, error) {
	var s KnowledgeSet
	if text == "" {
		return s, nil
	}
	for name := range strings.SplitSeq(text, "+") {
		v, err := parseName(knowledgeNames, name, "knowledge", 0)
		if err != nil {
			return 0, err
		}
		s = s.With(Knowledge(v))
	}
	return s, nil
}
