package upgrade

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// OP-4: a machine that stands still for longer than the limit, before the first look, between two, or in the middle of one, does not make a good
// version a bad one; time runs out only on a look that missed something.
func TestAwaitOverAStall(t *testing.T) {
	for _, at := range []int{2, 3, 4, 6, 8} { // the first look is the one before the update
		s := newSite(t)
		s.look = func(n int) {
			s.dead = n == 2 || n == at // the gateway is on its way back, and has to come back after the stall too
			if n == at {
				s.at = s.at.Add(time.Hour)
			}
		}
		if err := s.apply(s.h.makes(t, s.h.plan(held+100), "good 2")); err != nil {
			t.Errorf("an hour at look %d: %v", at, err)
		}
		s.whole()
	}
	// A version that is never well is given up after the limit, and not long after it.
	s := newSite(t)
	began := s.at
	if err := s.apply(s.h.makes(t, s.h.plan(held+100), "lonely 2")); err == nil {
		t.Error("a version without its gateway was kept")
	}
	if took := s.at.Sub(began); took < s.u.Limit || took > 2*s.u.Limit {
		t.Errorf("given up after %s, the limit is %s", took, s.u.Limit)
	}
}

// OP-4: a version that ends by itself again and again is taken back at once; one that did so once or twice and is well then stays; where nobody can
// count, the limit ends it.
func TestVersionThatDoesNotStart(t *testing.T) {
	for _, c := range []struct {
		what, prog string
		each       int   // times that it ends between two looks
		most       int   // at most in all
		unknown    error // of the count
		kept       bool
		limit      bool // it takes the whole limit
	}{
		{what: "ends at once", prog: "dead 2", each: 1, most: 1000},
		{what: "cannot be counted", prog: "dead 2", each: 1, most: 1000, unknown: errors.New("no systemd"), limit: true},
		{what: "hangs", prog: "dead 2", limit: true},
		{what: "ends four times, then is well", prog: "good 2", each: 1, most: 4, kept: true},
		{what: "is well however often it ended before", prog: "good 2", each: 9, most: 9, kept: true},
	} {
		s := newSite(t)
		s.noRestarts = c.unknown
		s.look = func(n int) {
			if n > 1 && s.restarts < c.most { // the first look is at the version of before
				s.restarts += c.each
			}
			s.dead = c.prog == "good 2" && n > 1 && n < 6 && c.each == 1
		}
		began := s.at
		err := s.apply(s.h.makes(t, s.h.plan(held+100), c.prog))
		if c.kept != (err == nil) {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		took := s.at.Sub(began)
		switch {
		case c.kept:
			continue
		case c.limit != (took > s.u.Limit):
			t.Errorf("%s: given up after %s, the limit is %s", c.what, took, s.u.Limit)
		case !c.limit && (took > 15*time.Second || !strings.Contains(err.Error(), "started again 5 times")):
			t.Errorf("%s: given up after %s: %v", c.what, took, err)
		}
		if s.whole(); s.program() != "good 1" || !s.runs || !slices.Equal(s.notes, []string{"update_begun", "update_rolled_back"}) {
			t.Errorf("%s: %q runs: %t, leaves %v", c.what, s.program(), s.runs, s.notes)
		}
	}
}

// OP-4: a gateway that dies during an update takes the new version back once, and does not keep the update under way for ever.
func TestGatewayDiesMeanwhile(t *testing.T) {
	s := newSite(t)
	s.look = func(n int) { s.dead = n > 1 }
	err := s.apply(s.h.makes(t, s.h.plan(held+100), "good 2"))
	if err == nil || !strings.Contains(err.Error(), "gateway gw-2") || !strings.Contains(err.Error(), "nothing was lost") {
		t.Fatal(err)
	}
	s.whole()
	if s.program() != "good 1" || !slices.Equal(s.notes, []string{"update_begun", "update_rolled_back"}) {
		t.Errorf("%q runs, leaves %v", s.program(), s.notes)
	}
	// The same when it dies between a cut and the command that puts it right.
	s = newSite(t)
	folder := s.h.makes(t, s.h.plan(held+100), "good 2")
	if !s.cutAt(7, func() error { return s.apply(folder) }) {
		t.Fatal("not cut off")
	}
	s.u.Step, s.dead = nil, true
	if err := s.u.Resume(t.Context(), false); err != nil || !s.runs {
		t.Errorf("resume: %v; runs: %t", err, s.runs)
	}
	s.whole()
	// And the next update begins with the gateways that are there.
	if err := s.apply(s.h.makes(t, s.h.plan(held+200), "good 2")); err != nil {
		t.Error(err)
	}
}

// I4: an order to open of which nobody heard again, and that came through late, is not followed by a way back: neither when it came before the
// stop nor while the server stopped.
func TestOpensLate(t *testing.T) {
	for _, when := range []string{"at once", "while it stops"} {
		for _, prog := range []string{"good 2", "good too 1"} {
			s := newSite(t)
			s.open = func() error {
				if when == "at once" {
					s.opens()
				}
				return errors.New("the server has begun and has not answered")
			}
			m := s.u.Machine.(Plain)
			stop, stops := m.StopUnit, 0
			m.StopUnit = func(ctx context.Context) error {
				if stops++; stops == 2 && when != "at once" {
					s.opens()
					s.ack("while it stopped")
				}
				return stop(ctx)
			}
			s.u.Machine = m
			if err := s.apply(s.h.makes(t, s.h.plan(held+100), prog)); err != nil {
				t.Errorf("%s, %s: %v", prog, when, err)
			}
			s.whole()
			if s.program() != prog || !s.runs || !slices.Equal(s.notes, []string{"update_begun", "update_done"}) {
				t.Errorf("%s, %s: %q runs: %t, leaves %v", prog, when, s.program(), s.runs, s.notes)
			}
		}
	}
}

// I4: that the programs cannot be compared does not say that the new one has opened, nor that it has not: nothing is done and nothing forgotten.
func TestOpenedCannotBeKnown(t *testing.T) {
	s := newSite(t)
	folder := s.h.makes(t, s.h.plan(held+100), "good 2")
	s.open = func() error { s.opens(); panic(cut{}) }
	if !s.cutAt(1000, func() error { return s.apply(folder) }) {
		t.Fatal("not cut off")
	}
	s.open = nil
	installed := s.u.Machine.Program()
	if err := errors.Join(os.Remove(installed), os.Mkdir(installed, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := s.u.Resume(t.Context(), true); err == nil || !strings.Contains(err.Error(), "cannot be known") {
		t.Errorf("resume: %v", err)
	}
	if st, err := s.u.State(); err != nil || st == nil || len(s.notes) != 1 {
		t.Errorf("under way: %v, %v; leaves %v", st, err, s.notes)
	}
	if err := os.Remove(installed); err != nil {
		t.Fatal(err)
	}
	s.put("usr/bin/monban-server", "good 2")
	if err := s.u.Resume(t.Context(), true); err != nil || !slices.Equal(s.notes, []string{"update_begun", "update_done"}) {
		t.Errorf("resume: %v, leaves %v", err, s.notes)
	}
	s.whole()
}
