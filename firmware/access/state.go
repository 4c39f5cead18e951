package access

import (
	"maps"
	"slices"
)

// State is the moving state Decide needs: where people are, who stands at a door, and how often a
// card's PIN was wrong. One owner holds it (the server's authority, or one goroutine of a gateway) and
// moves it only through Apply; it is not safe for concurrent use. The zero State knows nothing.
//
// Places are kept by person id and PIN counts by card key, because a PersonNo means something else
// in every version of a policy. A grant moves nothing, the passage does (DS-4).
type State struct {
	knows  KnowledgeSet
	places map[string]place
	inside map[ZoneID]map[string]struct{} // the persons of places, by zone
	counts map[ZoneID]uint32              // persons inside, with those a badge stands for; a zone without an entry is empty
	doors  map[DoorID][]present           // who stands there, oldest first
	pins   map[Key]uint8
}

type place struct {
	inside ZoneID
	lastMS int64
	party  uint8
}

type present struct {
	person  string
	key     Key // the card they badged with
	sinceMS int64
	granted bool // they may open, or go in with somebody who may: a place is theirs until they pass or give up
}

// maxStanding bounds the persons remembered at one door; of them a decision sees MaxPresent.
const maxStanding = 64

// NewState makes an empty state of which the owner vouches for the kinds in knows: KnowAll at the
// server; at a gateway what it has rebuilt from the last `state` part and its own records (D7).
func NewState(knows KnowledgeSet) *State { return &State{knows: knows & KnowAll} }

// Knows is what the owner vouches for.
func (st *State) Knows() KnowledgeSet { return st.knows }

// SetKnows changes what the owner vouches for, for example after a `state` part arrived.
func (st *State) SetKnows(knows KnowledgeSet) { st.knows = knows & KnowAll }

// TakeDoors takes over who stands at doors from another state: they badged there, whatever is told
// of places.
func (st *State) TakeDoors(from *State) {
	if from != nil {
		st.doors = from.doors
	}
}

// EventKind is what moves the state. The zero kind moves nothing.
type EventKind uint8

// The kinds of event.
const (
	EventNone      EventKind = iota
	EventPassage             // Person went through a door into Zone ("" = outside), Party persons on one badge
	EventPINFailed           // one more wrong PIN of Key
	EventPINOK               // Key was granted with a right PIN: its count starts again
	EventPINReset            // an officer lifted the lockout of Key
	EventZoneReset           // Zone was declared empty, with a reason (AD-10)
	EventForgiven            // Person's place was declared "outside", with a reason (AD-9)
	EventPending             // Person badged with Key at Door and waits, or was granted and has not opened yet
	EventGone                // Person, who badged at Door at WallMS, passed no door after all; 0 = whenever they badged
	EventDoorEmpty           // nobody stands at Door any more: its gateway began anew and knows of no wait
	eventKindCount
)

// Event is one movement of the state.
type Event struct {
	Kind   EventKind
	Person string // Person.ID of the policy; "" = nobody known, moves nothing
	Key    Key
	Zone   ZoneID
	Door   DoorID // of EventPending, EventGone and EventDoorEmpty
	Party  uint8  // of a passage: as of Person
	WallMS int64  // UTC ms of a passage or badge
	// Granted, of EventPending: the strike is released for them. Those who wait at the door go in with them, as far
	// as is known here, so all who stand there have a place from now on (AD-10).
	Granted bool
}

// Apply moves st. Events are applied in the order of the fold (D7); an event that names nobody or
// an unknown kind moves nothing.
func Apply(st *State, e Event) {
	switch e.Kind {
	case EventPassage:
		if e.Person != "" {
			st.move(e.Person, e.Zone, e.WallMS, e.Party)
			for door := range st.doors {
				st.gone(door, e.Person, 0)
			}
		}
	case EventForgiven:
		if old, ok := st.places[e.Person]; ok {
			st.move(e.Person, "", old.lastMS, old.party)
		}
	case EventZoneReset:
		if e.Zone == "" {
			return
		}
		for person := range st.inside[e.Zone] {
			old := st.places[person]
			st.move(person, "", old.lastMS, old.party)
		}
	case EventPending:
		if e.Person != "" && e.Door != "" && e.WallMS > 0 {
			st.pending(e.Door, present{e.Person, e.Key, e.WallMS, e.Granted})
		}
	case EventGone:
		st.gone(e.Door, e.Person, e.WallMS)
	case EventDoorEmpty:
		delete(st.doors, e.Door)
	case EventPINFailed:
		if n := st.pins[e.Key]; n < 255 && e.Key != (Key{}) {
			if st.pins == nil {
				st.pins = make(map[Key]uint8)
			}
			st.pins[e.Key] = n + 1
		}
	case EventPINOK, EventPINReset:
		delete(st.pins, e.Key)
	}
}

func (st *State) move(person string, to ZoneID, ms int64, party uint8) {
	if st.places == nil {
		st.places = make(map[string]place)
		st.inside = make(map[ZoneID]map[string]struct{})
		st.counts = make(map[ZoneID]uint32)
	}
	old := st.places[person]
	if old.inside != "" {
		if st.counts[old.inside] -= weight(old.party); st.counts[old.inside] == 0 {
			delete(st.counts, old.inside)
		}
		if delete(st.inside[old.inside], person); len(st.inside[old.inside]) == 0 {
			delete(st.inside, old.inside)
		}
	}
	if to != "" {
		st.counts[to] += weight(party)
		if st.inside[to] == nil {
			st.inside[to] = make(map[string]struct{})
		}
		st.inside[to][person] = struct{}{}
	}
	st.places[person] = place{to, max(ms, old.lastMS), party}
}

// pending puts a person at a door; badging again counts from then.
func (st *State) pending(door DoorID, p present) {
	if st.doors == nil {
		st.doors = make(map[DoorID][]present)
	}
	list := st.doors[door][:0]
	for _, x := range st.doors[door] {
		if x.person != p.person && p.sinceMS-x.sinceMS <= maxWindowMS { // nobody waits for longer
			list = append(list, x)
		}
	}
	if len(list) == maxStanding {
		list = append(list[:0], list[1:]...)
	}
	list = append(list, p)
	for i := range list {
		list[i].granted = list[i].granted || p.granted
	}
	st.doors[door] = list
}

// gone takes a person from a door; whoever has badged there again since sinceMS stays.
func (st *State) gone(door DoorID, person string, sinceMS int64) {
	list := st.doors[door]
	for i := range list {
		if list[i].person == person && (sinceMS == 0 || list[i].sinceMS == sinceMS) {
			if list = append(list[:i], list[i+1:]...); len(list) == 0 {
				delete(st.doors, door)
			} else {
				st.doors[door] = list
			}
			return
		}
	}
}

// Inside is where a person is by the passages applied so far, "" = outside or never seen.
func (st *State) Inside(person string) ZoneID { return st.places[person].inside }

// People lists the persons whose place is a zone, not those in zones inside it, sorted by id.
func (st *State) People(zone ZoneID) []string { return slices.Sorted(maps.Keys(st.inside[zone])) }

// Count is the number of persons inside a zone, not in zones inside it, by the passages applied so far.
func (st *State) Count(zone ZoneID) uint32 { return st.counts[zone] }

// PINFailed is the number of consecutive wrong PINs of a card.
func (st *State) PINFailed(key Key) uint8 { return st.pins[key] }

// View is what Decide may know of st for this request. At a gateway (any link but server) places
// and counts around a zone with doors on other gateways are unknown, however good its own records
// are (D7). A nil State or policy gives the zero View, which knows nothing.
func (st *State) View(p *Policy, r Request) View {
	var v View
	if st == nil || p == nil {
		return v
	}
	if st.knows.Has(KnowPIN) && r.HasCard {
		v.PIN = PINView{Known: true, Failed: st.pins[r.Key]}
	}
	door := p.door(r.Door)
	if door == nil {
		return v
	}
	zone := &p.zones[door.zone]
	who := ""
	if c := p.find(r.Key); r.HasCard && c != nil && c.Person != NoPerson {
		who = p.persons[c.Person].ID
	}
	if st.knows.Has(KnowDoor) && r.Side == SideEnter {
		v.Door = st.doorView(p, r, who)
	}
	knows := func(z *Zone, k Knowledge) bool {
		return st.knows.Has(k) && (!z.Shared || r.Link == LinkServer)
	}
	if knows(zone, KnowZone) {
		v.Zone = st.zoneView(p, door.zone)
		v.Zone.Reserved = st.reserved(p, door.zone, who, r.WallMS)
	}
	for i, up := range p.tree[door.zone].above {
		if up >= 0 && knows(&p.zones[up], KnowZone) {
			v.Zone.Above[i] = CountView{true, st.countWithin(p, uint32(up)), st.reserved(p, uint32(up), who, r.WallMS)}
		}
	}
	if who != "" && knows(zone, KnowPerson) {
		at := st.places[who]
		v.Person = PersonView{Known: true, Inside: at.inside, LastMS: at.lastMS}
	}
	return v
}

// Without is the view of somebody who does not know who is inside the given zones.
func (v View) Without(p *Policy, at DoorID, zones []ZoneID) View {
	door := p.door(at)
	if door == nil || len(zones) == 0 {
		return v
	}
	above := v.Zone.Above
	if slices.Contains(zones, p.zones[door.zone].ID) {
		v.Zone, v.Person = ZoneView{}, PersonView{}
	}
	for i, up := range p.tree[door.zone].above {
		if up >= 0 && slices.Contains(zones, p.zones[up].ID) {
			above[i] = CountView{}
		}
	}
	v.Zone.Above = above
	return v
}

func (st *State) countWithin(p *Policy, zone uint32) uint32 {
	n := uint32(0)
	for _, in := range p.tree[zone].below {
		n += st.counts[p.zones[in].ID]
	}
	return n
}

// reserved counts the places of those who were granted at a door into the zone or into one in it, and have neither passed nor
// given up (AD-10); those who are counted inside already, and who themselves, have none. Nobody keeps a place for
// more than an hour: then their gateway is gone, or what it said is.
func (st *State) reserved(p *Policy, zone uint32, who string, nowMS int64) uint32 {
	if p.zones[zone].MaxInside == 0 {
		return 0 // nobody asks
	}
	n := uint32(0)
	for id, list := range st.doors {
		door := p.door(id)
		if door == nil || !p.within(door.zone, zone) {
			continue
		}
		for i := range list {
			x := &list[i]
			if !x.granted || x.person == who || nowMS-x.sinceMS > maxWindowMS || st.reservedElsewhere(id, x) {
				continue
			}
			if at := st.places[x.person].inside; at != "" && p.within(p.zoneNumber(at), zone) {
				continue
			}
			party := uint8(1)
			if no, known := p.personIndex[x.person]; known {
				party = p.persons[no].Party
			}
			n += weight(party)
		}
	}
	return n
}

// reservedElsewhere reports whether the person has badged at another door since: they have one place.
func (st *State) reservedElsewhere(at DoorID, x *present) bool {
	for id, list := range st.doors {
		for i := range list {
			if y := &list[i]; id != at && y.granted && y.person == x.person && (y.sinceMS > x.sinceMS || y.sinceMS == x.sinceMS && id > at) {
				return true
			}
		}
	}
	return false
}

func (st *State) zoneView(p *Policy, zone uint32) ZoneView {
	v := ZoneView{Known: true, Count: st.countWithin(p, zone)}
	if p.zones[zone].Escort == EscortNone {
		return v // nobody asks
	}
	for _, in := range p.tree[zone].below {
		for person := range st.inside[p.zones[in].ID] {
			v.Visitors += weight(st.places[person].party) - 1
			n, known := p.personIndex[person]
			switch {
			case !known: // not in the rules any more: neither an escort nor somebody to be escorted
			case p.persons[n].MayEscort:
				v.Escorts++
			case p.persons[n].Category == CategoryVisitor:
				v.Visitors++
			case p.persons[n].Category == CategoryContractor:
				v.Contractors++
			}
		}
	}
	return v
}

// doorView is who stands at the door of r. Whoever is not let in any more since they badged is nobody's
// company (I5).
func (st *State) doorView(p *Policy, r Request, who string) DoorView {
	v := DoorView{Known: true}
	n := 0
	for _, x := range st.doors[r.Door] {
		no, known := p.personIndex[x.person]
		theirs := Request{Door: r.Door, Side: SideEnter, Key: x.key, HasCard: true, WallMS: r.WallMS, Clock: r.Clock, Link: r.Link}
		if c := p.find(x.key); !known || c == nil || c.Person != no || !p.welcome(theirs) {
			continue
		}
		if n == MaxPresent {
			copy(v.Present[:], v.Present[1:])
			n--
		}
		person := &p.persons[no]
		at := st.places[x.person].inside
		v.Present[n] = Presence{
			SinceMS: x.sinceMS, Category: person.Category, Self: x.person == who, Party: person.Party, Granted: x.granted,
			MayEscort: person.MayEscort && (at == "" || !p.within(p.zoneNumber(at), p.door(r.Door).zone)),
		}
		n++
	}
	return v
}

// PendingEvent is the presence that a decision at an entry makes: whoever waits for another, or was
// granted where the zone looks at who else is there, stands at the door until they pass or give up.
// ok is false when nobody is to be remembered.
func PendingEvent(p *Policy, r Request, d Decision) (e Event, ok bool) {
	if p == nil || r.Side != SideEnter || !d.KnownPerson {
		return Event{}, false
	}
	door := p.door(r.Door)
	if door == nil || !p.zones[door.zone].Company() && !p.capAbove(door.zone) {
		return Event{}, false
	}
	switch d.Outcome {
	case NeedSecond, NeedEscort, Granted:
		return Event{
			Kind: EventPending, Door: r.Door, Person: p.persons[d.Person].ID, Key: r.Key, WallMS: r.WallMS, Granted: d.Outcome == Granted,
		}, true
	}
	return Event{}, false
}

// capAbove reports whether a zone around this one has room for so many only.
func (p *Policy) capAbove(zone uint32) bool {
	for _, up := range p.tree[zone].above {
		if up >= 0 && p.zones[up].MaxInside > 0 {
			return true
		}
	}
	return false
}

// PINEvent is the movement a decision makes in the PIN count of the card: a wrong PIN counts, a
// grant with a right one starts the count again, and a card that is locked out moves nothing, so
// that a right PIN does not lift the lockout. ok is false when nothing moves.
func PINEvent(r Request, d Decision) (e Event, ok bool) {
	switch {
	case d.Failed.Has(ReasonPINBad):
		return Event{Kind: EventPINFailed, Key: r.Key}, true
	case d.Outcome == Granted && r.Side == SideEnter && (r.PIN == PINOK || r.PIN == PINDuress):
		return Event{Kind: EventPINOK, Key: r.Key}, true
	}
	return Event{}, false
}
