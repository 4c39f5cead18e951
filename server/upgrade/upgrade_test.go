package upgrade

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// OP-4: a good release is rehearsed, tried, opened and logged; after it nothing older is installed.
func TestApply(t *testing.T) {
	s := newSite(t)
	if err := s.apply(s.h.makes(t, s.h.plan(held+100), "good 2")); err != nil {
		t.Fatal(err)
	}
	s.whole()
	if s.program() != "good 2" || !s.runs || s.read().Schema != 2 || s.get("usr/lib/systemd/system/monban-server.service") != "unit of 0~1000100" {
		t.Errorf("%q runs: %t, schema %d", s.program(), s.runs, s.read().Schema)
	}
	if !slices.Equal(s.notes, []string{"update_begun", "update_done"}) {
		t.Errorf("leaves: %v", s.notes)
	}
	s.u.Own = held + 100
	if err := s.apply(s.h.makes(t, s.h.plan(held+50), "good 1")); err == nil || !strings.Contains(err.Error(), "older than one") {
		t.Errorf("an older one: %v", err)
	}
	if err := s.apply(s.h.makes(t, s.h.plan(held+200), "good 2 too 2")); err != nil {
		t.Fatal(err)
	}
	s.whole()
}

// OP-4, I4: a version that is not well on trial goes back with its database, and no record that was acknowledged is missing.
func TestRollsBack(t *testing.T) {
	for prog, says := range map[string]string{
		"lonely 2": "gateway gw-2, which was linked before, is not back", "faulty 2": "doctor: signing of checkpoints", "lonely 1": "gateway gw-2",
	} {
		t.Run(prog, func(t *testing.T) {
			s := newSite(t)
			err := s.apply(s.h.makes(t, s.h.plan(held+100), prog))
			if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "nothing was lost") {
				t.Fatalf("%v, want %q", err, says)
			}
			s.whole()
			if s.program() != "good 1" || !s.runs || s.read().Schema != 1 || !slices.Equal(s.notes, []string{"update_begun", "update_rolled_back"}) {
				t.Errorf("%q runs: %t, schema %d, leaves %v", s.program(), s.runs, s.read().Schema, s.notes)
			}
			if err := s.apply(s.h.makes(t, s.h.plan(held+200), "good 2")); err != nil {
				t.Errorf("the release that mends it: %v", err)
			}
			s.whole()
		})
	}
}

// OP-4: what fails on a copy of the database touches nothing.
func TestRehearsal(t *testing.T) {
	s := newSite(t)
	before := s.get("data/db")
	folder := s.h.makes(t, s.h.plan(held+100), "untried 2")
	err := s.apply(folder)
	if err == nil || !strings.Contains(err.Error(), "3 findings") || !strings.Contains(err.Error(), "nothing was changed") {
		t.Fatal(err)
	}
	s.whole()
	if s.program() != "good 1" || !s.runs || !strings.HasPrefix(s.get("data/db"), strings.TrimSuffix(before, "]}")) || len(s.notes) != 0 {
		t.Errorf("%q, %q, %v", s.program(), s.get("data/db"), s.notes)
	}
	s.runs = false
	if err := s.apply(folder); err == nil || !strings.Contains(err.Error(), "must be running") {
		t.Errorf("with a stopped server: %v", err)
	}
}

// I4: a version that turns bad after it has opened never takes its database back. Its program goes back only over the same schema.
func TestUnwellAfterOpening(t *testing.T) {
	for prog, want := range map[string]string{"late 2": "so it stays", "late 1": "the program of before runs again on the same database"} {
		t.Run(prog, func(t *testing.T) {
			s := newSite(t)
			err := s.apply(s.h.makes(t, s.h.plan(held+100), prog))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Fatalf("%v, want %q", err, want)
			}
			s.whole()
			if stays := strings.HasSuffix(prog, "2"); (s.program() == prog) != stays || len(s.acked) < 2 {
				t.Errorf("%q runs; %d records", s.program(), len(s.acked))
			}
		})
	}
}

// cut is what a step does when the power goes away.
type cut struct{}

// OP-4, I4: broken off at each step, twice at each of some, an update leaves a program that reads its database and no lost record.
func TestBrokenOffAtEachStep(t *testing.T) {
	for _, prog := range []string{"good 2", "good too 1", "lonely 2"} {
		steps := 0
		for at := 0; ; at++ {
			s := newSite(t)
			folder := s.h.makes(t, s.h.plan(held+100), prog)
			if !s.cutAt(at, func() error { return s.apply(folder) }) {
				break
			}
			steps++
			// What is run at boot is the kept program: it is there with all that it needs, or not at all.
			if st, err := s.u.State(); err != nil || s.get("updates/before/monban-server") == "" && st != nil || (s.get("updates/before/monban-server") == "") != (s.get("updates/before/before.tar") == "") {
				t.Errorf("%s, step %d: under way: %t, %v; kept program %q", prog, at, st != nil, err, s.get("updates/before/monban-server"))
			}
			// The power comes back: the service manager runs resume, then the server. Cut off once more on the way.
			s.runs = false
			s.cutAt(at%3, func() error { return s.u.Resume(t.Context(), true) })
			s.u.Step = nil
			if err := s.u.Resume(t.Context(), true); err != nil {
				t.Errorf("%s, step %d: resume: %v", prog, at, err)
			}
			s.start()
			s.whole()
			if !s.ack("after all") {
				t.Errorf("%s, step %d: no record is taken", prog, at)
			}
			if got := s.program(); got != "good 1" && (got != prog || prog == "lonely 2") {
				t.Errorf("%s, step %d: %q runs", prog, at, got)
			}
			// A leaf may stand there twice when the cut came between it and the end; never of both kinds. Begun alone: nothing was touched.
			if len(s.notes) > 1 {
				for _, n := range s.notes[1:] {
					if s.notes[0] != "update_begun" || n != s.notes[1] || (n == "update_done") != (s.program() == prog) {
						t.Errorf("%s, step %d: %q runs, leaves %v", prog, at, s.program(), s.notes)
					}
				}
			} else if s.program() != "good 1" {
				t.Errorf("%s, step %d: %q runs and no leaf says so", prog, at, s.program())
			}
		}
		if steps < 8 {
			t.Errorf("%s: only %d steps", prog, steps)
		}
	}
}

// cutAt does f and breaks it off before its step number at; false = it had fewer.
func (s *site) cutAt(at int, f func() error) (was bool) {
	n := 0
	s.u.Step = func() {
		if n == at {
			panic(cut{})
		}
		n++
	}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(cut); !ok {
				panic(r)
			}
			was = true
		}
	}()
	if err := f(); err != nil && errors.Is(err, ErrBusy) {
		s.t.Error(err)
	}
	return false
}

// Two updates at a time: the second is refused, and what systemd starts beside the first does nothing.
func TestOneAtATime(t *testing.T) {
	s := newSite(t)
	folder := s.h.makes(t, s.h.plan(held+100), "good 2")
	asked := false
	s.u.Step = func() {
		if asked {
			return
		}
		asked = true
		second := *s.u
		second.Step = nil
		if err := second.Apply(t.Context(), Order{Bundle: folder, Reason: "r", By: "b", Clock: now}); !errors.Is(err, ErrBusy) {
			t.Errorf("a second: %v", err)
		}
		if err := second.Resume(t.Context(), true); err != nil {
			t.Errorf("the unit: %v", err)
		}
	}
	if err := s.apply(folder); err != nil || !asked {
		t.Fatal(err)
	}
	s.whole()
}
