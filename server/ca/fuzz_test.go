package ca

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzLists: deny list and invites of any content are read or refused; the list that must withdraw trust always opens (OP-3).
func FuzzLists(f *testing.F) {
	f.Add("0123abcd gw-1 1795000000\n", `{"gateway":"gw-2","code":"AAAA","until":"2026-11-24T00:00:00Z"}`)
	dir := f.TempDir()
	if err := os.Mkdir(filepath.Join(dir, inviteDir), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, denied, invite string) {
		for name, text := range map[string]string{deniedFile: denied, filepath.Join(inviteDir, "gw-2.json"): invite} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = readList(filepath.Join(dir, deniedFile), true)
		c, err := OpenLists(dir)
		if err != nil {
			t.Fatalf("the lists do not open: %v", err)
		}
		_, _ = c.Invites()
	})
}
