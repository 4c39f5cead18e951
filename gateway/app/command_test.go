package app

import (
	"os"
	"path/filepath"
	"testing"
)

// DS-6: a fire release that nobody has re-armed outlives the process; clearing twice is harmless; what cannot be
// told is an error, which a door takes for "released".
func TestLatch(t *testing.T) {
	dir := t.TempDir()
	l := latch{filepath.Join(dir, "released-server-room")}
	for i, on := range []bool{false, true, true, false, false, true} {
		if err := l.SetUnarmed(on); err != nil {
			t.Fatal(err)
		}
		again := latch{l.path} // another process
		if got, err := again.Unarmed(); got != on || err != nil {
			t.Errorf("step %d: %v, %v; want %v", i, got, err, on)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lost := latch{filepath.Join(dir, "file", "released-x")}
	if _, err := lost.Unarmed(); err == nil {
		t.Error("a latch that cannot be read says nothing")
	}
	if err := lost.SetUnarmed(true); err == nil {
		t.Error("a latch that cannot be set says nothing")
	}
}
