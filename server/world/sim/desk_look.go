package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/visit"
)

// What a story looks at.

// look reads at the desk. Nothing of it is written.
func (w *World) look(f func(t *deskTx) error) error {
	s := w.server
	if !s.up {
		return errors.New("the server is off")
	}
	t := &deskTx{m: s.store, s: s, dir: s.dir, now: s.wallMS()}
	t.site = s.visitSite(s.store, &t.dir)
	return f(t)
}

func dayOf(ms int64, zone *time.Location) directory.Date {
	return directory.DateOf(time.UnixMilli(ms).In(zone))
}

// entry is the entry of an attempt.
func (t *deskTx) entry(id door.Attempt) (visit.Passage, error) {
	r, err := t.m.AttemptRow(id)
	if err != nil {
		return visit.Passage{}, errors.New("the card presented last has no line in the log yet")
	}
	e, ok := t.passage(&r)
	if !ok || !e.In {
		return e, errors.New("the card presented last has not entered")
	}
	return e, nil
}

// Person reports whether the directory has a person of this id.
func (w *World) Person(id string) bool {
	return slices.ContainsFunc(w.server.dir.People, func(p directory.Person) bool { return string(p.ID) == id })
}

// GuestOf finds a guest of a visit by name or person id; of several the one who was not replaced.
func (w *World) GuestOf(id, name string) (int, error) {
	found := -1
	var all []string
	err := w.look(func(t *deskTx) error {
		v, err := load[visit.Visit](t, id)
		if err != nil {
			return err
		}
		for i := range v.Guests {
			g := &v.Guests[i]
			if all = append(all, g.Name); (g.Name == name || string(g.Person) == name && name != "") && (found < 0 || !g.Replaced.Done()) {
				found = i
			}
		}
		return nil
	})
	if err == nil && found < 0 {
		err = fmt.Errorf("no guest is called %q; the guests are %s", name, strings.Join(all, ", "))
	}
	return found, err
}

// MatterState gives the state of a matter, and whether something is still to come.
func (w *World) MatterState(id string) (state string, open bool, err error) {
	x := w.server.store.matters[id]
	if x == nil {
		return "", false, fmt.Errorf("no matter is called %q", id)
	}
	return x.head.State, x.head.Open, nil
}

// Owed lists what is owed of open matters, by kind.
func (w *World) Owed() (out []string, err error) {
	err = w.look(func(t *deskTx) error {
		for _, d := range t.dues() {
			out = append(out, string(d.Kind))
		}
		return nil
	})
	return out, err
}

// Presence lays a visit beside the log.
func (w *World) Presence(id string) (out []visit.Presence, err error) {
	err = w.look(func(t *deskTx) error {
		v, err := load[visit.Visit](t, id)
		if err == nil {
			out = v.Match(t.passages())
		}
		return err
	})
	return out, err
}

// Mismatches are the differences between applications and entries so far, by kind.
func (w *World) Mismatches() (out []string, err error) {
	err = w.look(func(t *deskTx) error {
		for _, m := range visit.Compare(t.visits(), t.passages(), t.now, t.site) {
			out = append(out, m.Kind)
		}
		return nil
	})
	return out, err
}

// PurposeOf gives the purpose of an entry and where it comes from.
func (w *World) PurposeOf(id door.Attempt) (text, from string, err error) {
	err = w.look(func(t *deskTx) error {
		e, err := t.entry(id)
		if err != nil {
			return err
		}
		p, source := t.purposeOf(e)
		text, from = p, string(source)
		return nil
	})
	return text, from, err
}

// AfterHours reports whether an entry is outside office hours without approved work; opensS is when offices open, seconds
// since midnight.
func (w *World) AfterHours(id door.Attempt, opensS int) (after bool, err error) {
	err = w.look(func(t *deskTx) error {
		e, err := t.entry(id)
		if err == nil {
			after = visit.AfterHours(e, t.visits(), opensS, t.site)
		}
		return err
	})
	return after, err
}
