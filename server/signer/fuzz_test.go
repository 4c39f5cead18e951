package signer

import "testing"

// FuzzState: the files of a signer, its state and a key, are read or refused; a state that is read and written
// again is the same one, so no floor falls (I5, I8).
func FuzzState(f *testing.F) {
	if b, err := (lastSigned{Size: 3, Policies: map[string]uint64{"gw-1": 9}}).encode(); err == nil {
		f.Add(string(b))
	}
	f.Add(`{"size":1,"policies":{"g":2}}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseKey(text)
		_, _ = verifierKey(text)
		s, err := decodeState(text)
		if err != nil {
			return
		}
		b, err := s.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeState(string(b))
		if err != nil || again.Size != s.Size || again.Root != s.Root || len(again.Policies) != len(s.Policies) {
			t.Errorf("%+v is read as %+v (%v)", s, again, err)
		}
	})
}
