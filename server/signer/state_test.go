package signer

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// I8, I5: no flipped bit in signed.json goes unnoticed: a smaller number would let an older policy or a log without its end be
// signed. A file of before, without a checksum, is still read.
func TestDamagedStateIsRefused(t *testing.T) {
	t.Parallel()
	state := lastSigned{Size: 1234, Root: tlog.Hash{1, 2, 3}, Policies: map[string]uint64{"gw-1": 42, "gw-2": 7}}
	text, err := state.encode()
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b lastSigned) bool {
		return a.Size == b.Size && a.Root == b.Root && len(a.Policies) == len(b.Policies) && a.Policies["gw-1"] == b.Policies["gw-1"] && a.Policies["gw-2"] == b.Policies["gw-2"]
	}
	if got, err := decodeState(string(text)); err != nil || !same(got, state) {
		t.Fatalf("whole: %+v, %v", got, err)
	}
	for at := range text {
		for bit := range 8 {
			bad := []byte(string(text))
			bad[at] ^= 1 << bit
			if got, err := decodeState(string(bad)); err == nil && !same(got, state) {
				t.Fatalf("byte %d bit %d: %+v in silence", at, bit, got)
			}
		}
	}
	old, _, _ := strings.Cut(string(text), `,"sha256"`)
	if got, err := decodeState(old + "}"); err != nil || !same(got, state) {
		t.Errorf("a file of before: %+v, %v", got, err)
	}
	dir := t.TempDir()
	if err := Create(dir, "hall", zeroes{}); err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(text), "42", "41", 1)
	path := filepath.Join(dir, stateFile)
	if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("a floor that has fallen: %v", err)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }
