package app

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzIdentity: the files of an identity, of any content, are read or refused; the process goes on.
func FuzzIdentity(f *testing.F) {
	f.Add("monban/s/root+1f1b40a1+AQ==\n", "keys\n", `{"card_key":{"version":1,"key":"AAAA"}}`, "PRIVATE+KEY+a+b+c", "-----BEGIN CERTIFICATE-----\n")
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, root, keys, symmetric, noteKey, pair string) {
		for name, text := range map[string]string{rootFile: root, keysFile: keys, "symmetric.json": symmetric, "note.key": noteKey, certificateFile: pair} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = loadBelief(dir)
		if id, err := LoadIdentity(dir); err == nil && len(id.Keys.AskKey) != 32 {
			t.Error("an identity without an ask key")
		}
	})
}
