package app

import (
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/store"
)

// search looks for a text in the lines of one day. Names are as they were written at the time, in the
// openings; beside them it looks at what the directory has for the person now: the reduced form, by
// which 髙橋 is found by who can only type 高橋, kana and romaji.
type search struct {
	text   string // as directory.FoldName makes it
	people map[directory.PersonID]*directory.Person
	known  map[string]bool // person_ref → found; one opening a person is read, not one a line
}

func (p *pages) search(text string) *search {
	s := p.directory()
	f := &search{text: directory.FoldName(text), people: make(map[directory.PersonID]*directory.Person, len(s.People)), known: map[string]bool{}}
	for i := range s.People {
		f.people[s.People[i].ID] = &s.People[i]
	}
	return f
}

func (f *search) in(texts ...string) bool {
	return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(directory.FoldName(s), f.text) })
}

// hits reports whether the line's person or door has the text. An erased opening has no person, and a suspended one is not looked at.
// Nothing of a suspended line is remembered: the person's other lines are found as before.
func (f *search) hits(r store.Reader, row attempt.Row, n names) bool {
	if f.in(n.door(access.DoorID(row.Door))) {
		return true
	}
	if len(row.PersonRef) == 0 || row.Opening < 0 {
		return false
	}
	if no, err := r.Restricted(row.Opening); err != nil || no {
		return false
	}
	ref := string(row.PersonRef)
	found, ok := f.known[ref]
	if !ok {
		if o, err := r.Opening(row.Opening); err == nil {
			found = f.in(o.Name, o.Section)
			if x := f.people[directory.PersonID(o.Person)]; x != nil && !found {
				found = f.in(x.Name, x.NameReduced, x.Kana, x.Romaji)
			}
		}
		f.known[ref] = found
	}
	return found
}
