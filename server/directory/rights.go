package directory

import (
	"slices"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// protectedLevel is the level from which on adding rights takes two persons (D27).
const protectedLevel = 2

// AddsRights gives those of the changes from base to next that give somebody more than before in a zone of
// level 2 or 3: each needs a second person (D27). What only takes away is not among them. Where it cannot be
// told, the change counts as giving.
func AddsRights(base, next *Snapshot, changes []Change) []Change {
	w := newWeigher(base, next)
	var out []Change
	for _, c := range changes {
		if w.adds(&c) {
			out = append(out, c)
		}
	}
	return out
}

// weigher knows both directories by identifier.
type weigher struct {
	base, next *Snapshot
	was, is    index
}

// index finds rows, and what people can reach.
type index struct {
	people     map[PersonID]*Person
	cards      map[CardID]*Credential
	zones      map[access.ZoneID]*Zone
	doors      map[access.DoorID]*Door
	schedules  map[ScheduleID]*Schedule
	grants     map[GrantID]*Grant
	groups     map[GroupID]*Group
	contracts  map[ContractID]*Contract
	exceptions map[ExceptionID]*Exception
	protected  map[PersonID]bool // has a grant for a zone of level 2 or 3, suspended ones too
	byGroup    map[GroupID]bool
}

func indexOf(s *Snapshot) index {
	x := index{
		people: byID(s.People, func(v *Person) PersonID { return v.ID }), cards: byID(s.Credentials, func(v *Credential) CardID { return v.ID }),
		zones: byID(s.Zones, func(v *Zone) access.ZoneID { return v.ID }), doors: byID(s.Doors, func(v *Door) access.DoorID { return v.ID }),
		schedules: byID(s.Schedules, func(v *Schedule) ScheduleID { return v.ID }), grants: byID(s.Grants, func(v *Grant) GrantID { return v.ID }),
		groups: byID(s.Groups, func(v *Group) GroupID { return v.ID }), contracts: byID(s.Contracts, func(v *Contract) ContractID { return v.ID }),
		exceptions: byID(s.Exceptions, func(v *Exception) ExceptionID { return v.ID }),
		protected:  map[PersonID]bool{}, byGroup: map[GroupID]bool{},
	}
	for i := range s.Grants {
		g := &s.Grants[i]
		if z := x.zones[g.Zone]; z == nil || z.Level < protectedLevel {
			continue
		}
		if g.Group == "" {
			x.protected[g.Person] = true
			continue
		}
		x.byGroup[g.Group] = true
		if members := x.groups[g.Group]; members != nil {
			for _, p := range members.Members {
				x.protected[p] = true
			}
		}
	}
	return x
}

func byID[K comparable, V any](rows []V, id func(*V) K) map[K]*V {
	out := make(map[K]*V, len(rows))
	for i := range rows {
		out[id(&rows[i])] = &rows[i]
	}
	return out
}

func newWeigher(base, next *Snapshot) *weigher {
	return &weigher{base: base, next: next, was: indexOf(base), is: indexOf(next)}
}

func (w *weigher) adds(c *Change) bool {
	switch {
	case c.ClosedDay != nil:
		// A day less on which offices are closed; or one more, where somebody may enter on closed days.
		return len(w.is.protected) > 0 && (c.Op != OpAdd || w.entersWhenClosed())
	case c.Op == OpRemove:
		if c.Round != nil {
			return w.round(c.Round)
		}
		if c.Door != nil { // it could come back, by one person, as the door of a lower zone
			return w.level(c.Door.Enter) >= protectedLevel
		}
		// An exception or a contract less takes away; the last contract of all gives: then people go by their own days.
		return c.Contract != nil && len(w.next.Contracts) == 0
	case c.Person != nil:
		return w.person(c.Person)
	case c.Credential != nil:
		return w.card(c.Credential)
	case c.Zone != nil:
		return w.zone(c.Zone)
	case c.Door != nil:
		return w.door(c.Door)
	case c.Schedule != nil:
		return w.schedule(c.Schedule)
	case c.Grant != nil:
		return w.grant(c.Grant)
	case c.Group != nil:
		old := w.was.groups[c.Group.ID]
		return w.is.byGroup[c.Group.ID] && (gained(old != nil, func() []PersonID { return old.Members }, c.Group.Members) || w.joins(old, c.Group))
	case c.Contract != nil:
		return w.contract(c.Contract)
	case c.Exception != nil:
		return w.exception(c.Exception)
	}
	if c.Round != nil {
		return w.round(c.Round)
	}
	if t := c.Transfer; t != nil {
		was := slices.ContainsFunc(w.base.Transfers, func(x Transfer) bool { return x.Person == t.Person && x.Section == t.Section && x.Joins })
		return t.Joins && !was && slices.ContainsFunc(w.next.Groups, func(g Group) bool { return g.Section == t.Section && w.is.byGroup[g.ID] })
	}
	return false // gateways, entry conditions, items and enrolments open no door
}

// gained reports whether now holds somebody whom before did not.
func gained(existed bool, before func() []PersonID, now []PersonID) bool {
	if !existed {
		return len(now) > 0
	}
	old := before()
	return slices.ContainsFunc(now, func(p PersonID) bool { _, ok := slices.BinarySearch(old, p); return !ok })
}

// joins reports whether a group begins to follow a section that somebody is about to move to: the transfer
// would bring them in without a word of a second person about this group.
func (w *weigher) joins(old, g *Group) bool {
	return g.Section != "" && (old == nil || old.Section != g.Section) &&
		slices.ContainsFunc(w.next.Transfers, func(t Transfer) bool { return t.Joins && t.Section == g.Section })
}

// entersWhenClosed reports whether a schedule of a right in a zone of level 2 or 3 names closed days for themselves.
func (w *weigher) entersWhenClosed() bool {
	return slices.ContainsFunc(w.next.Grants, func(g Grant) bool {
		s := w.is.schedules[g.Schedule]
		return s != nil && w.level(g.Zone) >= protectedLevel &&
			slices.ContainsFunc(s.Windows, func(x Window) bool { return x.Days&DayClosed != 0 && x.Days != DayEvery })
	})
}

func (w *weigher) person(p *Person) bool {
	old := w.was.people[p.ID]
	if old == nil || !w.is.protected[p.ID] {
		return false // of a new person the grants and cards count
	}
	return p.Active && !old.Active || longer(old.ValidFrom, old.ValidUntil, p.ValidFrom, p.ValidUntil) ||
		longer(old.ContractFrom, old.ContractUntil, p.ContractFrom, p.ContractUntil) || p.MayEscort && !old.MayEscort ||
		p.Category != old.Category && p.Category != Visitor
}

// longer reports whether a validity reaches further than it did, on either side.
func longer(fromWas, untilWas, from, until Date) bool {
	earlier := !fromWas.IsZero() && (from.IsZero() || from.Before(fromWas))
	later := !untilWas.IsZero() && (until.IsZero() || untilWas.Before(until))
	return earlier || later
}

func (w *weigher) card(c *Credential) bool {
	if !w.is.protected[c.Person] && !w.recovery(c.ID) || c.Status != access.CredentialActive {
		return false
	}
	old := w.was.cards[c.ID]
	return old == nil || old.Status != access.CredentialActive || old.Person != c.Person || old.Ref != c.Ref || old.Assurance < c.Assurance ||
		longer(old.ValidFrom, old.ValidUntil, c.ValidFrom, c.ValidUntil) || old.PIN == (card.PINRef{}) && c.PIN != (card.PINRef{})
}

func (w *weigher) recovery(id CardID) bool {
	return slices.ContainsFunc(w.next.Doors, func(x Door) bool { return slices.Contains(x.Recovery.List(), id) })
}

func (w *weigher) level(id access.ZoneID) int {
	level := 0
	for _, x := range []index{w.was, w.is} {
		if z := x.zones[id]; z != nil {
			level = max(level, z.Level)
		}
	}
	return level
}

// above reports whether a zone, or one that it lies in, is of level 2 or 3.
func (w *weigher) above(id access.ZoneID) bool {
	for n := 0; id != "" && n <= maxDepth; n++ {
		if w.level(id) >= protectedLevel {
			return true
		}
		z := w.is.zones[id]
		if z == nil {
			return false
		}
		id = z.Parent
	}
	return false
}

func (w *weigher) zone(z *Zone) bool {
	old := w.was.zones[z.ID]
	if (old == nil || old.Parent != z.Parent) && w.above(z.Parent) {
		return true // who is inside it would count as company in the zone around it
	}
	if old == nil || w.level(z.ID) < protectedLevel {
		return false // nobody has a grant for a new zone yet
	}
	lower := func(was, is uint32) bool { return was > 0 && (is == 0 || is > was) } // of a cap
	return z.Level < old.Level || z.MinAssurance < old.MinAssurance || old.PINAlways && !z.PINAlways ||
		z.OfflineGrantAndFlag && !old.OfflineGrantAndFlag || z.AntiPassback < old.AntiPassback || z.AntiPassbackFor < old.AntiPassbackFor ||
		lower(old.MaxInside, z.MaxInside) || z.MinInside < old.MinInside || old.TwoPersonWithin > 0 && (z.TwoPersonWithin == 0 || z.TwoPersonWithin > old.TwoPersonWithin) ||
		old.TwoPersonAlways && !z.TwoPersonAlways || old.StaffNeeded && !z.StaffNeeded || z.Escort < old.Escort ||
		z.Escort != EscortNone && (ratio(z.EscortRatio) > ratio(old.EscortRatio) || z.EscortWithin > old.EscortWithin || z.EscortGrace > old.EscortGrace) ||
		z.Training < old.Training || z.Conditions < old.Conditions || z.CarryIn < old.CarryIn
}

func ratio(n uint32) uint32 {
	if n == 0 {
		return access.DefaultEscortRatio
	}
	return n
}

func (w *weigher) door(x *Door) bool {
	old := w.was.doors[x.ID]
	if w.level(x.Enter) < protectedLevel && (old == nil || w.level(old.Enter) < protectedLevel) {
		return false
	}
	if old == nil {
		return x.Recovery != (RecoveryCards{}) // whoever may enter the zone could, and now can here
	}
	added := slices.ContainsFunc(x.Recovery.List(), func(id CardID) bool { return !slices.Contains(old.Recovery.List(), id) })
	return added || x.Offline != old.Offline && x.Offline != access.OfflineDeny || x.MaxAge > old.MaxAge || x.Remote > old.Remote ||
		old.Mode != access.ModeNormal && x.Mode != old.Mode && x.Mode != access.ModeLockdown || x.Enter != old.Enter ||
		old.Kind == door.KindControlled && x.Kind != door.KindControlled || old.Interlock != "" && x.Interlock != old.Interlock
}

func (w *weigher) schedule(s *Schedule) bool {
	old := w.was.schedules[s.ID]
	if old == nil {
		return false
	}
	used := slices.ContainsFunc(w.next.Grants, func(g Grant) bool { return g.Schedule == s.ID && w.level(g.Zone) >= protectedLevel })
	if !used {
		return false
	}
	return slices.ContainsFunc(s.Windows, func(x Window) bool { return !slices.Contains(old.Windows, x) }) ||
		longer(old.ValidFrom, old.ValidUntil, s.ValidFrom, s.ValidUntil) || datesGive(old.Dates, s.Dates)
}

// datesGive reports whether dates could give hours that were not there: a date more without hours takes, every other
// change may give.
func datesGive(old, now []DateHours) bool {
	was := map[Date]DateHours{}
	for _, h := range old {
		was[h.Day] = h
	}
	for _, h := range now {
		before, there := was[h.Day]
		delete(was, h.Day)
		if len(h.Windows) > 0 && (!there || !before.equal(h)) {
			return true
		}
	}
	return len(was) > 0 // a date that is gone has the week's hours again
}

func (w *weigher) grant(g *Grant) bool {
	if w.level(g.Zone) < protectedLevel || g.Suspended {
		return false
	}
	old := w.was.grants[g.ID]
	return old == nil || old.Suspended || old.Person != g.Person || old.Group != g.Group || old.Zone != g.Zone || old.Schedule != g.Schedule ||
		longer(old.ValidFrom, old.ValidUntil, g.ValidFrom, g.ValidUntil)
}

func (w *weigher) contract(c *Contract) bool {
	old := w.was.contracts[c.ID]
	protected := slices.ContainsFunc(c.Workers, func(p PersonID) bool { return w.is.protected[p] })
	if !protected {
		return false
	}
	return old == nil || gained(true, func() []PersonID { return old.Workers }, c.Workers) || longer(old.ValidFrom, old.ValidUntil, c.ValidFrom, c.ValidUntil)
}

// round: an answer that barred and no longer does gives rights back.
func (w *weigher) round(r *Round) bool {
	if w.level(r.Zone) < protectedLevel {
		return false
	}
	now := w.next.Uncertified(r.Zone)
	for p, word := range w.base.Uncertified(r.Zone) {
		if now[p] == "" || now[p] == AnswerRemove && word == AnswerSuspended {
			return true
		}
	}
	return false
}

func (w *weigher) exception(x *Exception) bool {
	if x.Subject == "zone" && w.level(access.ZoneID(x.SubjectID)) < protectedLevel {
		return false
	}
	old := w.was.exceptions[x.ID]
	return old == nil || old.Subject != x.Subject || old.SubjectID != x.SubjectID || old.What != x.What || longer(old.From, old.Until, x.From, x.Until)
}

// Split parts changes into those that act at once and those that wait for a second person (D27). A group that
// both loses and gains members loses them at once; a transfer ends the old rights without waiting. With nothing
// to wait for, all act at once. Where the first part alone would not be a valid directory, all of it waits.
func Split(base, next *Snapshot, changes []Change) (now, wait []Change) {
	adding := AddsRights(base, next, changes)
	if len(adding) == 0 {
		return changes, nil
	}
	waits := map[string]bool{}
	for i := range adding {
		waits[adding[i].Noun()+" "+adding[i].ID()] = true
	}
	part := base.clone()
	w := newWeigher(base, next)
	var alone []Change // what one person may
	for _, c := range changes {
		switch {
		case !waits[c.Noun()+" "+c.ID()]:
			alone = append(alone, c)
		case c.Group != nil && c.Op == OpChange:
			g := *w.was.groups[c.Group.ID]
			g.Members = slices.DeleteFunc(slices.Clone(g.Members), func(p PersonID) bool {
				_, stays := slices.BinarySearch(c.Group.Members, p)
				return !stays
			})
			alone = append(alone, Change{Op: OpChange, Group: &g})
		case c.Transfer != nil:
			t := *c.Transfer
			t.Joins = false
			alone = append(alone, Change{Op: c.Op, Transfer: &t})
		}
	}
	part.Put(alone)
	part.sort()
	if len(part.Validate()) > 0 {
		return nil, changes
	}
	return Diff(*base, part), Diff(part, *next)
}
