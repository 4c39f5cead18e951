package entrylog

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Span is a range of leaves: From ≤ index < To.
type Span struct{ From, To int64 }

// Spans are ranges in order that neither touch nor overlap.
type Spans []Span

// MaxSpanText bounds the text of Spans in one leaf, in characters.
const MaxSpanText = 12 << 10

// Add adds an index that is above all that are in s.
func (s Spans) Add(idx int64) Spans {
	if n := len(s); n > 0 && s[n-1].To == idx {
		s[n-1].To++
		return s
	}
	return append(s, Span{idx, idx + 1})
}

// Has reports whether idx is in s.
func (s Spans) Has(idx int64) bool {
	i, _ := slices.BinarySearchFunc(s, idx, func(x Span, idx int64) int {
		if x.To <= idx {
			return -1
		}
		return 1
	})
	return i < len(s) && s[i].From <= idx
}

// Count is how many indices are in s.
func (s Spans) Count() (n int64) {
	for _, x := range s {
		n += x.To - x.From
	}
	return n
}

// Texts gives s in as many pieces as it takes, each no longer than limit characters: for every range how many leaves are
// passed over since the one before (in a piece's first range, since the log's beginning) and how many are in it.
func (s Spans) Texts(limit int) (out []string) {
	var b []byte
	at := int64(0)
	for _, x := range s {
		word := appendSpan(nil, at, x)
		if len(b) > 0 && len(b)+1+len(word) > limit {
			out = append(out, string(b))
			b = b[:0]
		}
		if len(b) == 0 {
			b = appendSpan(b, 0, x)
		} else {
			b = append(append(b, '/'), word...)
		}
		at = x.To
	}
	if len(b) > 0 {
		out = append(out, string(b))
	}
	return out
}

func appendSpan(b []byte, at int64, x Span) []byte {
	b = strconv.AppendInt(b, x.From-at, 10)
	return strconv.AppendInt(append(b, ':'), x.To-x.From, 10)
}

// ParseSpans reads one piece of Texts.
func ParseSpans(text string) (out Spans, err error) {
	at := int64(0)
	for i, word := range strings.Split(text, "/") {
		a, b, ok := strings.Cut(word, ":")
		skip, err1 := strconv.ParseInt(a, 10, 62)
		n, err2 := strconv.ParseInt(b, 10, 62)
		if !ok || err1 != nil || err2 != nil || skip < 0 || n < 1 || i > 0 && skip == 0 || at+skip+n < 0 || word != string(appendSpan(nil, 0, Span{skip, skip + n})) {
			return nil, fmt.Errorf("%q is no range of leaves", word)
		}
		out = append(out, Span{at + skip, at + skip + n})
		at += skip + n
	}
	return out, nil
}

// Merge gives the indices that are in any of the lists.
func Merge(lists ...Spans) (out Spans) {
	all := slices.Concat(lists...)
	slices.SortFunc(all, func(a, b Span) int { return int(min(max(a.From-b.From, -1), 1)) })
	for _, x := range all {
		if n := len(out); n > 0 && x.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, x.To)
			continue
		}
		out = append(out, x)
	}
	return out
}

const droppedHead = `{"dropped":`

// DroppedBody is what stands in the place of a body that the run begun by leaf started has disposed of. No leaf has it.
func DroppedBody(started int64) []byte { return fmt.Appendf(nil, "%s%d}", droppedHead, started) }

// DroppedBy tells which leaf began the run that disposed of a body; false for every body that is there.
func DroppedBy(body []byte) (started int64, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte(droppedHead))
	if !ok {
		return 0, false
	}
	started, err := strconv.ParseInt(strings.TrimSuffix(string(rest), "}"), 10, 64)
	return started, err == nil && bytes.Equal(body, DroppedBody(started))
}
