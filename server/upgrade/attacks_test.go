package upgrade

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/server/bundle"
)

// resign replaces a signed text of a folder by text, signed by keys.
func resign(t *testing.T, dir, name, text string, keys ...note.Signer) []byte {
	t.Helper()
	data, err := note.Sign(&note.Note{Text: text}, keys...)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// listOf reads a folder's list as it stands.
func listOf(t *testing.T, dir string) *update.List {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, update.ListFile))
	if err != nil {
		t.Fatal(err)
	}
	l, err := update.ParseList(string(data[:strings.LastIndex(string(data), "\n\n")+1]))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func replace(t *testing.T, from, to, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(from, name))
	if err == nil {
		err = os.WriteFile(filepath.Join(to, name), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// OP-4: the eight attacks of TUF's list on the server's own update. Each is tried on a machine that has installed a release before; nothing is
// stopped, nothing installed, and the good release after it goes in. The gateway's table is firmware/update.TestAttacks.
func TestAttacksOnTheServer(t *testing.T) {
	pack := func(number string) string {
		return "packages/monban-server_0~" + number + "_" + runtime.GOARCH + ".tar.gz"
	}
	const newer = "1000200"
	for name, c := range map[string]struct {
		says  string
		clock update.Clock
		evil  func(t *testing.T, h *house) string
	}{
		"arbitrary software": {says: "not signed by role stamp", evil: func(t *testing.T, h *house) string {
			other := newHouse(t)
			dir := other.makes(t, other.plan(held+200), "evil 2")
			return dir
		}},
		"rollback": {says: "older than one", evil: func(t *testing.T, h *house) string { return h.makes(t, h.plan(held+50), "evil 2") }},
		"indefinite freeze": {says: "STAMP: expired", clock: update.Clock{Now: today + 365*day, Sure: true}, evil: func(t *testing.T, h *house) string {
			return h.makes(t, h.plan(held+200), "evil 2")
		}},
		"fast-forward": {says: "from the future", evil: func(t *testing.T, h *house) string {
			dir := h.makes(t, h.plan(held+200), "evil 2")
			data, err := os.ReadFile(filepath.Join(dir, update.ListFile))
			if err != nil {
				t.Fatal(err)
			}
			resign(t, dir, update.StampFile, update.StampOf(data, listOf(t, dir), today+30*day, today+300*day).Text(), h.stamp)
			return dir
		}},
		"mix-and-match": {says: "is not the list that STAMP names", evil: func(t *testing.T, h *house) string {
			dir := h.makes(t, h.plan(held+200), "evil 2")
			replace(t, h.makes(t, h.plan(held+150), "evil 2"), dir, update.ListFile)
			return dir
		}},
		"wrong software": {says: "not the file that was signed", evil: func(t *testing.T, h *house) string {
			dir := h.makes(t, h.plan(held+200), "evil 2")
			if err := os.WriteFile(filepath.Join(dir, pack(newer)), []byte("the gateway's package"), 0o644); err != nil {
				t.Fatal(err)
			}
			return dir
		}},
		"key compromise below the threshold": {says: "1 of the 3 keys of role release have signed", evil: func(t *testing.T, h *house) string {
			dir := h.makes(t, h.plan(held+200), "evil 2")
			l := listOf(t, dir)
			data := resign(t, dir, update.ListFile, l.Text(), h.release[2])
			resign(t, dir, update.StampFile, update.StampOf(data, l, held+300, today+300*day).Text(), h.stamp)
			return dir
		}},
		"endless data": {says: "more than", evil: func(t *testing.T, h *house) string {
			dir := h.makes(t, h.plan(held+200), "evil 2")
			f, err := os.OpenFile(filepath.Join(dir, update.StampFile), os.O_WRONLY, 0)
			if err == nil {
				err = f.Truncate(1 << 40) // a file with holes, as large as a mirror likes
			}
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				t.Skip("no file of 1 TiB can be made here:", err)
			}
			return dir
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			if err := s.apply(s.h.makes(t, s.h.plan(held+100), "good 2")); err != nil {
				t.Fatal(err)
			}
			before, records := s.program(), len(s.notes)
			s.u.Own = held + 100
			stops := 0
			m := s.u.Machine.(Plain)
			stop := m.StopUnit
			counted := m
			counted.StopUnit = func(ctx context.Context) error { stops++; return stop(ctx) }
			s.u.Machine = counted
			clock := c.clock
			if clock == (update.Clock{}) {
				clock = now
			}
			err := s.u.Apply(t.Context(), Order{Bundle: c.evil(t, s.h), Root: filepath.Join(s.root, "release.root"), Reason: "r", By: "b", Clock: clock})
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%v, want %q", err, c.says)
			}
			if s.program() != before || stops != 0 || len(s.notes) != records {
				t.Errorf("%q runs, stopped %d times, leaves %v", s.program(), stops, s.notes)
			}
			s.whole()
			if err := s.apply(s.h.makes(t, s.h.plan(held+300), "good too 2")); err != nil || s.program() != "good too 2" {
				t.Errorf("the good one after it: %v", err)
			}
		})
	}
}

// What is looked at is what arrives: a stick that shows another file at the second look brings nothing in. And a release without a package for this
// machine touches nothing.
func TestOnlyWhatWasSigned(t *testing.T) {
	s := newSite(t)
	p := s.h.plan(held + 100)
	dir := s.h.makes(t, p, "good 2")
	s.u.Step = func() { // before a package is copied, after the whole folder was good
		if err := os.WriteFile(filepath.Join(dir, "packages", "monban-server_"+p.Version+"_"+runtime.GOARCH+".tar.gz"), []byte("swapped"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.apply(dir); err == nil || !strings.Contains(err.Error(), "not the file that was signed") || s.program() != "good 1" {
		t.Errorf("%v; %q runs", err, s.program())
	}
	s.u.Step = nil
	s.whole()
	p = s.h.plan(held + 200)
	dir = unsigned(t, p, "good 2")
	old := filepath.Join(dir, "packages", "monban-server_"+p.Version+"_"+runtime.GOARCH+".tar.gz")
	if err := os.Rename(old, strings.Replace(old, runtime.GOARCH, "riscv64", 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Make(dir, p); err != nil {
		t.Fatal(err)
	}
	if err := s.apply(dir); err == nil || !strings.Contains(err.Error(), "not for this machine") {
		t.Error(err)
	}
	s.whole()
}

// A package's control file comes back without what only dpkg may write; a program that prints nothing good is an error of one line.
func TestControl(t *testing.T) {
	in := "Package: monban-server\nStatus: install ok installed\nPriority: optional\nConffiles:\n /etc/x 123\nVersion: 0~1\nDescription: a\n b\n\n"
	if got := string(control([]byte(in))); got != "Package: monban-server\nPriority: optional\nVersion: 0~1\nDescription: a\n b\n" {
		t.Errorf("%q", got)
	}
	_, err := command(t.Context(), "sh", "-c", "echo one >&2; echo the cause >&2; exit 3")
	if err == nil || !strings.Contains(err.Error(), "the cause") || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	out, err := AsOwner{t.TempDir()}.Run(t.Context(), "/bin/sh", "-c", "pwd")
	if err != nil || string(out) != "/\n" {
		t.Errorf("%q, %v", out, err)
	}
}
