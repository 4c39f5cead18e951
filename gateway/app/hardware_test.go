package app

import (
	"os"
	"path/filepath"
	"testing"

	"monban/firmware/osdp"
	"monban/gateway/hal/pi"
)

// AD-4: what a reader is known by comes back after a restart as it was kept, and only its owner may read it.
func TestReaderKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	if _, err := loadReaderKey(dir, "d1", "enter"); err == nil {
		t.Error("a reader that was never paired has a key")
	}
	if err := os.Mkdir(filepath.Join(dir, "readers"), 0o700); err != nil {
		t.Fatal(err)
	}
	key, pending, proof := osdp.Key{1, 2}, osdp.Key{3}, osdp.Proof{CUID: [8]byte{4, 5}, Serial: 66}
	for _, want := range []pi.ReaderKey{{Key: &key}, {Key: &key, Pending: &pending}, {Key: &key, Known: &proof}} {
		if err := saveReaderKey(dir, "d1", "enter", want); err != nil {
			t.Fatal(err)
		}
		got, err := loadReaderKey(dir, "d1", "enter")
		if err != nil {
			t.Fatal(err)
		}
		if *got.Key != key || (got.Pending == nil) != (want.Pending == nil) || (got.Known == nil) != (want.Known == nil) || got.Known != nil && *got.Known != proof {
			t.Errorf("came back as another: %v", want)
		}
	}
	st, err := os.Stat(filepath.Join(dir, "readers", "d1-enter.json"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
}
