package directory

import (
	"fmt"
	"slices"
	"strings"

	"monban/firmware/access"
)

// Warning is something that is allowed and probably not meant.
type Warning struct {
	Noun string // as Change.Noun
	ID   string
	Text string
}

// String gives "grant 1001:server-room:always: text".
func (w Warning) String() string { return w.Noun + " " + w.ID + ": " + w.Text }

// Warnings looks at the rows that changes touch; with all, at every row. day is today.
func (s *Snapshot) Warnings(changes []Change, all bool, day Date) []Warning {
	touched := map[string]bool{}
	for i := range changes {
		if changes[i].Op != OpRemove {
			touched[changes[i].Noun()+" "+changes[i].ID()] = true
		}
	}
	v := &warner{s: s, day: day, looks: func(noun, id string) bool { return all || touched[noun+" "+id] }}
	v.overlaps()
	v.serials()
	v.workers(all || slices.ContainsFunc(changes, func(c Change) bool { return c.Contract != nil || c.Person != nil }))
	v.zones()
	v.people()
	return v.out
}

type warner struct {
	s     *Snapshot
	day   Date
	looks func(noun, id string) bool
	out   []Warning
}

func (w *warner) say(noun, id, format string, args ...any) {
	w.out = append(w.out, Warning{noun, id, fmt.Sprintf(format, args...)})
}

// overlaps tells of grants that give the same person the same zone on the same day: taking one away takes
// nothing away.
func (w *warner) overlaps() {
	type right struct {
		person PersonID
		zone   access.ZoneID
	}
	groups := byID(w.s.Groups, func(g *Group) GroupID { return g.ID })
	held := map[right][]*Grant{}
	for i := range w.s.Grants {
		g := &w.s.Grants[i]
		holders := []PersonID{g.Person}
		if g.Group != "" {
			holders = nil
			if grp := groups[g.Group]; grp != nil {
				holders = grp.Members
			}
		}
		for _, p := range holders {
			held[right{p, g.Zone}] = append(held[right{p, g.Zone}], g)
		}
	}
	said := map[string]bool{}
	for k, list := range held {
		for i, a := range list {
			for _, b := range list[i+1:] {
				if !a.meets(b) || said[string(a.ID)+" "+string(b.ID)] || !w.looks("grant", string(a.ID)) && !w.looks("grant", string(b.ID)) {
					continue
				}
				said[string(a.ID)+" "+string(b.ID)] = true
				w.say("grant", string(b.ID), "overlaps grant %s: both let %s into %s on the same days", a.ID, k.person, k.zone)
			}
		}
	}
	slices.SortFunc(w.out, func(a, b Warning) int { return strings.Compare(a.String(), b.String()) })
}

// meets reports whether two grants have a day in common.
func (g *Grant) meets(o *Grant) bool {
	return !(!o.ValidFrom.IsZero() && g.ValidUntil.Before(o.ValidFrom)) && !(!g.ValidFrom.IsZero() && o.ValidUntil.Before(g.ValidFrom))
}

// serials tells of numbers that could be an Individual Number by chance (VE-5).
func (w *warner) serials() {
	const text = "holds twelve digits that could be an Individual Number (マイナンバー); make sure that they are not"
	for i := range w.s.Contracts {
		if c := &w.s.Contracts[i]; w.looks("contract", string(c.ID)) && (MyNumber(string(c.ID)) || MyNumber(c.Approval)) {
			w.say("contract", string(c.ID), text)
		}
	}
	for i := range w.s.Items {
		if x := &w.s.Items[i]; w.looks("item", string(x.ID)) && (MyNumber(string(x.ID)) || MyNumber(x.Refers)) {
			w.say("item", string(x.ID), text)
		}
	}
	for i := range w.s.Enrolments {
		if e := &w.s.Enrolments[i]; w.looks("enrolment", e.key()) && MyNumber(e.Reference) {
			w.say("enrolment", e.key(), text)
		}
	}
}

// workers tells of contractors whom no contract names: they are refused (VE-4).
func (w *warner) workers(look bool) {
	if !look || len(w.s.Contracts) == 0 {
		return
	}
	for i := range w.s.People {
		if p := &w.s.People[i]; p.Category == Contractor && p.Active && !w.s.contracted(p, w.day) {
			w.say("person", string(p.ID), "is a contractor whom no contract in force names, and is refused (VE-4)")
		}
	}
}

// zones tells of zones that ask for less than their level does, and of exceptions that end soon.
func (w *warner) zones() {
	for i := range w.s.Zones {
		z := &w.s.Zones[i]
		if !w.looks("zone", string(z.ID)) {
			continue
		}
		for _, c := range z.Weaker() {
			switch x := w.s.Excepted(z.ID, c, w.day); {
			case x == nil:
				w.say("zone", string(z.ID), "is set to less than level %d asks for in %s without an exception in force: its doors ask for it all the same (AD-3)", z.Level, c)
			case !w.day.AddDays(30).Before(x.Until):
				w.say("zone", string(z.ID), "is excepted from %s until %s; from the day after, its doors ask for it", c, x.Until)
			}
		}
		if cards := w.below(z); cards > 0 {
			w.say("zone", string(z.ID), "asks for %s: %d active cards of people with rights here prove less and are refused (AD-4)", w.s.Terms.Least(z), cards)
		}
	}
}

// below counts the active cards of a zone's holders that prove less than it asks for.
func (w *warner) below(z *Zone) (n int) {
	holders, least := w.s.Holders(z.ID), w.s.Terms.Least(z)
	for _, c := range w.s.Credentials {
		if _, holds := slices.BinarySearch(holders, c.Person); holds && c.Status == access.CredentialActive && c.Assurance < least {
			n++
		}
	}
	return n
}

// people tells of recovery cards of people who have left.
func (w *warner) people() {
	active := map[PersonID]bool{}
	for i := range w.s.People {
		active[w.s.People[i].ID] = w.s.People[i].Active
	}
	cards := byID(w.s.Credentials, func(c *Credential) CardID { return c.ID })
	for i := range w.s.Doors {
		x := &w.s.Doors[i]
		for _, id := range x.Recovery.List() {
			if c := cards[id]; c != nil && (c.Status != access.CredentialActive || !active[c.Person]) {
				w.say("door", string(x.ID), "counts on the recovery card %s, which does not work any more; name another (AD-18)", id)
			}
		}
	}
}
