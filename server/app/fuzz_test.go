package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzBackupManifest: a backup's manifest is read or refused, and names no file outside of the backup (D22).
func FuzzBackupManifest(f *testing.F) {
	f.Add(`{"version":1,"site":"s","files":{"monban.db":"00"}}`)
	f.Add(`{"version":1,"site":"s","files":{"monban.db":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","../x":"00"}}`)
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, databaseFile), nil, 0o600); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(filepath.Join(dir, manifestFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := readManifest(dir, "s")
		if err != nil {
			return
		}
		for name := range m.Files {
			if strings.HasPrefix(name, "/") || strings.Contains("/"+name+"/", "/../") {
				t.Errorf("names %q", name)
			}
		}
	})
}
