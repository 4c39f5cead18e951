package entrylog

import (
	"bytes"
	"strings"
	"testing"
)

// FuzzParseCheckpoint: three lines in one form only; it is what the anchor file, a backup and a witness show (I8).
func FuzzParseCheckpoint(f *testing.F) {
	good := Checkpoint{Origin: "monban/0011aabb", Size: 7}.Text()
	f.Add(good)
	f.Add(strings.Replace(good, "AA", "A\rA", 1)) // a decoder of base64 passes over it
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := ParseCheckpointText(text); err == nil && c.Text() != text {
			t.Errorf("%q is read as %q", text, c.Text())
		}
		_ = OwnSignature([]byte(text))
	})
}

// FuzzParseOpening: what was sealed beside a leaf comes back as it was written, or not at all (PR-2).
func FuzzParseOpening(f *testing.F) {
	var o Opening
	if b, err := o.Append(nil); err == nil {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := ParseOpening(b)
		if err != nil {
			return
		}
		if again, err := o.Append(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q is read as %q (%v)", b, again, err)
		}
	})
}
