package entrylog

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// EV-9: the ranges of a disposal survive being written into leaves, however many leaves that takes, and hold exactly the indices.
func TestSpans(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s Spans
		in := map[int64]bool{}
		at := r.Int64N(5)
		for range r.IntN(400) {
			s, in[at] = s.Add(at), true
			at += 1 + r.Int64N(3)*r.Int64N(50)
		}
		var back Spans
		for _, text := range s.Texts(100) {
			if len(text) > 100 {
				t.Fatalf("a piece of %d characters", len(text))
			}
			if err := checkWord("ranges", text, 100); err != nil {
				t.Fatal(err)
			}
			part, err := ParseSpans(text)
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, part...)
		}
		if !slices.Equal(back, s) || s.Count() != int64(len(in)) {
			t.Fatalf("%v became %v", s, back)
		}
		for i := range at + 3 {
			if s.Has(i) != in[i] {
				t.Fatalf("Has(%d) = %v", i, s.Has(i))
			}
		}
		cut := len(s) / 2
		if got := Merge(s[cut:], s[:cut], s); !slices.Equal(got, s) {
			t.Fatalf("merged: %v, want %v", got, s)
		}
	}
	for _, bad := range []string{"", "1", "1:0", "-1:2", "01:2", "1:2/0:3", "1:2/", "9223372036854775807:1", "1:2 3:4"} {
		if got, err := ParseSpans(bad); err == nil {
			t.Errorf("%q was read as %v", bad, got)
		}
	}
	if n, ok := DroppedBy(DroppedBody(77)); n != 77 || !ok {
		t.Errorf("dropped body: %d %v", n, ok)
	}
	for _, bad := range []string{`{"leaf":1}`, `{"dropped":07}`, `{"dropped":7} `, `{"dropped":7`, `{"dropped":}`} {
		if n, ok := DroppedBy([]byte(bad)); ok {
			t.Errorf("%s reads as dropped by %d", bad, n)
		}
	}
}
