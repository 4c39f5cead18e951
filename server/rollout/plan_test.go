package rollout

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	begin = time.Date(2026, 11, 27, 1, 0, 0, 0, time.UTC)
	rules = Rules{Settle: 15 * time.Minute, Limit: time.Hour}
)

const release = 500

// hall is a house of gateways as the server sees it.
type hall struct {
	t    *testing.T
	p    Plan
	f    Facts
	acts []Act
}

func newHall(t *testing.T, ids ...string) *hall {
	h := &hall{t: t, p: Begin(begin, release, "v2", ids), f: Facts{Now: begin, Since: begin.Add(-time.Hour), Open: true, Seen: map[string]Seen{}}}
	for _, id := range ids {
		h.says(id, Seen{Running: 100, Word: Idle})
	}
	return h
}

// says is what a gateway says now; it is heard too.
func (h *hall) says(id string, s Seen) {
	s.Said, s.Heard = h.f.Now, h.f.Now
	h.f.Seen[id] = s
}

// again has everybody but some say the same anew, and steps.
func (h *hall) after(d time.Duration, quiet ...string) {
	h.f.Now = h.f.Now.Add(d)
	for id, s := range h.f.Seen {
		if !slices.Contains(quiet, id) {
			h.says(id, s)
		}
	}
	h.step()
}

func (h *hall) step() {
	var acts []Act
	h.p, acts = h.p.Step(rules, h.f)
	h.acts = append(h.acts, acts...)
}

func (h *hall) want(what string, state State, cause Cause, stages ...Stage) {
	h.t.Helper()
	var got []Stage
	for _, g := range h.p.Gateways {
		got = append(got, g.Stage)
	}
	if h.p.State != state || h.p.Cause != cause || !slices.Equal(got, stages) {
		h.t.Fatalf("%s: %s %q %v, want %s %q %v", what, h.p.State, h.p.Cause, got, state, cause, stages)
	}
}

// takes has a gateway run the release for good.
func (h *hall) takes(id string) {
	h.says(id, Seen{Running: release, Word: Kept, Number: release, Try: h.p.Find(id).Tries})
	h.step()
}

// OP-4: one gateway after the other, each watched before the next.
func TestGoodRollout(t *testing.T) {
	h := newHall(t, "a", "b", "c")
	h.step()
	h.want("begun", Running, "", Turn, Waiting, Waiting)
	h.takes("a")
	h.after(14 * time.Minute)
	h.want("not long enough", Running, "", Turn, Waiting, Waiting)
	h.after(time.Minute)
	h.want("a is good", Running, "", Good, Turn, Waiting)
	h.takes("b")
	h.after(15 * time.Minute)
	h.says("c", Seen{Running: release + 1, Word: Idle}) // somebody was there with a stick
	h.step()
	h.want("c has its turn before it told", Running, "", Good, Good, Turn)
	h.after(15 * time.Minute)
	h.want("all", Done, "", Good, Good, Good)
	want := []Act{{VerbTurn, "a", ""}, {VerbDone, "a", ""}, {VerbTurn, "b", ""}, {VerbDone, "b", ""}, {VerbTurn, "c", ""}, {VerbDone, "c", ""}, {VerbFinished, "", ""}}
	if !slices.Equal(h.acts, want) {
		t.Errorf("%v", h.acts)
	}
}

// OP-4: who runs it already, or something newer, has no turn.
func TestSkipped(t *testing.T) {
	h := newHall(t, "a", "b", "c")
	h.says("a", Seen{Running: release, Word: Idle})
	h.says("b", Seen{Running: release + 7, Word: Idle})
	h.step()
	h.want("begun", Running, "", Skipped, Skipped, Turn)
}

// OP-4: everything that stops, and what comes close and does not.
func TestStops(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*hall)
		cause Cause // "" = it goes on
		where string
	}{
		"rolled back":                  {func(h *hall) { h.says("a", Seen{Running: 100, Word: Failed, Number: release, Try: 1}) }, RolledBack, "a"},
		"refused":                      {func(h *hall) { h.says("a", Seen{Running: 100, Word: NotTaken, Number: release, Try: 1}) }, Refused, "a"},
		"another release failed there": {func(h *hall) { h.says("a", Seen{Running: 100, Word: Failed, Number: 400, Try: 1}) }, "", ""},
		"failed in another turn":       {func(h *hall) { h.says("a", Seen{Running: 100, Word: Failed, Number: release, Try: 0}) }, "", ""},
		"who has no turn says failed":  {func(h *hall) { h.says("b", Seen{Running: 100, Word: Failed, Number: release, Try: 1}) }, "", ""},
		"on its way for an hour":       {func(h *hall) { h.after(time.Hour) }, "", ""},
		"on its way for longer":        {func(h *hall) { h.after(time.Hour + 16*time.Minute) }, NoWord, "a"},
		"silent in its turn":           {func(h *hall) { h.after(time.Hour+16*time.Minute, "a") }, NoWord, "a"},
		"the server was away meanwhile": {func(h *hall) {
			h.f.Since = h.f.Now.Add(time.Hour)
			h.after(time.Hour+16*time.Minute, "a")
		}, "", ""},
		"well, then silent": {func(h *hall) {
			h.takes("a")
			h.after(2*time.Hour, "a")
		}, NoWord, "a"},
		"well, but on trial for ever": {func(h *hall) {
			h.says("a", Seen{Running: release, Word: Trial, Number: release, Try: 1})
			h.after(2 * time.Hour)
		}, NoWord, "a"},
		"done, then silent for four minutes": {func(h *hall) {
			h.takes("a")
			h.after(15 * time.Minute)
			h.after(4*time.Minute, "a")
		}, "", ""},
		"done, then gone": {func(h *hall) {
			h.takes("a")
			h.after(15 * time.Minute)
			h.after(6*time.Minute, "a")
		}, Gone, "a"},
		"done, then something older": {func(h *hall) {
			h.takes("a")
			h.after(15 * time.Minute)
			h.says("a", Seen{Running: 100, Word: Idle})
		}, Gone, "a"},
		"the next does not ask": {func(h *hall) {
			delete(h.f.Seen, "b")
			h.takes("a")
			h.after(15 * time.Minute)
			h.after(61 * time.Minute)
		}, NoWord, "b"},
		"the next does not ask yet": {func(h *hall) {
			delete(h.f.Seen, "b")
			h.takes("a")
			h.after(15 * time.Minute)
			h.after(59 * time.Minute)
		}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t, "a", "b")
			h.step()
			c.do(h)
			h.step()
			if c.cause == "" {
				if h.p.State != Running {
					t.Fatalf("%s %s at %q", h.p.State, h.p.Cause, h.p.Where)
				}
				return
			}
			if h.p.State != Stopped || h.p.Cause != c.cause || h.p.Where != c.where {
				t.Fatalf("%s %q at %q, want %q at %q", h.p.State, h.p.Cause, h.p.Where, c.cause, c.where)
			}
			if last := h.acts[len(h.acts)-1]; last != (Act{VerbStopped, c.where, c.cause}) {
				t.Errorf("%v", last)
			}
		})
	}
}

// OP-4: stopped means stopped, until a person goes on; a gateway may be left out.
func TestResume(t *testing.T) {
	h := newHall(t, "a", "b")
	h.step()
	h.says("a", Seen{Running: 100, Word: Failed, Number: release, Try: 1})
	h.step()
	h.after(24 * time.Hour)
	h.want("stopped", Stopped, RolledBack, Waiting, Waiting)
	if _, _, err := h.p.Stop(); err == nil {
		t.Error("stopped twice")
	}
	if _, _, err := h.p.Resume(h.f.Now, "z"); err == nil {
		t.Error("left out somebody who is not there")
	}
	left, acts, err := h.p.Resume(h.f.Now, "a")
	if err != nil || len(acts) != 2 {
		t.Fatal(acts, err)
	}
	again, _, err := h.p.Resume(h.f.Now, "")
	if err != nil {
		t.Fatal(err)
	}
	h.p = left
	h.step()
	h.want("without a", Running, "", LeftOut, Turn)
	h.p = again
	h.step()
	h.want("a once more", Running, "", Turn, Waiting)
	if g := h.p.Find("a"); g.Tries != 2 { // what it said of the first does not stop the second
		t.Errorf("%+v", g)
	}
	if _, _, err := h.p.Resume(h.f.Now, ""); err == nil {
		t.Error("resumed while it runs")
	}
	p, acts, err := h.p.Stop()
	if err != nil || p.State != Stopped || p.Cause != Person || len(acts) != 1 {
		t.Errorf("%+v %v %v", p, acts, err)
	}
}

// OP-4: no turn outside of the hours; one that was given is gone on with, and closed hours are nobody's silence.
func TestHours(t *testing.T) {
	h := newHall(t, "a", "b")
	h.f.Open = false
	h.step()
	h.want("closed", Running, "", Waiting, Waiting)
	h.after(5*time.Hour, "a")
	h.want("closed for long", Running, "", Waiting, Waiting)
	h.f.Open, h.f.Hour = true, h.f.Now
	h.after(59*time.Minute, "a")
	h.want("open, and it is still waited for", Running, "", Waiting, Waiting)
	h.says("a", Seen{Running: 100, Word: Idle})
	h.step()
	h.want("open", Running, "", Turn, Waiting)
	h.f.Open = false
	h.takes("a")
	h.after(15 * time.Minute)
	h.want("closed again", Running, "", Good, Waiting)
}

// OP-4: a started server knows nothing yet: nobody is gone, and the time of being well begins anew.
func TestServerStarts(t *testing.T) {
	h := newHall(t, "a", "b")
	h.step()
	h.takes("a")
	h.after(14 * time.Minute)
	h.f.Since, h.f.Seen = h.f.Now, map[string]Seen{}
	h.after(4 * time.Minute)
	h.want("just started", Running, "", Turn, Waiting)
	h.says("a", Seen{Running: release, Word: Kept, Number: release, Try: 1})
	h.says("b", Seen{Running: 100, Word: Idle})
	h.after(14 * time.Minute)
	h.after(14 * time.Minute)
	h.want("well anew, not long enough", Running, "", Turn, Waiting)
	h.after(time.Minute)
	h.want("well", Running, "", Good, Turn)
}

// OP-4: the order: who has the fewest controlled doors first, unless somebody says who.
func TestOrder(t *testing.T) {
	all := []Candidate{{"c", 2}, {"a", 2}, {"b", 0}, {"d", 1}}
	for first, want := range map[string][]string{"": {"b", "d", "a", "c"}, "c": {"c", "b", "d", "a"}} {
		if got, err := Order(all, first); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v %v", first, got, err)
		}
	}
	if _, err := Order(all, "x"); err == nil {
		t.Error("a first that is not there")
	}
	if _, err := Order(nil, ""); err == nil {
		t.Error("nobody")
	}
}

// The zero values give nobody a turn.
func TestZero(t *testing.T) {
	var p Plan
	if next, acts := p.Step(rules, Facts{Now: begin, Open: true}); len(acts) != 0 || next.Serves("", Seen{}) || next.Serves("a", Seen{}) {
		t.Error("a plan that is none acts")
	}
	if (Plan{State: Running, Number: 5, Gateways: []Gateway{{ID: "a"}}}).Serves("a", Seen{}) {
		t.Error("a gateway without a stage is served")
	}
}

// OP-4, over any history: never two turns at once; never a turn while stopped; done only after being well for Settle without a break by the
// release itself; every change of a stage is an act.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := []string{"a", "b", "c", "d"}[:rapid.IntRange(1, 4).Draw(t, "gateways")]
		p := Begin(begin, release, "v2", ids)
		f := Facts{Now: begin, Since: begin, Open: true, Seen: map[string]Seen{}}
		well := map[string]time.Time{} // since when each is well, by the test's own count
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			f.Now = f.Now.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "seconds")) * time.Second)
			before := p
			var acts []Act
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				if next, a, err := p.Stop(); err == nil {
					p, acts = next, a
				}
			case 1:
				without := rapid.SampledFrom(append([]string{""}, ids...)).Draw(t, "without")
				if next, a, err := p.Resume(f.Now, without); err == nil {
					p, acts = next, a
				}
			case 2:
				f.Since, f.Seen = f.Now, map[string]Seen{}
			case 3:
				f.Open = !f.Open
				f.Hour = f.Now
			default:
				id := rapid.SampledFrom(ids).Draw(t, "who")
				s := f.Seen[id]
				s.Heard = f.Now
				if rapid.IntRange(0, 3).Draw(t, "asks") > 0 {
					s.Said = f.Now
					s.Running = rapid.SampledFrom([]int64{100, release, release, release + 1}).Draw(t, "running")
					s.Word = rapid.SampledFrom([]Word{Idle, Fetching, Held, Trial, Kept, Kept, Failed, NotTaken}).Draw(t, "word")
					s.Number = rapid.SampledFrom([]int64{400, release}).Draw(t, "about")
					s.Try = rapid.IntRange(0, 3).Draw(t, "try")
				}
				f.Seen[id] = s
			}
			for _, id := range ids {
				s := f.Seen[id]
				if s.Running >= release && s.Word != Trial && !s.Said.IsZero() && f.Now.Sub(s.Said) <= fresh && !s.Heard.IsZero() && f.Now.Sub(s.Heard) <= silent {
					if well[id].IsZero() {
						well[id] = f.Now
					}
				} else {
					delete(well, id)
				}
			}
			if len(acts) == 0 {
				p, acts = p.Step(rules, f)
			}
			check(t, before, p, acts, f, well)
		}
	})
}

func check(t *rapid.T, before, p Plan, acts []Act, f Facts, well map[string]time.Time) {
	turns := 0
	for i, g := range p.Gateways {
		if g.Stage == Turn {
			turns++
			if p.State != Running {
				t.Fatalf("%s has a turn while %s", g.ID, p.State)
			}
		}
		if was := before.Gateways[i].Stage; g.Stage != was {
			verb := map[Stage]Verb{Turn: VerbTurn, Good: VerbDone, Skipped: VerbSkipped, LeftOut: VerbLeftOut, Waiting: VerbStopped}[g.Stage]
			if !slices.ContainsFunc(acts, func(a Act) bool { return a.Verb == verb && (a.Gateway == g.ID || verb == VerbStopped) }) {
				t.Fatalf("%s went from %s to %s without %s: %v", g.ID, was, g.Stage, verb, acts)
			}
			if g.Stage == Good && (was != Turn || well[g.ID].IsZero() || f.Now.Sub(well[g.ID]) < rules.Settle) {
				t.Fatalf("%s is done from %s, well since %v at %v", g.ID, was, well[g.ID], f.Now)
			}
			if g.Stage == Turn && (before.State != Running || !f.Open) {
				t.Fatalf("%s has its turn: %s, open %t", g.ID, before.State, f.Open)
			}
		}
		if p.Serves(g.ID, f.Seen[g.ID]) && g.Stage != Turn {
			t.Fatalf("%s is served without its turn", g.ID)
		}
	}
	if turns > 1 {
		t.Fatal(fmt.Sprint("two turns at once: ", p.Gateways))
	}
	if before.State == Stopped && p.State == Running && !slices.ContainsFunc(acts, func(a Act) bool { return a.Verb == VerbResumed }) {
		t.Fatal("nobody resumed")
	}
}
