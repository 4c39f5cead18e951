package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/server/bundle"
)

const (
	day   = 24 * 60 * 60
	today = 20_000 * day
	held  = 1_000_000 // number of the installed program
)

var now = update.Clock{Now: today, Sure: true}

// house makes releases: two of three keys for root and list, one for the stamp.
type house struct {
	root, release []note.Signer
	public        [2][]string
	stamp         note.Signer
	stampKey      string
	first         []byte
}

func key(t *testing.T, name string) (note.Signer, string) {
	t.Helper()
	private, public, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return s, public
}

func newHouse(t *testing.T) *house {
	h := &house{}
	for i := range 3 {
		r, pub := key(t, fmt.Sprintf("root-%d", i))
		h.root, h.public[0] = append(h.root, r), append(h.public[0], pub)
		r, pub = key(t, fmt.Sprintf("release-%d", i))
		h.release, h.public[1] = append(h.release, r), append(h.public[1], pub)
	}
	h.stamp, h.stampKey = key(t, "stamp")
	var err error
	h.first, err = bundle.MakeRoot(&update.Root{Number: 1, Expires: today + 3650*day, Holders: map[update.Role]update.Holders{
		update.RoleRoot: {Threshold: 2, Keys: h.public[0]}, update.RoleRelease: {Threshold: 2, Keys: h.public[1]},
		update.RoleStamp: {Threshold: 1, Keys: []string{h.stampKey}}}}, h.root[:2]...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *house) plan(number int64) bundle.Plan {
	return bundle.Plan{Version: fmt.Sprintf("0~%d", number), Number: number, Expires: today + 1000*day, Stamped: number + 60, StampExpires: today + 365*day,
		Roots: [][]byte{h.first}, Release: h.release[:2], Stamp: h.stamp}
}

// unsigned is a release's folder before it is signed. program is what the server's program does in these tests: "good", "unwell", ….
func unsigned(t *testing.T, p bundle.Plan, prog string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "packages"), 0o755); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, text := range map[string]string{"README": "readme", "usr/bin/monban-server": prog, "usr/lib/systemd/system/monban-server.service": "unit of " + p.Version} {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "monban-server-" + p.Version + "/" + name, Mode: 0o755, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("monban-server_%s_%s.tar.gz", p.Version, runtime.GOARCH)
	if err := os.WriteFile(filepath.Join(dir, "packages", name), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (h *house) makes(t *testing.T, p bundle.Plan, prog string) string {
	t.Helper()
	dir := unsigned(t, p, prog)
	if _, err := bundle.Make(dir, p); err != nil {
		t.Fatal(err)
	}
	return dir
}

// site is a machine with a server on it, as this package sees one. Its database is a text: the schema, and the records that were acknowledged.
type site struct {
	t    *testing.T
	u    *Updater
	root string
	runs bool
	h    *house
	// The clock goes on by what is waited for, and by what a test says. No look at a site depends on how busy this machine is.
	at    time.Time
	looks int         // at how the server stands
	look  func(n int) // called before the n-th look; nil = nothing happens
	free  int64       // bytes on every disk
	// how often the server ended by itself, or why that cannot be known
	restarts   int
	noRestarts error
	dead       bool         // gateway gw-2
	open       func() error // what becomes of the order to open; nil = it opens
	// leaves that were written, and records that were acknowledged since the beginning
	notes []string
	acked []string
}

type database struct {
	Schema  int
	Records []string
}

func newSite(t *testing.T) *site {
	s := &site{t: t, root: t.TempDir(), runs: true, h: newHouse(t), free: 1 << 40}
	data := filepath.Join(s.root, "data")
	for _, d := range []string{data, filepath.Join(s.root, "usr/bin")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.put("usr/bin/monban-server", "good 1")
	s.write(database{Schema: 1})
	s.ack("first")
	s.put("release.root", string(s.h.first))
	s.u = &Updater{Dir: filepath.Join(s.root, "updates"), Config: "server.toml", Data: data, Own: held, Out: testWriter{t},
		Limit: time.Minute, Settle: 4 * time.Second, Every: time.Second, Server: s,
		Patience: time.Minute, Free: func(string) (uint64, int64, error) { return 1, s.free, nil }, Now: func() time.Time { return s.at }, Wait: func(d time.Duration) { s.at = s.at.Add(d) },
		Machine: Plain{Root: s.root, StopUnit: func(context.Context) error { s.runs = false; return nil }, StartUnit: func(context.Context) error { s.start(); return nil },
			UnitRestarts: func(context.Context) (int, error) { return s.restarts, s.noRestarts }}}
	return s
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (s *site) put(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.root, name), []byte(text), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) get(name string) string {
	data, err := os.ReadFile(filepath.Join(s.root, name))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *site) program() string { return s.get("usr/bin/monban-server") }

func (s *site) read() (d database) {
	if err := json.Unmarshal([]byte(s.get("data/db")), &d); err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *site) write(d database) {
	data, err := json.Marshal(d)
	if err != nil {
		s.t.Fatal(err)
	}
	s.put("data/db", string(data))
}

func schemaOf(prog string) int {
	if strings.HasSuffix(prog, "2") {
		return 2
	}
	return 1
}

// start is what the service does: the program brings the database up to date.
func (s *site) start() {
	s.runs, s.restarts = !strings.HasPrefix(s.program(), "dead"), 0
	d := s.read()
	d.Schema = max(d.Schema, schemaOf(s.program()))
	s.write(d)
}

func (s *site) trial() bool { return s.get("data/update-trial") != "" }

// opens is the server on trial that does as it was told.
func (s *site) opens() {
	if err := os.Remove(filepath.Join(s.root, "data/update-trial")); err != nil {
		s.t.Error(err)
	}
}

// ack is a record that a gateway delivers: the server must run, must not hold back, and must be able to read its database.
func (s *site) ack(record string) bool {
	d := s.read()
	if !s.runs || s.trial() || d.Schema > schemaOf(s.program()) {
		return false
	}
	d.Records = append(d.Records, record)
	s.write(d)
	s.acked = append(s.acked, record)
	return true
}

// Run implements Server.
func (s *site) Run(_ context.Context, prog string, args ...string) ([]byte, error) {
	text, err := os.ReadFile(prog)
	if err != nil {
		return nil, err
	}
	code := string(text)
	arg := func(name string) string { return args[slices.Index(args, name)+1] }
	stopped := func() error {
		if s.runs {
			return errors.New("another monban-server is using this data directory")
		}
		return nil
	}
	switch args[1] {
	case "state":
		s.looks++
		if s.look != nil {
			s.look(s.looks)
		}
		if !s.runs || s.read().Schema > schemaOf(code) {
			return nil, errors.New("the server does not answer")
		}
		s.ack("while it ran " + code) // gateways deliver at all times
		out := Standing{Trial: s.trial(), Linked: []string{"gw-1", "gw-2"}, Leaves: int64(len(s.read().Records))}
		switch {
		case s.dead, strings.HasPrefix(code, "lonely"):
			out.Linked = out.Linked[:1]
		case strings.HasPrefix(code, "faulty"):
			out.Faults = []string{"signing of checkpoints: is not possible"}
		case strings.HasPrefix(code, "late") && !s.trial():
			out.Linked = nil
		}
		return answerOf(code, out)
	case "copy":
		if err := os.Mkdir(arg("--to"), 0o755); err != nil {
			return nil, err
		}
		return nil, os.WriteFile(filepath.Join(arg("--to"), "db"), []byte(s.get("data/db")), 0o600)
	case "try":
		s.put("data/"+tryName, "a copy, as of a program that was killed")
		if strings.HasPrefix(code, "untried") {
			return nil, errors.New("3 findings, the first: leaf 7")
		}
		applied := []int64{}
		if schemaOf(code) > 1 {
			applied = []int64{2}
		}
		if strings.HasPrefix(code, "silent") {
			return answerOf(code, map[string]any{"leaves": 1})
		}
		return answerOf(code, map[string]any{"leaves": 1, "applied": applied})
	case "reads":
		if s.get("data/keys") == "of a newer form" {
			return nil, errors.New("keystore.json: is damaged or of another version")
		}
	case "take":
		if err := errors.Join(stopped(), os.Mkdir(arg("--to"), 0o755)); err != nil {
			return nil, err
		}
		s.put("data/update-trial", arg("--version-is"))
		return nil, os.WriteFile(filepath.Join(arg("--to"), "db"), []byte(s.get("data/db")), 0o600)
	case "putback":
		if err := stopped(); err != nil {
			return nil, err
		}
		if !s.trial() {
			return nil, errors.New("the new version has opened")
		}
		data, err := os.ReadFile(filepath.Join(arg("--from"), "db"))
		if err != nil {
			return nil, err
		}
		s.put("data/db", string(data))
		return nil, os.Remove(filepath.Join(s.root, "data/update-trial"))
	case "open":
		if s.open != nil {
			return nil, s.open()
		}
		s.opens()
	case "note":
		if s.trial() {
			return nil, errors.New("a new version of this server is being tried")
		}
		s.notes = append(s.notes, arg("--verb"))
	default:
		return nil, fmt.Errorf("no command %q", args[1])
	}
	return nil, nil
}

// answerOf is what a program prints; "foreign" is of a version with another format.
func answerOf(code string, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	number := "1"
	if strings.HasPrefix(code, "foreign") {
		number = "2"
	}
	return []byte(`{"monban_update":` + number + "," + string(data[1:])), nil
}

func (s *site) apply(folder string) error {
	return s.u.Apply(s.t.Context(), Order{Bundle: folder, Root: filepath.Join(s.root, "release.root"), Reason: "月例の更新", By: "髙橋", Clock: now})
}

// whole checks what must hold after anything (I4): a program that can read the database, no trial, no record lost.
func (s *site) whole() {
	s.t.Helper()
	d := s.read()
	if d.Schema > schemaOf(s.program()) {
		s.t.Errorf("program %q cannot read a database of schema %d", s.program(), d.Schema)
	}
	if s.trial() {
		s.t.Error("still on trial")
	}
	if !slices.Equal(d.Records, s.acked) {
		s.t.Errorf("acknowledged %q, in the database %q", s.acked, d.Records)
	}
	for _, name := range []string{backupName, backupName + ".partial", tryName, copyName} {
		if _, err := os.Lstat(filepath.Join(s.u.Data, name)); !errors.Is(err, os.ErrNotExist) {
			s.t.Errorf("%s stays behind: %v", name, err)
		}
	}
	if st, err := s.u.State(); err != nil || st != nil {
		s.t.Errorf("still under way: %+v, %v", st, err)
	}
}
