package controller

import (
	"sync"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// Places is who is where as this gateway knows it (D7): the last `state` part of the server and what its
// own doors have recorded since. Its doors share it; the methods may be called from several goroutines.
//
// Who stands at a door is always known, for this gateway alone serves it. Who is inside is known once
// Rebuilt has said so; before that the checks that need it follow the zone's offline rule.
type Places struct {
	mu     sync.Mutex
	st     *access.State // mu
	policy *access.Policy
	watch  access.Watch
	tell   []func(away []access.ZoneID) // the doors; called with mu held, must not block
}

// NewPlaces knows nobody's place yet.
func NewPlaces() *Places {
	return &Places{st: access.NewState(access.KnowledgeSet(0).With(access.KnowDoor))}
}

// Follow asks to be told of the zones in which outsiders are without an escort, on every change. f must
// not block and is called from other goroutines.
func (p *Places) Follow(f func(away []access.ZoneID)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell = append(p.tell, f)
}

// Rebuilt replaces what is known: st is the `state` part with the records since applied. Those who stand
// at doors now stay.
func (p *Places) Rebuilt(st *access.State, nowMS int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	st.TakeDoors(p.st)
	st.SetKnows(st.Knows().With(access.KnowDoor))
	p.st, p.watch = st, access.Watch{}
	p.step(nowMS)
}

// SetPolicy says which zones the watch looks at.
func (p *Places) SetPolicy(policy *access.Policy, nowMS int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.policy = policy
	p.step(nowMS)
}

func (p *Places) view(policy *access.Policy, r access.Request) access.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.View(policy, r)
}

// apply takes one event of a door.
func (p *Places) apply(e access.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	access.Apply(p.st, e)
	if e.Kind == access.EventPassage {
		p.step(e.WallMS)
	}
}

// step lets the watch look and tells the doors. A gateway that does not know who is inside says nothing:
// a door must not beep at people who did nothing. mu is held.
func (p *Places) step(nowMS int64) {
	if !p.st.Knows().Has(access.KnowZone) {
		return
	}
	p.watch.Step(p.policy, p.st, nowMS)
	p.watch.Take() // the findings are the server's
	away := p.watch.Unescorted()
	for _, f := range p.tell {
		f(away)
	}
}

// moved makes the movement that a recorded event of an attempt is: a passage, or the end of a wait. holder
// is the person's id in the policy, since is when the attempt put them at the door, 0 = it did not. ok is false when
// nobody moves.
func moved(p *access.Policy, d access.DoorID, e door.Event, holder string, since, wallMS int64) (access.Event, bool) {
	if holder == "" {
		return access.Event{}, false
	}
	at, known := p.Door(d)
	if !known {
		return access.Event{}, false
	}
	switch e {
	case door.EventEntry, door.EventExit:
		out := access.Event{Kind: access.EventPassage, Person: holder, Zone: at.EnterZone, WallMS: wallMS}
		if e == door.EventExit {
			out.Zone = at.ExitZone
		}
		if n, ok := p.PersonNo(holder); ok {
			who, _ := p.Person(n)
			out.Party = who.Party
		}
		return out, true
	case door.EventNoEntry, door.EventLapsed, door.EventDenied:
		return access.Event{Kind: access.EventGone, Door: d, Person: holder, WallMS: since}, since != 0
	}
	return access.Event{}, false
}

// Replay adds to a state what a gateway's own records say (D7). Give it the records in their order.
type Replay struct {
	State  *access.State
	Policy *access.Policy
	Ask    wire.AskKey
	After  uint64 // records up to this number only tell whose an attempt is: the state has the rest

	keys map[door.Attempt]access.Key
}

// Add takes one record. One that does not open or names nobody moves nobody.
func (r *Replay) Add(c wire.Carried) {
	body, err := wire.ParseRecord(c.Body)
	if err != nil || body.Attempt == (door.Attempt{}) {
		return
	}
	if len(c.Private) > 0 {
		if private, err := wire.OpenPrivate(r.Ask, c.Private); err == nil {
			if _, req, err := access.ParseInputs(private.Inputs); err == nil && req.HasCard {
				if r.keys == nil {
					r.keys = map[door.Attempt]access.Key{}
				}
				r.keys[body.Attempt] = req.Key
			}
		}
	}
	key, known := r.keys[body.Attempt]
	if !known || body.Seq <= r.After {
		return
	}
	card, known := r.Policy.Credential(key)
	if !known {
		return
	}
	person, known := r.Policy.Person(card.Person)
	if !known {
		return
	}
	if e, moves := moved(r.Policy, body.Door, body.Event, person.ID, 0, body.Stamp.WallMS+body.Stamp.OffsetMS); moves {
		access.Apply(r.State, e)
	}
}

// Inside lists who is inside the zones whose people matter at the doors, as the policy numbers them. known is false while nobody's place is
// known here: then the list means nothing. The zones are those of which the server tells (access.Policy.Watched).
func (p *Places) Inside(doors []access.DoorID) (list []access.Placed, zones []access.ZoneID, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	zones = p.policy.Watched(doors)
	return p.st.Placed(zones), zones, p.st.Knows().Has(access.KnowZone) && len(zones) > 0
}
