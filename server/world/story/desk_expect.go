package story

import (
	"slices"
	"strconv"
	"strings"
)

// deskExpectations are what can be expected of the desk.
func deskExpectations() map[string]expectation {
	return map[string]expectation{
		"refused":     {"refused [WORD]", (*runner).wasRefused},
		"warned":      {"warned FIELD", (*runner).wasWarned},
		"matter":      {"matter NAME STATE", (*runner).matterState},
		"owed":        {"owed KIND [N]", (*runner).owed},
		"guests":      {"guests VISIT [entered=N] [inside=N] [carried=N]", (*runner).guests},
		"mismatch":    {"mismatch KIND [N]", (*runner).mismatch},
		"purpose":     {"purpose TEXT|none [from=approved_work|keypad|stated]", (*runner).purpose},
		"after-hours": {"after-hours yes|no", (*runner).afterHours},
	}
}

// unexpected tells of a refusal that the line after it does not expect.
func (r *runner) unexpected() error {
	if r.refused == nil {
		return nil
	}
	err := differs("was refused: %s (%v); if that is meant, write: expect refused %s", r.refused.Word, r.refused, r.refused.Word)
	r.refused = nil
	return err
}

func (r *runner) wasRefused(l Line, w []string, opts map[string]string) error {
	if len(w) > 1 || len(opts) != 0 {
		return badExpect(l)
	}
	got := r.refused
	r.refused = nil
	switch {
	case got == nil:
		return differs("expected %s, it was done", strings.Join(l.Words[1:], " "))
	case len(w) == 1 && got.Word != w[0]:
		return differs("expected refused %s, got refused %s (%v)", w[0], got.Word, got)
	}
	return nil
}

func (r *runner) wasWarned(l Line, w []string, opts map[string]string) error {
	if len(w) != 1 || len(opts) != 0 {
		return badExpect(l)
	}
	if !slices.Contains(r.warned, w[0]) {
		return differs("expected a warning about %s, got %s", w[0], list(r.warned))
	}
	return nil
}

func (r *runner) matterState(l Line, w []string, opts map[string]string) error {
	if len(w) != 2 || len(opts) != 0 {
		return badExpect(l)
	}
	id, err := r.matter(w[0])
	if err != nil {
		return err
	}
	got, _, err := r.w.MatterState(id)
	if err == nil && got != w[1] {
		return differs("expected matter %s %s, it is %s", w[0], w[1], got)
	}
	return err
}

func of(all []string, kind string) (n int) {
	for _, x := range all {
		if x == kind {
			n++
		}
	}
	return n
}

func (r *runner) owed(l Line, w []string, _ map[string]string) error {
	if len(w) < 1 {
		return badExpect(l)
	}
	all, err := r.w.Owed()
	if err != nil {
		return err
	}
	return count(l, w[1:], of(all, w[0]), "owed "+w[0])
}

func (r *runner) mismatch(l Line, w []string, _ map[string]string) error {
	if len(w) < 1 {
		return badExpect(l)
	}
	all, err := r.w.Mismatches()
	if err != nil {
		return err
	}
	return count(l, w[1:], of(all, w[0]), "mismatch "+w[0])
}

func (r *runner) guests(l Line, w []string, opts map[string]string) error {
	if len(w) != 1 || len(opts) == 0 {
		return badExpect(l)
	}
	id, err := r.matter(w[0])
	if err != nil {
		return err
	}
	list, err := r.w.Presence(id)
	if err != nil {
		return err
	}
	got := map[string]int{"entered": 0, "inside": 0, "carried": 0}
	for _, p := range list {
		if p.EnteredMS != 0 {
			got["entered"]++
		}
		if p.Inside {
			got["inside"]++
		}
		if p.Carried {
			got["carried"]++
		}
	}
	for _, word := range l.Words[3:] {
		k, v, _ := strings.Cut(word, "=")
		n, known := got[k]
		want, err := strconv.Atoi(v)
		if !known || err != nil {
			return badExpect(l)
		}
		if n != want {
			return differs("expected guests %s %s=%d, got %d", w[0], k, want, n)
		}
	}
	return nil
}

func (r *runner) purpose(l Line, w []string, opts map[string]string) error {
	if len(w) != 1 || len(opts) > 1 {
		return badExpect(l)
	}
	text, from, err := r.w.PurposeOf(r.seen.attempt)
	if err != nil {
		return err
	}
	want, source := w[0], opts["from"]
	if want == "none" {
		want = ""
	}
	if text != want || source != "" && source != from {
		return differs("expected %s, got %q from=%s", strings.Join(l.Words[1:], " "), text, from)
	}
	return nil
}

// opens is when offices open, as seconds since midnight.
const opens = 8*3600 + 30*60

func (r *runner) afterHours(l Line, w []string, opts map[string]string) error {
	if len(w) != 1 || w[0] != "yes" && w[0] != "no" || len(opts) != 0 {
		return badExpect(l)
	}
	got, err := r.w.AfterHours(r.seen.attempt, opens)
	if err == nil && got != (w[0] == "yes") {
		return differs("expected after-hours %s, it is the other way", w[0])
	}
	return err
}
