package visit

import (
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

// Overlay adds to a directory what matters give at this moment: guests with their badges and grants, temporary cards in the
// place of the own ones, emergency grants, escorts who carry a party. A policy is compiled from the result. dir is not
// changed.
//
// Every right ends by its window, also at a gateway that nobody reaches any more: the window is the validity of the grant
// and of the badge. Whatever names something that is not there gives nothing: the door stays locked. An exit is never in
// question; a badge that is still out is known after its window, so that its exit has a name (D11).
func Overlay(dir directory.Snapshot, matters []Matter, badges []Badge, nowMS int64, s *Site) directory.Snapshot {
	o := overlay{dir: dir, site: s, nowMS: nowMS, badges: map[string]*Badge{}, party: map[directory.PersonID]int{}, cards: map[string]bool{}}
	o.dir.People, o.dir.Credentials = slices.Clone(dir.People), slices.Clone(dir.Credentials)
	o.dir.Grants, o.dir.Schedules = slices.Clone(dir.Grants), slices.Clone(dir.Schedules)
	for i := range badges {
		o.badges[badges[i].ID] = &badges[i]
	}
	for _, m := range matters {
		switch m := m.(type) {
		case *Visit:
			o.visit(m)
		case *TemporaryCard:
			o.temporary(m)
		case *Emergency:
			o.emergency(m)
		}
	}
	for i := range o.dir.People {
		if n := o.party[o.dir.People[i].ID]; n > 0 {
			o.dir.People[i].Party = uint8(min(n, 255))
		}
	}
	slices.SortFunc(o.dir.People, func(a, b directory.Person) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(o.dir.Credentials, func(a, b directory.Credential) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(o.dir.Schedules, func(a, b directory.Schedule) int { return strings.Compare(string(a.ID), string(b.ID)) })
	slices.SortFunc(o.dir.Grants, func(a, b directory.Grant) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return o.dir
}

type overlay struct {
	dir    directory.Snapshot
	site   *Site
	nowMS  int64
	badges map[string]*Badge
	party  map[directory.PersonID]int
	always directory.ScheduleID
	cards  map[string]bool // badges that were put in already: one badge is one person's
}

func (o *overlay) visit(v *Visit) {
	if v.State != Running || v.Oral != nil && v.Oral.Denied.Done() {
		return // an approval that was denied lets nobody in, whoever was received
	}
	if n := v.Party(); n > 0 && o.nowMS < v.UntilMS {
		o.party[v.Carrier()] += n
		if o.party[v.Carrier()] > n {
			o.party[v.Carrier()]-- // the carrier counts once, with whatever parties
		}
	}
	for i := range v.Guests {
		g := &v.Guests[i]
		if !g.Here() || !g.Card {
			continue
		}
		id := o.guest(v, i)
		if id == "" || !o.badge(g.Badge, id, directory.Span{FromMS: g.Checked.AtMS, UntilMS: v.UntilMS}, v.lent(g)) || o.nowMS >= v.UntilMS {
			continue
		}
		for _, z := range v.Zones {
			o.grant(v.ID, id, z, directory.Span{FromMS: max(v.FromMS-o.site.Settings.EarlyMS, g.Checked.AtMS), UntilMS: v.UntilMS}, false)
		}
	}
}

// lent is what goes with each line that the badge makes in the log.
func (v *Visit) lent(g *Guest) directory.Lent {
	return directory.Lent{Badge: g.Label, Purpose: v.Purpose, Attendee: v.Attendee}
}

// guest makes sure that a guest is a person of the directory; "" = cannot be.
func (o *overlay) guest(v *Visit, i int) directory.PersonID {
	g, id := &v.Guests[i], v.PersonID(i)
	if g.Person != "" {
		for j := range o.dir.People {
			if p := &o.dir.People[j]; p.ID == g.Person {
				if slices.ContainsFunc(o.dir.Conditions, func(c directory.Conditions) bool { return c.Version == g.Conditions }) {
					p.Conditions = max(p.Conditions, g.Conditions) // accepted at reception (VE-6)
				}
				return id
			}
		}
		return ""
	}
	p := v.personOf(g, o.site)
	p.ID = id
	if probs := (&directory.Snapshot{People: []directory.Person{p}, Conditions: o.dir.Conditions}).Validate(); len(probs) > 0 {
		return "" // a policy with such a person would not compile, and nobody's revocation come through
	}
	o.dir.People = append(o.dir.People, p)
	return id
}

// badge puts a lent card in; false when it is not there to be lent.
func (o *overlay) badge(id string, person directory.PersonID, span directory.Span, lent directory.Lent) bool {
	b := o.badges[id]
	if b == nil || !b.HasCard() || b.Status != BadgeActive || o.cards[id] || span.UntilMS <= span.FromMS {
		return false
	}
	for i := range o.dir.Credentials {
		if c := &o.dir.Credentials[i]; c.Ref == b.Ref || c.ID == directory.CardID(id) {
			return false // the card is somebody's own by now
		}
	}
	o.cards[id] = true
	o.dir.Credentials = append(o.dir.Credentials, directory.Credential{
		ID: directory.CardID(id), Person: person, Ref: b.Ref, KeyVersion: b.KeyVersion, Masked: b.Masked, Format: b.Format, Assurance: b.Assurance,
		Status: access.CredentialActive, PIN: b.PIN, Exact: span, Lent: lent,
	})
	return true
}

func (o *overlay) grant(matter string, person directory.PersonID, z access.ZoneID, span directory.Span, emergency bool) {
	if span.UntilMS <= span.FromMS || o.site.zone(string(z)) == nil {
		return
	}
	g := directory.Grant{
		ID: directory.GrantID(matter + ":" + string(person) + ":" + string(z)), Person: person, Zone: z, Schedule: o.everyHour(),
		ValidFrom: o.site.dayOf(span.FromMS), ValidUntil: o.site.dayOf(span.UntilMS - 1), Exact: span, Emergency: emergency,
	}
	for i := range o.dir.Grants {
		if o.dir.Grants[i].ID == g.ID {
			return
		}
	}
	o.dir.Grants = append(o.dir.Grants, g)
}

// everyHour is a schedule that always holds: the window bounds the grant.
func (o *overlay) everyHour() directory.ScheduleID {
	if o.always != "" {
		return o.always
	}
	every := directory.Window{Days: directory.DayEvery, From: 0, To: 86400}
	taken := map[directory.ScheduleID]bool{}
	for i := range o.dir.Schedules {
		x := &o.dir.Schedules[i]
		if x.Always() {
			o.always = x.ID
			return o.always
		}
		taken[x.ID] = true
	}
	o.always = "visit-window"
	for taken[o.always] {
		o.always += "-1"
	}
	o.dir.Schedules = append(o.dir.Schedules, directory.Schedule{ID: o.always, Name: "来訪", NameEN: "visit", Windows: []directory.Window{every}})
	return o.always
}

func (o *overlay) temporary(t *TemporaryCard) {
	if t.Returned.Done() {
		return
	}
	known := false
	for i := range o.dir.People {
		known = known || o.dir.People[i].ID == t.Person
	}
	// The own cards stay shut as long as the temporary one is out, whether it can be used or not.
	var proves card.Assurance // of the own cards, the best: the temporary one opens nothing that they do not (D27)
	for i := range o.dir.Credentials {
		c := &o.dir.Credentials[i]
		if c.Person != t.Person || !slices.Contains(t.Suspended, c.ID) {
			continue
		}
		proves = max(proves, c.Assurance)
		if c.Status == access.CredentialActive {
			c.Status = access.CredentialSuspended
		}
	}
	if known && o.badge(t.Badge, t.Person, directory.Span{FromMS: t.FromMS, UntilMS: t.UntilMS}, directory.Lent{Badge: t.Label}) {
		lent := &o.dir.Credentials[len(o.dir.Credentials)-1]
		lent.Assurance = min(lent.Assurance, proves)
	}
}

func (o *overlay) emergency(e *Emergency) {
	if !e.InForce(o.nowMS) {
		return
	}
	for _, person := range e.Persons {
		known := false
		for i := range o.dir.People {
			known = known || o.dir.People[i].ID == person
		}
		for _, z := range e.Zones {
			if known {
				o.grant(e.ID, person, z, directory.Span{FromMS: e.FromMS, UntilMS: e.UntilMS}, true)
			}
		}
	}
}
