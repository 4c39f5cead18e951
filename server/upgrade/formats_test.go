package upgrade

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// I4, OP-4: what one version writes and another reads says its format. An answer of another one, or one without what decides over the way back, is refused
// before anything is stopped, and a version that says so only on trial goes back.
func TestFormats(t *testing.T) {
	for prog, says := range map[string]string{"foreign 1": "has format 2, this program knows 1", "silent 2": "does not say which migrations"} {
		s := newSite(t)
		if err := s.apply(s.h.makes(t, s.h.plan(held+100), prog)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "nothing was changed") {
			t.Errorf("%s: %v, want %q", prog, err, says)
		}
		s.whole()
		if s.program() != "good 1" || !s.runs || len(s.notes) != 0 {
			t.Errorf("%s: %q runs: %t, leaves %v", prog, s.program(), s.runs, s.notes)
		}
	}
	// The state of an update that another program has begun.
	for text, says := range map[string]string{
		`{"monban_update":2,"stage":"trial"}`: "has format 2", `{"stage":"trial"}`: "has format 0", `{"monban_update":1,"stage":"half"}`: "stage", `{`: "damaged",
	} {
		s := newSite(t)
		if err := os.Mkdir(s.u.Dir, 0o755); err != nil {
			t.Fatal(err)
		}
		s.put("updates/state", text)
		for name, err := range map[string]error{"apply": s.apply(s.h.makes(t, s.h.plan(held+100), "good 2")), "resume": s.u.Resume(t.Context(), false), "at boot": s.u.Resume(t.Context(), true)} {
			if err == nil || !strings.Contains(err.Error(), says) || text != "{" && !strings.Contains(err.Error(), "before/monban-server update resume") {
				t.Errorf("%s of %s: %v", name, text, err)
			}
		}
		if s.program() != "good 1" || !s.runs || s.get("updates/state") != text {
			t.Errorf("%s: something was done", text)
		}
	}
}

// I4: a version without a migration may have written another file in a form that the program of before does not know. That one is asked, and the new one stays.
func TestUnreadableAfterOpening(t *testing.T) {
	s := newSite(t)
	folder := s.h.makes(t, s.h.plan(held+100), "late 1")
	s.open = func() error { s.opens(); s.put("data/keys", "of a newer form"); return nil }
	if err := s.apply(folder); err == nil || !strings.Contains(err.Error(), "of another version") || !strings.Contains(err.Error(), "so it stays") {
		t.Error(err)
	}
	s.whole()
	if s.program() != "late 1" || !s.runs || !slices.Equal(s.notes, []string{"update_begun", "update_done"}) {
		t.Errorf("%q runs: %t, leaves %v", s.program(), s.runs, s.notes)
	}
}

// I4: cut off while the program of before comes back over the database of one that had opened, it comes back, whole.
func TestCutWhileTheProgramGoesBack(t *testing.T) {
	for at := range 3 {
		s := newSite(t)
		folder := s.h.makes(t, s.h.plan(held+100), "late 1")
		n, cutting := 0, false
		s.open = func() error { s.opens(); cutting = true; return nil }
		func() {
			defer func() {
				if r := recover(); r != nil && r != any(cut{}) {
					panic(r)
				}
			}()
			s.u.Step = func() {
				if cutting {
					if n++; n > at {
						panic(cut{})
					}
				}
			}
			_ = s.apply(folder)
		}()
		s.u.Step, s.runs = nil, false
		if err := s.u.Resume(t.Context(), true); err != nil {
			t.Errorf("step %d: %v", at, err)
		}
		s.start()
		s.whole()
		// Before the stage was written the version that opened stays.
		if want := "good 1"; at > 0 && s.program() != want || !s.ack("after all") {
			t.Errorf("step %d: %q runs, leaves %v", at, s.program(), s.notes)
		}
	}
}

// OP-4: an update for which a disk has not enough is refused before anything is begun, with the numbers and the folder.
func TestRoom(t *testing.T) {
	s := newSite(t)
	folder := s.h.makes(t, s.h.plan(held+100), "good 2")
	s.u.Database = []string{filepath.Join(s.u.Data, "large"), filepath.Join(s.u.Data, "not there")}
	s.put("data/large", "")
	if err := os.Truncate(s.u.Database[0], 1000_000_000); err != nil {
		t.Fatal(err)
	}
	s.free = 3100_000_000
	err := s.apply(folder)
	if err == nil {
		t.Fatal("begun")
	}
	for _, want := range []string{"3100 MB are free, 3202 MB are needed", "3068 MB for 3 × the database of 1000 MB in " + s.u.Data, s.u.Dir, "nothing was changed"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v: without %q", err, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(s.u.Dir, newDir)); err == nil || len(s.notes) != 0 {
		t.Error("something was begun")
	}
	s.whole()
	s.free = 3300_000_000
	if err := s.apply(folder); err != nil {
		t.Error(err)
	}
	if _, free, err := Free(t.TempDir()); err != nil || free <= 0 {
		t.Errorf("of this machine: %d, %v", free, err)
	}
}
