package access

import (
	"bytes"
	"testing"
)

// FuzzDecodeModes: the part of the policy with the doors' modes is read in one form only (D13, I9).
func FuzzDecodeModes(f *testing.F) {
	for _, m := range []Modes{{Version: 1}, {Version: 7, Doors: []DoorModeItem{{Door: "server-room-1", Mode: ModeLockdown}}}} {
		if b, err := EncodeModes(m); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := DecodeModes(b)
		if err != nil {
			return
		}
		if again, err := EncodeModes(m); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q is read as %q (%v)", b, again, err)
		}
	})
}
