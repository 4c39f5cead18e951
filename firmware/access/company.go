package access

import "time"

// presentMS is how long somebody who was granted, and of whom nothing more was heard, is taken to
// stand at the door, where no window of the zone is longer: the time of a grant and of a release.
const presentMS = int64(15 * time.Second / time.Millisecond)

// outside is the number of no zone of the policy.
const outside = ^uint32(0)

// company is what the checks of who else is there came to.
type company struct {
	second, escort bool // one is still missing and may come
	emergency      bool // an emergency grant is used: what these checks found is set aside
}

// checkZone runs the checks that look at who is inside and who stands at the door. What they lack
// knowledge for follows the zone's offline rule (D7).
func (e *evaluation) checkZone() company {
	var c company
	if e.zone == nil || e.card == nil || !e.d.KnownPerson {
		return c // the checks before these deny
	}
	person := &e.p.persons[e.d.Person]
	place := outside
	if e.v.Person.Known && e.v.Person.Inside != "" {
		place = e.p.zoneNumber(e.v.Person.Inside)
	}
	e.checkAntiPassback(place)
	before := e.d.Failed
	e.checkCap(person, place)
	c.second = e.checkTwoPersons(person, place)
	c.escort = e.checkEscort(person, place)
	if set := e.d.Failed &^ before; e.emergency && (e.onlyEmergency || set != 0 || c.second || c.escort) {
		// AD-14: what these checks found is set aside and stays in Failed.
		c.emergency = true
		e.aside |= set
		if c.second {
			e.aside = e.aside.With(ReasonSecondPerson)
			e.fail(ReasonSecondPerson)
		}
		if c.escort {
			e.aside = e.aside.With(ReasonEscortMissing)
			e.fail(ReasonEscortMissing)
		}
		c.second, c.escort = false, false
	}
	return c
}

// lacks notes that a check cannot be made, and denies unless the zone grants and flags.
func (e *evaluation) lacks(k Knowledge) {
	e.d.Missing = e.d.Missing.With(k)
	if e.zone.OfflineRules != ZoneRuleGrantAndFlag {
		e.fail(ReasonKnowledgeMissing)
	}
}

// within reports whether zone number place is zone or lies in it.
func (p *Policy) within(place, zone uint32) bool {
	if place == zone {
		return place != outside
	}
	if place == outside {
		return false
	}
	for _, up := range p.tree[place].above {
		if up == int32(zone) {
			return true
		}
	}
	return false
}

func (p *Policy) zoneNumber(id ZoneID) uint32 {
	for i := range p.zones {
		if p.zones[i].ID == id {
			return uint32(i)
		}
	}
	return outside
}

// checkAntiPassback: somebody who is inside by the log enters again (AD-9). Whoever comes out of a
// zone inside this one is not entering again.
func (e *evaluation) checkAntiPassback(place uint32) {
	mode := e.zone.AntiPassback
	if mode == AntiPassbackOff {
		return
	}
	if !e.v.Person.Known {
		if mode == AntiPassbackSoft { // it would only have flagged
			e.d.Missing = e.d.Missing.With(KnowPerson)
		} else {
			e.lacks(KnowPerson)
		}
		return
	}
	if !e.p.within(place, e.door.zone) || e.door.from != outside && e.p.within(e.door.from, e.door.zone) && e.p.within(place, e.door.from) {
		return
	}
	switch mode {
	case AntiPassbackSoft:
		e.flag(ReasonAntiPassback)
	case AntiPassbackTimed:
		// A time before the last entry is a clock that was put back: nothing is known to be over.
		if e.r.WallMS-e.v.Person.LastMS < e.zone.AntiPassbackMS {
			e.fail(ReasonAntiPassback)
		}
	default: // hard, or a mode we do not know
		e.fail(ReasonAntiPassback)
	}
}

// flag notes a failed check that lets pass all the same.
func (e *evaluation) flag(r Reason) {
	e.aside = e.aside.With(r)
	e.fail(r)
}

// weight is how many persons pass on this person's badge (VE-11).
func weight(party uint8) uint32 { return uint32(max(party, 1)) }

// checkCap: room for one more in the zone and in those around it (AD-10). Whoever was let in at any door and has
// not passed yet has a place, whoever waits at this door will want one, and nobody counts twice.
func (e *evaluation) checkCap(person *Person, place uint32) {
	waiting, looked := uint32(0), false
	check := func(zone uint32, known bool, count, reserved uint32) {
		most := e.p.zones[zone].MaxInside
		if most == 0 {
			return
		}
		if !known || !e.v.Person.Known {
			e.lacks(KnowZone)
			return
		}
		if e.p.within(place, zone) {
			return
		}
		if !looked {
			looked = true
			for i := range e.v.Door.Present {
				if x := &e.v.Door.Present[i]; !x.Self && !x.Granted && e.there(x, e.presence()) {
					waiting += weight(x.Party)
				}
			}
		}
		if uint64(count)+uint64(reserved)+uint64(waiting)+uint64(weight(person.Party)) > uint64(most) {
			e.fail(ReasonOccupancyFull)
		}
	}
	check(e.door.zone, e.v.Zone.Known, e.v.Zone.Count, e.v.Zone.Reserved)
	for i, up := range e.p.tree[e.door.zone].above {
		if up >= 0 {
			check(uint32(up), e.v.Zone.Above[i].Known, e.v.Zone.Above[i].Count, e.v.Zone.Above[i].Reserved)
		}
	}
}

// presence is how long somebody at the door counts as being there.
func (e *evaluation) presence() int64 {
	ms := max(presentMS, e.zone.TwoPersonMS)
	if e.zone.Escort != EscortNone {
		ms = max(ms, e.zone.EscortWithinMS)
	}
	return ms
}

// there reports whether x badged no longer than ms ago, the edge included.
func (e *evaluation) there(x *Presence, ms int64) bool {
	return x.SinceMS > 0 && e.r.WallMS >= x.SinceMS && e.r.WallMS-x.SinceMS <= ms
}

// checkTwoPersons: into the empty zone, or always where the zone says so, two different persons badge
// at this door within its time, in any order (AD-8). It reports that the other one may still come.
func (e *evaluation) checkTwoPersons(person *Person, place uint32) (needSecond bool) {
	z := e.zone
	if z.TwoPersonMS == 0 {
		return false
	}
	if !z.TwoPersonAlways {
		if !e.v.Zone.Known || !e.v.Person.Known {
			e.lacks(KnowZone)
			return false
		}
		others := e.v.Zone.Count
		if e.p.within(place, e.door.zone) { // an exit that was not seen: nobody is company for themselves
			others -= min(others, weight(person.Party))
		}
		if others > 0 {
			return false
		}
	}
	if !e.v.Door.Known {
		e.lacks(KnowDoor)
		return false
	}
	other, staff, self := false, person.Category == CategoryStaff, false
	for i := range e.v.Door.Present {
		x := &e.v.Door.Present[i]
		if !e.there(x, z.TwoPersonMS) {
			continue
		}
		if x.Self {
			self = true
			continue
		}
		other = true
		staff = staff || x.Category == CategoryStaff
	}
	switch {
	case other && (staff || !z.StaffNeeded):
		return false
	case other:
		e.fail(ReasonStaffNeeded)
		return false
	case self: // the same person's card again, or their other one
		e.fail(ReasonSecondPerson)
		return false
	}
	return true
}

// outsider reports whether the zone lets a person of this kind in with an escort only.
func (z *Zone) outsider(c Category, mayEscort bool) bool {
	switch z.Escort {
	case EscortNone:
		return false
	case EscortVisitors:
		return !mayEscort && c == CategoryVisitor
	default:
		return !mayEscort && c != CategoryStaff
	}
}

// checkEscort: an outsider enters with an escort inside or at the door, and not with more outsiders
// than the escorts may take (VE-2). It reports that an escort may still come.
func (e *evaluation) checkEscort(person *Person, place uint32) (needEscort bool) {
	z := e.zone
	alone := z.outsider(person.Category, person.MayEscort)
	joins := weight(person.Party) - 1 // whom this badge stands for beside its holder
	if alone {
		joins++
	}
	if z.Escort == EscortNone || joins == 0 {
		return false
	}
	if !e.v.Zone.Known || !e.v.Person.Known {
		e.lacks(KnowZone)
		return false
	}
	if !e.v.Door.Known {
		e.lacks(KnowDoor)
		return false
	}
	escorts, outsiders := e.v.Zone.Escorts, e.v.Zone.Visitors
	if z.Escort != EscortVisitors {
		outsiders += e.v.Zone.Contractors
	}
	if e.p.within(place, e.door.zone) { // counted already
		if alone {
			outsiders -= min(outsiders, joins)
		} else {
			outsiders -= min(outsiders, joins)
			escorts -= min(escorts, 1)
		}
	}
	for i := range e.v.Door.Present {
		x := &e.v.Door.Present[i]
		if x.Self || !e.there(x, z.EscortWithinMS) {
			continue
		}
		outsiders += weight(x.Party) - 1
		switch {
		case x.MayEscort:
			escorts++
		case z.outsider(x.Category, false):
			outsiders++
		}
	}
	if !alone && person.MayEscort {
		escorts++
	}
	if outsiders+joins > max(escorts, 1)*z.EscortRatio {
		e.fail(ReasonEscortRatio)
		return false
	}
	return alone && escorts == 0
}

// Joins reports whether somebody who waits at a door for a second person or an escort may go in with the
// holder of the card granted, who has just been let in there. r is the request of the one who waits with the
// time of now, waiting their outcome. Whatever ended while they waited (card, person, contract, grant) keeps
// them out; the count of outsiders was checked when they began to wait.
func Joins(p *Policy, r Request, waiting Outcome, granted Key) bool {
	if p == nil || !p.welcome(r) {
		return false // fail secure: the strike is not released for them
	}
	d, a, b := p.door(r.Door), p.find(r.Key), p.find(granted)
	if b == nil || b.Person == NoPerson || a.Person == b.Person {
		return false
	}
	z, first, other := &p.zones[d.zone], &p.persons[a.Person], &p.persons[b.Person]
	switch waiting {
	case NeedSecond:
		return !z.StaffNeeded || first.Category == CategoryStaff || other.Category == CategoryStaff
	case NeedEscort:
		return other.MayEscort
	}
	return false
}

// welcome reports whether card, person and grant would still let the holder of the card in r pass its door, as far as
// that can have changed since they badged. Without a trusted clock times are not looked at.
func (p *Policy) welcome(r Request) bool {
	e := evaluation{p: p, v: &View{}, r: &r}
	e.findDoor()
	e.findCard()
	timed := e.clockTrusted()
	e.checkCredential(timed)
	e.checkPerson(timed)
	e.checkGrant(timed)
	return e.d.Failed == 0
}

// Wait is how long a door waits after a decision that needs one thing more, milliseconds.
func (p *Policy) Wait(door DoorID, o Outcome) int64 {
	if p != nil {
		if d := p.door(door); d != nil {
			switch o {
			case NeedSecond:
				return p.zones[d.zone].TwoPersonMS
			case NeedEscort:
				return p.zones[d.zone].EscortWithinMS
			}
		}
	}
	return PINTime.Milliseconds()
}
