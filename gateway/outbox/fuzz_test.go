package outbox

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzScan: the walker over the queue's file, whose pages bbolt would trust, ends without a panic whatever a page says
// (I3). The fuzzed bytes lie over the start of a page of a good file.
func FuzzScan(f *testing.F) {
	path := filepath.Join(f.TempDir(), "outbox.db")
	o, err := Open(testConfig(path))
	if err != nil {
		f.Fatal(err)
	}
	for range 40 {
		o.Append(Entry{Record: record("x")})
	}
	o.drain()
	if err := o.Close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	good = good[:min(len(good), 16<<12)]
	for page := range len(good) >> 12 {
		f.Add(uint8(page), good[page<<12:page<<12+64])
	}
	f.Fuzz(func(t *testing.T, page uint8, b []byte) {
		bad := append([]byte(nil), good...)
		copy(bad[int(page)%(len(bad)>>12)<<12:], b)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := scanFile(path, "gw-1", nil)
		if err == nil && s.fault == nil && len(s.epochs) == 0 {
			t.Error("whole, and without an epoch")
		}
	})
}
