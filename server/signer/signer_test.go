package signer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

func version(text string) (gateway string, v uint64, err error) {
	_, err = fmt.Sscanf(text, "manifest %s %d\n", &gateway, &v)
	return gateway, v, err
}

func newLocal(t *testing.T) (*Local, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := Create(dir, "hall", rand.Reader); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir), dir
}

func reopen(t *testing.T, dir string) *Local {
	t.Helper()
	l, err := Open(dir, version)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestRoles(t *testing.T) {
	l, _ := newLocal(t)
	for _, role := range []Role{RolePolicy, RoleCommand, RoleLink} {
		signed, err := l.Sign(role, "manifest g1 1\n")
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range Roles() {
			v, err := l.Verifier(other)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := note.Open(signed, note.VerifierList(v)); (err == nil) != (other == role) {
				t.Errorf("signed for %s, opened for %s: %v", role, other, err)
			}
		}
		if v, _ := l.Verifier(role); v.Name() != "monban/hall/"+string(role) {
			t.Errorf("%s is named %s", role, v.Name())
		}
	}
	v, _ := l.Verifier(RoleLog)
	if !regexp.MustCompile(`^monban/[0-9a-f]{8}$`).MatchString(v.Name()) { // EV-2: neutral origin
		t.Errorf("log key is named %q", v.Name())
	}
	for _, role := range []Role{RoleLog, RoleRoot, "x"} {
		if _, err := l.Sign(role, "x\n"); !errors.Is(err, ErrNoRole) {
			t.Errorf("Sign for %s: %v, want ErrNoRole", role, err)
		}
	}
	if _, err := l.Sign(RoleLink, "a\x01b\n"); err == nil {
		t.Error("signed a note that would not open")
	}
}

// D18: manifests never go back, also after a restart and through NoteSigner.
func TestPolicyFloor(t *testing.T) {
	l, dir := newLocal(t)
	sign := func(v int) error { _, err := l.Sign(RolePolicy, fmt.Sprintf("manifest g1 %d\n", v)); return err }
	for _, v := range []int{3, 3, 9} {
		if err := sign(v); err != nil {
			t.Error(err)
		}
	}
	l = reopen(t, dir)
	if err := sign(8); !errors.Is(err, ErrOlderPolicy) {
		t.Errorf("version 8 after 9: %v", err)
	}
	if _, err := l.Sign(RolePolicy, "manifest g2 1\n"); err != nil {
		t.Errorf("another gateway has its own floor: %v", err)
	}
	s, err := l.NoteSigner(RolePolicy)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Sign(&note.Note{Text: "manifest g1 8\n"}, s); !errors.Is(err, ErrOlderPolicy) {
		t.Errorf("NoteSigner, version 8 after 9: %v", err)
	}
	if _, err := l.Sign(RolePolicy, "nonsense\n"); err == nil {
		t.Error("signed a manifest without a version")
	}
	if _, err := l.NoteSigner(RoleLog); !errors.Is(err, ErrNoRole) {
		t.Errorf("NoteSigner for the log: %v", err)
	}
}

// I8: of two trees that do not extend one another the signer signs one, also after a restart.
func TestSignCheckpoint(t *testing.T) {
	l, dir := newLocal(t)
	v, _ := l.Verifier(RoleLog)
	grow := func(seed string, n int) (entrylog.Tree, [][]byte) {
		var tree entrylog.Tree
		var blobs [][]byte
		for i := range n {
			_, b := tree.Append(nil, entrylog.LeafHash(fmt.Appendf(nil, "%s %d", seed, i)))
			blobs = append(blobs, b)
		}
		return tree, blobs
	}
	text := func(tr entrylog.Tree) string {
		return entrylog.Checkpoint{Origin: v.Name(), Size: tr.Size(), Root: tr.Root()}.Text()
	}
	proof := func(blobs [][]byte, size, old int64) tlog.TreeProof {
		p, err := entrylog.ProveTree(size, old, func(i int64) ([]byte, error) { return blobs[i], nil })
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	five, _ := grow("a", 5)
	nine, blobs := grow("a", 9)
	fork, forkBlobs := grow("b", 9)
	if _, err := l.SignCheckpoint(text(five), nil); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, dir)
	four, _ := grow("a", 4)
	other5, _ := grow("b", 5)
	for name, try := range map[string]func() error{
		"smaller":          func() error { _, err := l.SignCheckpoint(text(four), nil); return err },
		"same size, other": func() error { _, err := l.SignCheckpoint(text(other5), nil); return err },
		"fork, own proof":  func() error { _, err := l.SignCheckpoint(text(fork), proof(forkBlobs, 9, 5)); return err },
		"fork, good proof": func() error { _, err := l.SignCheckpoint(text(fork), proof(blobs, 9, 5)); return err },
		"longer, no proof": func() error { _, err := l.SignCheckpoint(text(nine), nil); return err },
	} {
		if err := try(); !errors.Is(err, ErrNotExtending) {
			t.Errorf("%s: %v, want ErrNotExtending", name, err)
		}
	}
	if _, err := l.SignCheckpoint(strings.Replace(text(nine), "monban/", "monban/x", 1), nil); err == nil {
		t.Error("signed for another log")
	}
	signed, err := l.SignCheckpoint(text(nine), proof(blobs, 9, 5))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := entrylog.OpenCheckpoint(signed, v); err != nil || c.Size != 9 {
		t.Errorf("signed %+v, %v", c, err)
	}
	if size, root := l.LastCheckpoint(); size != 9 || root != nine.Root() {
		t.Errorf("last is %d %s", size, root)
	}
	if _, err := l.SignCheckpoint(text(nine), nil); err != nil {
		t.Errorf("the same again: %v", err)
	}
}

func TestKeyFilesAreGuarded(t *testing.T) {
	_, dir := newLocal(t)
	if err := Create(dir, "hall", rand.Reader); err == nil {
		t.Error("Create overwrote keys")
	}
	path := filepath.Join(dir, "link.key")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a key file that others can read: %v, want a refusal", err)
	}
}
