package directory

import (
	"fmt"
	"slices"

	"monban/firmware/access"
)

// maxOverlap is the longest hand-over, in days.
const maxOverlap = 31

// basisHandover is what a grant says that stays for a hand-over only.
const basisHandover = "引継ぎ"

func (t *Transfer) validate() string {
	switch {
	case t.Day.IsZero():
		return "has no day"
	case t.Leave == (t.Section != ""):
		return "has no new section, or one for somebody who leaves"
	case t.Overlap < 0 || t.Overlap > maxOverlap:
		return fmt.Sprintf("has a hand-over outside 0–%d days", maxOverlap)
	}
	return freeText(t.Section, 0, 100)
}

// readTransfer reads a move or departure (RA-5). One that is done already changes nothing, so that a file of
// transfers may be imported again.
func (d *draft) readTransfer(r *row) {
	id := PersonID(r.need("person_id"))
	p, ok := d.people[id]
	d.refers(r, KindPeople, "person_id", string(id), ok)
	d.name(r, KindTransfers, "person_id", string(id))
	r.need("day")
	t := Transfer{
		Person: id, Day: d.date(r, "day", Date{}), Section: r.get("section"), Leave: oneOf(r, "leave", yesNo(), false),
		Overlap: int(r.optional("overlap_days", 0, 0, maxOverlap)),
	}
	t.Joins = !t.Leave
	r.check("section", t.validate())
	if r.bad || t.done(&p) {
		return
	}
	if old, ok := d.transfers[id]; ok && !old.Joins && old.Day == t.Day && old.Section == t.Section {
		t.Joins = false // a second person has not agreed yet, and is asked already
	}
	d.transfers[id] = t
}

// done reports whether a person is already where the transfer leads.
func (t *Transfer) done(p *Person) bool {
	if t.Leave {
		return !p.Active
	}
	return p.Section == t.Section
}

// CarryOutTransfers carries out the transfers whose day has come, and reports how many. Who moves loses the
// grants of their own that began before that day and leaves the groups of the old section the same day; a
// hand-over keeps what they had until its last day. Who leaves is no longer active, is in no group, has no
// grant, and the cards are suspended. Grants that begin with the day or later were given for the new place
// and stay, as does membership of groups that follow no section: the next recertification asks (VR-5).
func (s *Snapshot) CarryOutTransfers(today Date) int {
	done := 0
	for _, t := range slices.Clone(s.Transfers) {
		if today.Before(t.Day) {
			continue
		}
		done++
		s.Transfers = slices.DeleteFunc(slices.Clone(s.Transfers), func(x Transfer) bool { return x.Person == t.Person })
		i := slices.IndexFunc(s.People, func(p Person) bool { return p.ID == t.Person })
		if i < 0 {
			continue
		}
		p := &s.People[i]
		last := t.Day.AddDays(t.Overlap - 1) // of the old rights
		if t.Leave {
			s.leave(p, t.Day)
			continue
		}
		old := p.Section
		p.Section = t.Section
		if old == t.Section {
			continue
		}
		kept := s.groupRights(p.ID, old)
		s.shorten(p.ID, t.Day, last)
		s.leaveGroups(p.ID, func(g *Group) bool { return g.Section == old })
		if t.Overlap > 0 && !last.Before(today) {
			for _, g := range kept {
				s.keepUntil(p, g, last, today)
			}
		}
		if t.Joins {
			s.joinGroups(p.ID, t.Section)
		}
	}
	return done
}

// leave takes everything from somebody who is away from day on.
func (s *Snapshot) leave(p *Person, day Date) {
	p.Active, p.MayEscort = false, false
	if last := day.AddDays(-1); (p.ValidUntil.IsZero() || last.Before(p.ValidUntil)) && (p.ValidFrom.IsZero() || !last.Before(p.ValidFrom)) {
		p.ValidUntil = last
	}
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g Grant) bool { return g.Person == p.ID })
	s.leaveGroups(p.ID, func(*Group) bool { return true })
	for i := range s.Credentials {
		if c := &s.Credentials[i]; c.Person == p.ID && c.Status == access.CredentialActive {
			c.Status = access.CredentialSuspended
		}
	}
}

// shorten ends a person's own grants that began before day with last; those that would have no day left go.
func (s *Snapshot) shorten(p PersonID, day, last Date) {
	var out []Grant
	for _, g := range s.Grants {
		if g.Person == p && (g.ValidFrom.IsZero() || g.ValidFrom.Before(day)) {
			if last.Before(day) {
				continue // no hand-over
			}
			if last.Before(g.ValidUntil) {
				g.ValidUntil = last
			}
		}
		out = append(out, g)
	}
	s.Grants = out
}

// groupRights lists the grants that a person has through groups of a section.
func (s *Snapshot) groupRights(p PersonID, section string) (out []Grant) {
	for _, grp := range s.Groups {
		if _, in := slices.BinarySearch(grp.Members, p); !in || grp.Section != section || section == "" {
			continue
		}
		for _, g := range s.Grants {
			if g.Group == grp.ID && !g.Suspended {
				out = append(out, g)
			}
		}
	}
	return out
}

// keepUntil gives a person a group's right for the hand-over.
func (s *Snapshot) keepUntil(p *Person, g Grant, last, today Date) {
	if g.ValidUntil.Before(last) {
		last = g.ValidUntil
	}
	if last.Before(today) || !g.ValidFrom.IsZero() && last.Before(g.ValidFrom) {
		return
	}
	id := MakeGrantID(p.ID, g.Zone, g.Schedule)
	if slices.ContainsFunc(s.Grants, func(x Grant) bool { return x.ID == id }) {
		return // the own grant was shortened to the same day
	}
	s.Grants = append(s.Grants, Grant{ID: id, Person: p.ID, Zone: g.Zone, Schedule: g.Schedule, ValidFrom: g.ValidFrom, ValidUntil: last, Basis: basisHandover})
}

func (s *Snapshot) leaveGroups(p PersonID, which func(*Group) bool) {
	for i := range s.Groups {
		g := &s.Groups[i]
		if at, in := slices.BinarySearch(g.Members, p); in && which(g) {
			g.Members = slices.Delete(slices.Clone(g.Members), at, at+1)
		}
	}
}

func (s *Snapshot) joinGroups(p PersonID, section string) {
	for i := range s.Groups {
		g := &s.Groups[i]
		if at, in := slices.BinarySearch(g.Members, p); !in && g.Section == section && section != "" {
			g.Members = slices.Insert(slices.Clone(g.Members), at, p)
		}
	}
}
