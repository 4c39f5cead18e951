package keystore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"monban/server/entrylog"
)

var run1 = Disposal{Run: "disposal-2030-00001", Class: entrylog.ClassRegister, FiscalYear: 2026, Asked: "a", Approved: "b", AtMS: 1}

// withCopy makes a key store with a copy on "another medium", a sealed opening, and the wrapped key as it stands in the files.
func withCopy(t *testing.T) (path, master, second string, commit entrylog.Hash, s Sealed, wrapped []byte) {
	t.Helper()
	path, master = create(t)
	second = filepath.Join(t.TempDir(), "copy.json")
	ks, err := Open(path, master, rand.Reader, second)
	if err != nil {
		t.Fatal(err)
	}
	if commit, s, err = ks.Seal(register, &entrylog.Opening{Name: "﨑山"}); err != nil {
		t.Fatal(err)
	}
	wrapped = []byte(base64.StdEncoding.EncodeToString(ks.keys[register].wrapped))
	for _, p := range []string{path, second} {
		if data, err := os.ReadFile(p); err != nil || !bytes.Contains(data, wrapped) {
			t.Fatalf("%s does not hold the new key: %v", p, err)
		}
	}
	return path, master, second, commit, s, wrapped
}

// EV-9: a destroyed key is in neither file, cannot be made again, and what it sealed opens nowhere.
func TestDestroyBothCopies(t *testing.T) {
	path, master, second, commit, s, wrapped := withCopy(t)
	ks, err := Open(path, master, rand.Reader, second)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // again after a crash
		if n, err := ks.Destroy(run1); err != nil || n != 2 {
			t.Fatalf("destroyed in %d files: %v", n, err)
		}
	}
	for _, p := range []string{path, second} {
		if data, err := os.ReadFile(p); err != nil || bytes.Contains(data, wrapped) {
			t.Errorf("%s still holds the key (%v)", p, err)
		}
		if _, err := os.Stat(p + ".new"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s.new was left", p)
		}
	}
	if _, _, _, err := ks.Open(commit, s); !errors.Is(err, ErrNoKey) {
		t.Errorf("opens after: %v", err)
	}
	if _, _, err := ks.Seal(register, &entrylog.Opening{Name: "x"}); !errors.Is(err, ErrDestroyed) {
		t.Errorf("a destroyed key was made again: %v", err)
	}
	if l := open(t, path, master).Disposals(); len(l) != 1 || l[0] != run1 {
		t.Errorf("list: %v", l)
	}
}

// EV-9: whichever of the two files a crash left behind, the next start ends with the key in neither.
func TestDestroyCutOff(t *testing.T) {
	for _, behind := range []int{0, 1} {
		path, master, second, commit, s, wrapped := withCopy(t)
		files := []string{path, second}
		old, err := os.ReadFile(files[behind])
		if err != nil {
			t.Fatal(err)
		}
		ks, err := Open(path, master, rand.Reader, second)
		if err == nil {
			_, err = ks.Destroy(run1)
		}
		if err == nil {
			err = os.WriteFile(files[behind], old, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if ks, err = Open(path, master, rand.Reader, second); err != nil {
			t.Fatal(err)
		}
		for _, p := range files {
			if data, err := os.ReadFile(p); err != nil || bytes.Contains(data, wrapped) {
				t.Errorf("behind %d: %s holds the key after the next start (%v)", behind, p, err)
			}
		}
		if _, _, _, err := ks.Open(commit, s); !errors.Is(err, ErrNoKey) {
			t.Errorf("behind %d: opens: %v", behind, err)
		}
		if err := ks.CheckCopies(); err != nil {
			t.Errorf("behind %d: %v", behind, err)
		}
	}
}

// EV-9: with a copy out of reach doors go on and nothing is called destroyed; when it is back it gets what it missed.
func TestCopyAway(t *testing.T) {
	path, master, second, _, _, _ := withCopy(t)
	away := filepath.Dir(second) + ".away"
	if err := os.Rename(filepath.Dir(second), away); err != nil {
		t.Fatal(err)
	}
	ks, err := Open(path, master, rand.Reader, second)
	if err != nil {
		t.Fatalf("a missing copy stops the start: %v", err)
	}
	if ks.Copies()[0].Err == nil || ks.CheckCopies() == nil {
		t.Error("a copy that is away is not told")
	}
	next := Period{2027, entrylog.ClassRegister}
	if _, _, err := ks.Seal(next, &entrylog.Opening{Name: "x"}); err != nil {
		t.Fatalf("a new year's key waits for the copy: %v", err)
	}
	if _, err := ks.Destroy(run1); err == nil {
		t.Error("destroyed, though a copy is away")
	}
	if err := os.Rename(away, filepath.Dir(second)); err != nil {
		t.Fatal(err)
	}
	if err := ks.CheckCopies(); err != nil {
		t.Fatal(err)
	}
	copied := open(t, second, master)
	if !copied.Has(next) || copied.Has(register) {
		t.Error("the copy that came back was not brought up to date")
	}
}

// A file that is another site's is never written over.
func TestForeignCopy(t *testing.T) {
	path, master, _, _, _, _ := withCopy(t)
	other, _, _, _, _, _ := withCopy(t)
	before, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	ks, err := Open(path, master, rand.Reader, other)
	if err != nil {
		t.Fatal(err)
	}
	if ks.CheckCopies() == nil || ks.Copies()[0].Err == nil {
		t.Error("another site's file passes for a copy")
	}
	if after, _ := os.ReadFile(other); !bytes.Equal(before, after) {
		t.Error("another site's key store was written over")
	}
}
