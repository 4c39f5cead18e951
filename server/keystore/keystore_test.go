package keystore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"monban/server/entrylog"
)

func create(t *testing.T) (path, master string) {
	t.Helper()
	dir := t.TempDir()
	path, master = filepath.Join(dir, "keys.json"), filepath.Join(dir, "master.key")
	if err := Create(path, master, rand.Reader); err != nil {
		t.Fatal(err)
	}
	return path, master
}

func open(t *testing.T, path, master string) *KeyStore {
	t.Helper()
	ks, err := Open(path, master, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

var register = Period{FiscalYear: 2026, Class: entrylog.ClassRegister}

// D17: what is sealed opens after a restart, and nothing of it is in the sealed form.
func TestSealOpen(t *testing.T) {
	path, master := create(t)
	o := entrylog.Opening{Person: "s0001", Name: "髙橋 花子", Text: "x"}
	commit, sealed, err := open(t, path, master).Seal(register, &o)
	if err != nil {
		t.Fatal(err)
	}
	ks := open(t, path, master)
	got, raw, salt, err := ks.Open(commit, sealed)
	if err != nil || got.Name != o.Name {
		t.Fatalf("opened %+v, %v", got, err)
	}
	if entrylog.Commit(salt, raw) != commit {
		t.Error("salt and bytes do not give the commitment")
	}
	if bytes.Contains(sealed.Ciphertext, []byte("s0001")) || len(sealed.PersonRef) != 16 {
		t.Error("the sealed form is not sealed")
	}
	ref, err := ks.PersonRef(register, "s0001")
	if err != nil || !bytes.Equal(ref, sealed.PersonRef) {
		t.Errorf("reference %x, want %x (%v)", ref, sealed.PersonRef, err)
	}
	again, other, err := ks.Seal(register, &o)
	if err != nil || again == commit || bytes.Equal(other.Ciphertext, sealed.Ciphertext) {
		t.Error("the same opening sealed twice looks the same") // PR-2
	}
	if refs := ks.PersonRefs("s0001", entrylog.ClassRegister, entrylog.ClassAction); len(refs) != 1 {
		t.Errorf("%d references, want one per period with a key", len(refs))
	}
}

// Every column of a sealed opening is bound to the others and to its leaf.
func TestSealedIsBound(t *testing.T) {
	path, master := create(t)
	ks := open(t, path, master)
	o := entrylog.Opening{Person: "s0001"}
	commit, sealed, err := ks.Seal(register, &o)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := ks.Seal(Period{FiscalYear: 2027, Class: entrylog.ClassRegister}, &o); err != nil {
		t.Fatal(err)
	}
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
	for name, spoil := range map[string]func(c *entrylog.Hash, s *Sealed){
		"commit":        func(c *entrylog.Hash, _ *Sealed) { c[0] ^= 1 },
		"fiscal year":   func(_ *entrylog.Hash, s *Sealed) { s.Period.FiscalYear = 2027 },
		"row key":       func(_ *entrylog.Hash, s *Sealed) { s.RowKey = flip(s.RowKey) },
		"short row key": func(_ *entrylog.Hash, s *Sealed) { s.RowKey = s.RowKey[:20] },
		"ciphertext":    func(_ *entrylog.Hash, s *Sealed) { s.Ciphertext = flip(s.Ciphertext) },
		"person ref":    func(_ *entrylog.Hash, s *Sealed) { s.PersonRef = flip(s.PersonRef) },
		"no person ref": func(_ *entrylog.Hash, s *Sealed) { s.PersonRef = nil },
	} {
		c, s := commit, sealed
		spoil(&c, &s)
		if _, _, _, err := ks.Open(c, s); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s changed: %v, want ErrDamaged", name, err)
		}
	}
	s := sealed
	s.Period.Class = entrylog.ClassAction
	if _, _, _, err := ks.Open(commit, s); !errors.Is(err, ErrNoKey) {
		t.Errorf("class without a key: %v, want ErrNoKey", err)
	}
}

func TestFilesAreGuarded(t *testing.T) {
	path, master := create(t)
	if err := Create(path, filepath.Join(t.TempDir(), "m"), rand.Reader); err == nil {
		t.Error("Create overwrote a key store")
	}
	if _, _, err := open(t, path, master).Seal(register, &entrylog.Opening{}); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, master} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", p, info.Mode(), err)
		}
		if err := os.Chmod(p, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, master, rand.Reader); err == nil || !strings.Contains(err.Error(), p+": others can read this key") || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("%s readable by the group: %v, want a refusal", p, err)
		}
		if err := os.Chmod(p, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, otherMaster := create(t)
	if _, err := Open(path, otherMaster, rand.Reader); err == nil {
		t.Error("another master key opened the store")
	}
}
