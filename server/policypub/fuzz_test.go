package policypub

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
)

// FuzzLoadKeys: the file of the site's symmetric keys is read whole or refused: a damaged one never gives a key of zeros.
func FuzzLoadKeys(f *testing.F) {
	path := filepath.Join(f.TempDir(), "site-keys.json")
	k, err := NewKeys(rand.Reader)
	if err == nil {
		k, err = k.With("gw-1", rand.Reader)
	}
	if err == nil {
		err = k.Save(path)
	}
	if err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := LoadKeys(path); err == nil && k.CardVersion == 0 {
			t.Error("keys of version 0")
		}
	})
}
