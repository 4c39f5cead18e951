package store

import (
	"bytes"
	"testing"

	"monban/server/entrylog"
	"monban/server/logcheck/independent"
)

// EV-1, EV-2: what the store writes, signs and proves holds for a program that shares no code with it and knows tlog and
// note alone; and what was changed does not.
func TestIndependentCheck(t *testing.T) {
	s, _ := template(t)
	st := s.open(t)
	data := bundleOf(t, st, s, BundleOptions{})
	l, err := independent.Check(bytes.NewReader(data), logKeyText(t, s))
	must(t, err)
	size := st.Size()
	if l.Leaves != size {
		t.Fatalf("%d leaves of %d", l.Leaves, size)
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		for idx := int64(0); idx < size; idx += 7 {
			body, proof, err := r.ProveLeaf(size, idx)
			must(t, err)
			if err := l.Included(size, idx, body, proof); err != nil {
				t.Errorf("leaf %d: %v", idx, err)
			}
			body[len(body)/2] ^= 1
			if l.Included(size, idx, body, proof) == nil {
				t.Errorf("leaf %d: a changed leaf is proved", idx)
			}
			if idx == 0 {
				continue
			}
			p, err := entrylog.ProveTree(size, idx, r.hashes)
			must(t, err)
			if err := l.Extends(size, idx, p); err != nil {
				t.Errorf("from %d: %v", idx, err)
			}
			if len(p) > 0 {
				p[0][3] ^= 1
				if l.Extends(size, idx, p) == nil {
					t.Errorf("from %d: a changed proof holds", idx)
				}
			}
		}
		return nil
	}))
	rnd := testSeed(t)
	at := bytes.Index(data, []byte("\nleaf 0 "))
	for range 50 {
		b := bytes.Clone(data)
		for {
			i := at + rnd.IntN(len(data)-at-200) // the last line is about the file, not the log
			if line := data[bytes.LastIndexByte(data[:i], '\n')+1:]; bytes.HasPrefix(line, []byte("leaf ")) && data[i] != '\n' {
				b[i] ^= 1
				break
			}
		}
		if _, err := independent.Check(bytes.NewReader(b), logKeyText(t, s)); err == nil {
			t.Error("a changed bundle is not found")
		}
	}
}
