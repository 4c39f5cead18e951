package policypub

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// I9: no flipped bit in the site's keys goes unnoticed, for it would make every card unknown in silence; the error says what to do
// and quotes no key. A file of before, without a checksum, is still read.
func TestDamagedKeysAreRefused(t *testing.T) {
	t.Parallel()
	k, err := NewKeys(rand.Reader)
	if err == nil {
		k, err = k.With("gw-1", rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site-keys.json")
	if err := k.Save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func(a, b Keys) bool {
		return a.CardKey == b.CardKey && a.PINKey == b.PINKey && a.CardVersion == b.CardVersion && len(a.Gateways) == len(b.Gateways) && a.Gateways["gw-1"] == b.Gateways["gw-1"]
	}
	refused := 0
	for at := range whole {
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << bit
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadKeys(path)
			if err == nil {
				if !same(got, k) {
					t.Fatalf("byte %d bit %d: other keys in silence", at, bit)
				}
				continue
			}
			refused++
			if strings.ContainsAny(err.Error(), "\n") || !strings.Contains(err.Error(), path) {
				t.Fatalf("byte %d bit %d: %v", at, bit, err)
			}
		}
	}
	if refused < len(whole)*4 {
		t.Errorf("only %d of %d flipped bits are refused", refused, 8*len(whole))
	}
	// A file of before.
	old := strings.Replace(string(whole), `"monban_site_keys": 2`, `"monban_site_keys": 1`, 1)
	i := strings.Index(old, ",\n  \"sha256\"")
	if err := os.WriteFile(path, []byte(old[:i]+"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadKeys(path); err != nil || !same(got, k) {
		t.Errorf("a file of format 1: %v", err)
	}
}
