package access

// State is the moving state Decide needs: where people are and how often a card's PIN was wrong.
// One owner holds it (the server's authority, or one goroutine of a gateway) and moves it only
// through Apply; it is not safe for concurrent use. The zero State knows nothing.
//
// Places are kept by person id and PIN counts by card key, because a PersonNo means something else
// in every version of a policy. A grant moves nothing, the passage does (DS-4).
type State struct {
	knows  KnowledgeSet
	places map[string]place
	counts map[ZoneID]uint32 // persons inside; a zone without an entry is empty
	pins   map[Key]uint8
}

type place struct {
	inside ZoneID
	lastMS int64
}

// NewState makes an empty state of which the owner vouches for the kinds in knows: KnowAll at the
// server; at a gateway what it has rebuilt from the last `state` part and its own records (D7).
func NewState(knows KnowledgeSet) *State { return &State{knows: knows & KnowAll} }

// Knows is what the owner vouches for.
func (st *State) Knows() KnowledgeSet { return st.knows }

// SetKnows changes what the owner vouches for, for example after a `state` part arrived.
func (st *State) SetKnows(knows KnowledgeSet) { st.knows = knows & KnowAll }

// EventKind is what moves the state. The zero kind moves nothing.
type EventKind uint8

// The kinds of event.
const (
	EventNone      EventKind = iota
	EventPassage             // Person went through a door into Zone ("" = outside)
	EventPINFailed           // one more wrong PIN of Key
	EventPINOK               // Key was granted with a right PIN: its count starts again
	EventPINReset            // an officer lifted the lockout of Key
	EventZoneReset           // Zone was declared empty, with a reason (AD-10)
	EventForgiven            // Person's place was declared "outside", with a reason (AD-9)
	eventKindCount
)

// Event is one movement of the state.
type Event struct {
	Kind   EventKind
	Person string // Person.ID of the policy; "" = nobody known, moves nothing
	Key    Key
	Zone   ZoneID
	WallMS int64 // UTC ms of a passage
}

// Apply moves st. Events are applied in the order of the fold (D7); an event that names nobody or
// an unknown kind moves nothing.
func Apply(st *State, e Event) {
	switch e.Kind {
	case EventPassage:
		if e.Person != "" {
			st.move(e.Person, e.Zone, e.WallMS)
		}
	case EventForgiven:
		if old, ok := st.places[e.Person]; ok {
			st.move(e.Person, "", old.lastMS)
		}
	case EventZoneReset:
		if e.Zone == "" {
			return
		}
		for person, old := range st.places {
			if old.inside == e.Zone {
				st.places[person] = place{"", old.lastMS}
			}
		}
		delete(st.counts, e.Zone)
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

func (st *State) move(person string, to ZoneID, ms int64) {
	if st.places == nil {
		st.places = make(map[string]place)
		st.counts = make(map[ZoneID]uint32)
	}
	old := st.places[person]
	if old.inside != "" {
		if st.counts[old.inside]--; st.counts[old.inside] == 0 {
			delete(st.counts, old.inside)
		}
	}
	if to != "" {
		st.counts[to]++
	}
	st.places[person] = place{to, max(ms, old.lastMS)}
}

// Inside is where a person is by the passages applied so far, "" = outside or never seen.
func (st *State) Inside(person string) ZoneID { return st.places[person].inside }

// Count is the number of persons inside a zone by the passages applied so far.
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
	if zone.Shared && r.Link != LinkServer {
		return v
	}
	if st.knows.Has(KnowZone) {
		v.Zone = ZoneView{Known: true, Count: st.counts[zone.ID]}
	}
	if c := p.find(r.Key); st.knows.Has(KnowPerson) && r.HasCard && c != nil && c.Person != NoPerson {
		at := st.places[p.persons[c.Person].ID]
		v.Person = PersonView{Known: true, Inside: at.inside, LastMS: at.lastMS}
	}
	return v
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
