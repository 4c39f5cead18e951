package keystore

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
)

// FuzzOpen: a key store file of any content is opened or refused; the process goes on.
func FuzzOpen(f *testing.F) {
	dir := f.TempDir()
	path, master := filepath.Join(dir, "keys.json"), filepath.Join(dir, "master.key")
	if err := Create(path, master, rand.Reader); err != nil {
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
		if ks, err := Open(path, master, rand.Reader); err == nil && ks == nil {
			t.Error("neither a store nor an error")
		}
	})
}
