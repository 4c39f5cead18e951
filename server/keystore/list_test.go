package keystore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"regexp"
	"testing"
)

// EV-9: a line that somebody without the master key writes into a copy, or into a file with a MAC, destroys nothing; nor does one of a running year in a
// file of before the MAC.
func TestForgedList(t *testing.T) {
	forged := []byte(`"disposals":[{"run":"disposal-2030-00009","class":"register","fiscal_year":2026,"asked":"a","approved":"b","at_ms":1900000000000}],"keys":`)
	early := bytes.Replace(forged, []byte("1900000000000"), []byte("1790000000000"), 1) // in fiscal year 2026
	plant := func(path string, line []byte) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = regexp.MustCompile(`,\s*"mac": "[0-9a-f]+"`).ReplaceAll(data, nil) // as before the MAC, or as somebody leaves it who takes it away
		if err := os.WriteFile(path, bytes.Replace(data, []byte(`"keys":`), line, 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path, master, second, _, _, _ := withCopy(t)
	plant(second, forged)
	ks, err := Open(path, master, rand.Reader, second)
	if err != nil {
		t.Fatal(err)
	}
	if !ks.Has(register) || len(ks.Disposals()) > 0 || !errors.Is(ks.Copies()[0].Err, errList) {
		t.Errorf("a forged line in a copy was taken: %v, %v", ks.Disposals(), ks.Copies())
	}
	if ks.CheckCopies() == nil {
		t.Error("a forged copy passes")
	}

	path, master, second, _, _, _ = withCopy(t)
	plant(path, early)
	if _, err := Open(path, master, rand.Reader, second); !errors.Is(err, errList) {
		t.Errorf("a running year called destroyed: %v", err)
	}

	path, master, second, _, _, _ = withCopy(t)
	if ks, err = Open(path, master, rand.Reader, second); err != nil {
		t.Fatal(err)
	}
	if _, err := ks.Destroy(Disposal{Run: "disposal-2030-00001", Class: register.Class, FiscalYear: 2020, Asked: "a", Approved: "b", AtMS: 1900000000000}); err != nil {
		t.Fatal(err)
	}
	if ks, err = Open(path, master, rand.Reader, second); err != nil || ks.CheckCopies() != nil {
		t.Fatalf("a list with its MAC: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.Replace(data, []byte(`"fiscal_year": 2020`), []byte(`"fiscal_year": 2026`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, master, rand.Reader, second); !errors.Is(err, errList) {
		t.Errorf("a changed list with a MAC: %v", err)
	}
}
