package slot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
)

const (
	day   = 24 * 60 * 60
	today = 20_000 * day
	path  = "programs/monban-gateway-arm64"
)

// maker makes releases by one key: what signatures can do is tested in firmware/update.
type maker struct {
	t    *testing.T
	key  note.Signer
	root string // file
}

func newMaker(t *testing.T) *maker {
	private, public, err := note.GenerateKey(nil, "release")
	if err != nil {
		t.Fatal(err)
	}
	m := &maker{t: t, root: filepath.Join(t.TempDir(), "root")}
	if m.key, err = note.NewSigner(private); err != nil {
		t.Fatal(err)
	}
	one := update.Holders{Threshold: 1, Keys: []string{public}}
	r := update.Root{Number: 1, Expires: today + 999*day, Holders: map[update.Role]update.Holders{update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}
	if err := os.WriteFile(m.root, m.sign(r.Text()), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *maker) sign(text string) []byte {
	data, err := note.Sign(&note.Note{Text: text}, m.key)
	if err != nil {
		m.t.Fatal(err)
	}
	return data
}

func (m *maker) release(number int64, program string) Release {
	sum := sha256.Sum256([]byte(program))
	l := &update.List{Version: "v" + program, Number: number, Expires: today + 99*day, Files: []update.File{{Path: path, Size: int64(len(program)), Sum: hex.EncodeToString(sum[:])}}}
	data := m.sign(l.Text())
	return Release{Path: path, Clock: update.Clock{Now: today, Sure: true}, Root: m.root, Own: 100, Folder: fstest.MapFS{
		update.ListFile: {Data: data}, update.StampFile: {Data: m.sign(update.StampOf(data, l, number, today+9*day).Text())}, path: {Data: []byte(program)}}}
}

// start is a start of the machine: what ran, and whether it was on trial.
func start(t *testing.T, s *Store, own int64) (string, bool) {
	t.Helper()
	c, f, err := s.Choose(own)
	if err != nil {
		t.Fatal(err)
	}
	if f == nil {
		return "own", c.Trial
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, c.Size))
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return string(data), c.Trial
}

func expect(t *testing.T, s *Store, own int64, want string, trial bool) {
	t.Helper()
	if got, tr := start(t, s, own); got != want || tr != trial {
		t.Fatalf("started %q (trial %t), want %q (trial %t)", got, tr, want, trial)
	}
}

func stage(t *testing.T, s *Store, r Release) {
	t.Helper()
	if _, err := s.Stage(r); err != nil {
		t.Fatal(err)
	}
}

// OP-4: tried once; kept when it is well, else back to the one before, also when that is the machine's own.
func TestTriedOnce(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: filepath.Join(t.TempDir(), "slots")}
	expect(t, s, 100, "own", false)
	stage(t, s, m.release(200, "bad"))
	expect(t, s, 100, "bad", true)
	expect(t, s, 100, "own", false)
	expect(t, s, 100, "own", false)
	if _, err := s.Stage(m.release(200, "bad")); !errors.Is(err, ErrNothingNew) {
		t.Errorf("what did not get well is tried again by itself: %v", err)
	}
	again := m.release(200, "bad")
	again.Again = true
	stage(t, s, again)
	expect(t, s, 100, "bad", true)
	if err := s.Well(200); err != nil {
		t.Fatal(err)
	}
	expect(t, s, 100, "bad", false)
	expect(t, s, 100, "bad", false)
	stage(t, s, m.release(300, "worse"))
	expect(t, s, 100, "worse", true)
	expect(t, s, 100, "bad", false)
	if _, err := s.Stage(m.release(250, "older than one that was seen")); err == nil || !strings.Contains(err.Error(), "older than one") {
		t.Errorf("%v", err)
	}
	if names, err := os.ReadDir(filepath.Join(s.Dir, programsDir)); err != nil || len(names) != 1 {
		t.Errorf("%v, %v: want the held one alone", names, err)
	}
}

// OP-4: nothing older than what was found good is started, whatever happens to files and packages.
func TestNothingOlder(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: t.TempDir()}
	stage(t, s, m.release(200, "two"))
	expect(t, s, 100, "two", true)
	if err := s.Well(200); err != nil {
		t.Fatal(err)
	}
	if err := s.Well(200); err == nil {
		t.Error("well twice")
	}
	expect(t, s, 300, "own", false) // a newer package
	if _, _, err := s.Choose(200); !errors.Is(err, ErrOlder) {
		t.Errorf("an older package: %v", err)
	}
	expect(t, s, 300, "own", false)
	held := m.release(400, "four")
	held.Own = 300
	stage(t, s, held)
	expect(t, s, 300, "four", true)
	if err := s.Well(400); err != nil {
		t.Fatal(err)
	}
	st, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.path(st.Held.Sum), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(st.Held.Sum), []byte("fuor"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Choose(300); err == nil || !strings.Contains(err.Error(), "stay locked") {
		t.Errorf("another program in the place of the one that was signed: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(s.Dir, stateFile))
	if err != nil {
		t.Fatal(err)
	}
	for i := range text {
		spoilt := bytes.Clone(text)
		spoilt[i] ^= 1
		if err := os.WriteFile(filepath.Join(s.Dir, stateFile), spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Choose(300); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Fatalf("byte %d of the state spoilt: %v", i, err)
		}
	}
}

// OP-4: a copy that was cut off, which its own owner may not write, bars no release.
func TestCopyCutOff(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: t.TempDir()}
	r := m.release(200, "two")
	sum := sha256.Sum256([]byte("two"))
	half := s.path(hex.EncodeToString(sum[:])) + ".new"
	if err := os.Mkdir(filepath.Dir(half), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{half, s.path("other.new")} {
		if err := os.WriteFile(name, []byte("t"), 0o500); err != nil {
			t.Fatal(err)
		}
	}
	was, err := os.Stat(half)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(half) // holds its inode, so that the next file has another
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = old.Close() }()
	stage(t, s, r)
	st, err := os.Stat(strings.TrimSuffix(half, ".new"))
	if err != nil || os.SameFile(was, st) { // root may write what its owner may not
		t.Errorf("the file that was cut off was written on: %v", err)
	}
	if _, err := os.Stat(s.path("other.new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("another copy that was cut off stays: %v", err)
	}
	expect(t, s, 100, "two", true)
}

// OP-4: a new root that comes with a release that is not newer is kept.
func TestRootOfNothingNew(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: t.TempDir()}
	stage(t, s, m.release(200, "two"))
	root1, err := os.ReadFile(m.root)
	if err != nil {
		t.Fatal(err)
	}
	b, err := update.Begin(root1)
	if err != nil {
		t.Fatal(err)
	}
	root2 := update.Root{Number: 2, Expires: today + 999*day, Holders: b.Root().Holders}
	r := m.release(200, "two")
	r.Folder.(fstest.MapFS)["root/2"] = &fstest.MapFile{Data: m.sign(root2.Text())}
	if _, err := s.Stage(r); !errors.Is(err, ErrNothingNew) {
		t.Fatalf("%v", err)
	}
	if kept, err := s.trust(""); err != nil || kept.Root().Number != 2 {
		t.Errorf("%v: the new root is forgotten", err)
	}
}

// OP-4: a program that was spoilt before its trial is not started; the one before is.
func TestSpoiltBeforeTrial(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: t.TempDir()}
	stage(t, s, m.release(200, "two"))
	st, err := s.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.path(st.Next.Sum)); err != nil {
		t.Fatal(err)
	}
	expect(t, s, 100, "own", false)
	expect(t, s, 100, "own", false)
}

// OP-4: what is refused changes nothing.
func TestRefusedChangesNothing(t *testing.T) {
	m, s := newMaker(t), &Store{Dir: t.TempDir()}
	other := newMaker(t)
	spoilt := m.release(300, "three")
	spoilt.Folder.(fstest.MapFS)[path] = &fstest.MapFile{Data: []byte("thr33")}
	wrong := m.release(300, "three")
	wrong.Path = "programs/monban-gateway-armv6"
	for name, r := range map[string]Release{"a stranger's": other.release(300, "evil"), "spoilt": spoilt, "another machine's": wrong,
		"not newer than the machine's own": m.release(100, "hundred")} {
		if name == "a stranger's" {
			r.Root = m.root
		}
		before, err := s.State()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Stage(r); err == nil {
			t.Errorf("%s: taken", name)
		}
		if after, err := s.State(); err != nil || after != before {
			t.Errorf("%s: %+v, %v", name, after, err)
		}
		expect(t, s, 100, "own", false)
	}
	noRoot := m.release(300, "three")
	noRoot.Root = filepath.Join(s.Dir, "none")
	if _, err := (&Store{Dir: t.TempDir()}).Stage(noRoot); err == nil || !strings.Contains(err.Error(), "keys of releases") {
		t.Errorf("no root: %v", err)
	}
}
