package entrylog

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	fmtlog "github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The tree against x/mod's tlog, leaf by leaf: stored hashes, roots, proofs, loading.
func TestTreeAgainstTlog(t *testing.T) {
	const n = 300
	var tree Tree
	var blobs [][]byte
	var oracle []tlog.Hash
	read := func(i int64) ([]byte, error) { return blobs[i], nil }
	reader := tlog.HashReaderFunc(func(idx []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range idx {
			out = append(out, oracle[i])
		}
		return out, nil
	})
	var roots []Hash
	for i := range int64(n) {
		body := fmt.Appendf(nil, "leaf %d", i)
		want, err := tlog.StoredHashes(i, body, reader)
		if err != nil {
			t.Fatal(err)
		}
		oracle = append(oracle, want...)
		roots = append(roots, tree.Root())
		idx, stored := tree.Append(nil, LeafHash(body))
		var flat []byte
		for _, h := range want {
			flat = append(flat, h[:]...)
		}
		if idx != i || !bytes.Equal(stored, flat) || len(stored) != StoredBytes(i) {
			t.Fatalf("leaf %d: index %d, stored %x, want %x", i, idx, stored, flat)
		}
		blobs = append(blobs, stored)
		root, err := tlog.TreeHash(i+1, reader)
		if err != nil || tree.Root() != root {
			t.Fatalf("size %d: root %s, want %s (%v)", i+1, tree.Root(), root, err)
		}
		if loaded, err := Load(i+1, read); err != nil || loaded.Root() != root || loaded.Size() != i+1 {
			t.Fatalf("size %d: loaded root differs (%v)", i+1, err)
		}
	}
	roots = append(roots, tree.Root())
	for old := range int64(n) {
		p, err := ProveTree(n, old, read)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckTree(p, n, roots[n], old, roots[old]); err != nil {
			t.Errorf("consistency from %d: %v", old, err)
		}
		if old > 0 && CheckTree(p, n, roots[n], old, roots[old-1]) == nil {
			t.Errorf("consistency from %d is proved for another root", old)
		}
		q, err := ProveRecord(n, old, read)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckRecord(q, n, roots[n], old, LeafHash(fmt.Appendf(nil, "leaf %d", old))); err != nil {
			t.Errorf("inclusion of %d: %v", old, err)
		}
	}
}

// EV-2: checkpoints open with an independent library, and its reading is ours.
func TestCheckpointInterop(t *testing.T) {
	skey, vkey, err := note.GenerateKey(rand.Reader, "monban/0a1b2c3d")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := note.NewSigner(skey)
	v, _ := note.NewVerifier(vkey)
	for _, size := range []int64{0, 1, 41, 1 << 40} {
		c := Checkpoint{Origin: "monban/0a1b2c3d", Size: size, Root: LeafHash([]byte{byte(size)})}
		signed, err := note.Sign(&note.Note{Text: c.Text()}, s)
		if err != nil {
			t.Fatal(err)
		}
		theirs, rest, _, err := fmtlog.ParseCheckpoint(signed, "monban/0a1b2c3d", v)
		if err != nil || len(rest) != 0 || theirs.Size != uint64(size) || !bytes.Equal(theirs.Hash, c.Root[:]) {
			t.Errorf("size %d: the other library reads %+v, rest %q, %v", size, theirs, rest, err)
		}
		ours, err := OpenCheckpoint(signed, v)
		if err != nil || ours != c {
			t.Errorf("size %d: we read %+v, %v", size, ours, err)
		}
		if err := OwnSignature(signed); err != nil {
			t.Error(err)
		}
		for i := range signed { // every byte counts
			bad := bytes.Clone(signed)
			bad[i] ^= 1
			_, err := OpenCheckpoint(bad, v)
			if err == nil && OwnSignature(bad) == nil {
				t.Errorf("size %d: byte %d can be changed", size, i)
			}
		}
	}
	// an extension line, another origin, a wrong number form: signed, and still refused
	for _, text := range []string{
		"monban/0a1b2c3d\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextra\n", "monban/other\n5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"monban/0a1b2c3d\n05\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "monban/0a1b2c3d\n-5\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"monban/0a1b2c3d\n5\nAAAA\n", "monban/0a1b2c3d\n5\n",
	} {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := OpenCheckpoint(signed, v); err == nil {
			t.Errorf("%q is read as %+v", text, c)
		}
	}
}

func TestFiscalYearAndDay(t *testing.T) {
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		at   string // in Tokyo
		year int
		day  string
	}{
		{"2026-03-31T23:59:59.999+09:00", 2025, "2026-03-31"}, {"2026-04-01T00:00:00+09:00", 2026, "2026-04-01"},
		{"2026-12-31T23:59:59+09:00", 2026, "2026-12-31"}, {"2027-01-01T00:00:00+09:00", 2026, "2027-01-01"},
	} {
		at, err := time.Parse(time.RFC3339Nano, tc.at)
		if err != nil {
			t.Fatal(err)
		}
		if y, d := FiscalYear(at.UnixMilli(), tokyo), Day(at.UnixMilli(), tokyo); y != tc.year || d != tc.day {
			t.Errorf("%s: fiscal year %d, day %s, want %d, %s", tc.at, y, d, tc.year, tc.day)
		}
	}
}

func TestClassOf(t *testing.T) {
	for leaf, want := range map[string]Class{"record ": ClassRegister, "decision ": ClassRegister, "action ": ClassAction,
		"system finding": ClassViolation, "system quarantine": ClassViolation, "system genesis": ClassSystem} {
		kind, name, _ := strings.Cut(leaf, " ")
		if got := ClassOf(Kind(kind), name); got != want {
			t.Errorf("%s: %s, want %s", leaf, got, want)
		}
	}
}
