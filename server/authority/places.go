package authority

import (
	"cmp"
	"slices"
	"sync"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Places is the site's moving state (D7): who is in which zone and who stands at which door. It is a
// fold over the passages that gateways recorded, by the time they happened and not by the time they
// came: a late record never moves somebody who has moved since. What it holds follows from the log;
// Load makes it again at start. Its methods may be called from several goroutines.
type Places struct {
	policies Policies

	mu      sync.Mutex
	st      *access.State                    // mu
	last    map[string]order                 // mu; per person, what their place follows from
	holders map[[16]byte]holder              // mu; whose the attempts of the last while are
	recent  [][16]byte                       // mu; keys of holders, oldest first
	watch   access.Watch                     // mu
	lifted  map[access.Key]int64             // mu; when a card's lockout was last lifted: gateways are told
	urgent  bool                             // mu; one was lifted and no gateway was told yet
	emptied map[access.ZoneID]order          // mu; when a zone was last declared empty
	loading bool                             // mu
	newest  map[access.GatewayID]newest      // mu; the newest record of each gateway that is in here
	boots   map[access.GatewayID]wire.BootID // mu; the running of each gateway that asked last
	lacking map[access.GatewayID]bool        // mu; gateways that hold records which are not here
}

// Occupancy is who is in a zone itself, not in those in it.
type Occupancy struct {
	People  int
	SinceMS int64 // when the one who has been there longest came in, UTC ms
}

// Occupied tells of each zone that somebody is in by the log.
func (p *Places) Occupied() map[access.ZoneID]Occupancy {
	out := map[access.ZoneID]Occupancy{}
	site := p.policies.Site()
	if site == nil {
		return out
	}
	zones := site.Directory().Zones
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range zones {
		o := Occupancy{}
		for _, person := range p.st.People(zones[i].ID) {
			if at := p.last[person].ms; o.People == 0 || at < o.SinceMS {
				o.SinceMS = at
			}
			o.People++
		}
		if o.People > 0 {
			out[zones[i].ID] = o
		}
	}
	return out
}

// order is the place of an event in the fold: occurred, then gateway and number, as they are written.
type order struct {
	ms  int64
	gw  access.GatewayID
	seq uint64
}

func (o order) before(x order) bool {
	return cmp.Or(cmp.Compare(o.ms, x.ms), cmp.Compare(o.gw, x.gw), cmp.Compare(o.seq, x.seq)) < 0
}

// newest names a gateway's record.
type newest struct {
	epoch wire.Epoch
	seq   uint64
}

// holder is whose an attempt is.
type holder struct {
	person  string
	sinceMS int64 // when the attempt put the person at the door, 0 = it did not
}

// maxHolders bounds the attempts remembered for their passages; a passage follows within a minute.
const maxHolders = 8192

func newPlaces(policies Policies) *Places {
	return &Places{
		policies: policies, st: access.NewState(access.KnowAll), last: map[string]order{}, holders: map[[16]byte]holder{},
		lifted: map[access.Key]int64{}, emptied: map[access.ZoneID]order{}, newest: map[access.GatewayID]newest{},
		boots: map[access.GatewayID]wire.BootID{}, lacking: map[access.GatewayID]bool{},
	}
}

// view is what the server knows around a request. Of zones at the doors of a gateway whose records are not in it knows
// nothing: the checks that need it are missing, and the zone's offline rule counts (D7, ADR 0040).
func (p *Places) view(site *policypub.Current, r access.Request) access.View {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.st.View(site.Policy, r)
	if len(p.lacking) == 0 {
		return v
	}
	var doors []access.DoorID
	for i := range site.Directory().Doors {
		if d := &site.Directory().Doors[i]; p.lacking[d.Gateway] {
			doors = append(doors, d.ID)
		}
	}
	return v.Without(site.Policy, r.Door, site.Policy.Watched(doors))
}

// Backlog notes whether a gateway holds records that are not committed here.
func (p *Places) Backlog(gw access.GatewayID, outstanding bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if delete(p.lacking, gw); outstanding {
		p.lacking[gw] = true
	}
}

// asked notes which running of a gateway asks. One that has started again has forgotten who waited at its doors:
// nobody goes in with them any more, so they are nobody's company (AD-8).
func (p *Places) asked(site *policypub.Current, gw access.GatewayID, boot wire.BootID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.boots[gw]
	if p.boots[gw] = boot; !known || before == boot {
		return
	}
	for i := range site.Directory().Doors {
		if d := &site.Directory().Doors[i]; d.Gateway == gw {
			access.Apply(p.st, access.Event{Kind: access.EventDoorEmpty, Door: d.ID})
		}
	}
}

// decided remembers whose an attempt is and that they stand at the door. It counts from the decision on
// and not from its commit: two who badge within one commit must see each other. A decision that is
// rolled back leaves somebody at a door for some seconds, where the gateway will ask about them again.
func (p *Places) decided(policy *access.Policy, a [16]byte, r access.Request, d access.Decision) {
	if !d.KnownPerson {
		return
	}
	person, known := policy.Person(d.Person)
	if !known {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e, pending := access.PendingEvent(policy, r, d)
	if pending {
		access.Apply(p.st, e)
	}
	p.remember(a, holder{person.ID, e.WallMS})
}

// remember keeps whose an attempt is. mu is held.
func (p *Places) remember(a [16]byte, h holder) {
	old, known := p.holders[a]
	if !known {
		if len(p.recent) >= maxHolders {
			delete(p.holders, p.recent[0])
			p.recent = p.recent[1:]
		}
		p.recent = append(p.recent, a)
	}
	if h.sinceMS == 0 {
		h.sinceMS = old.sinceMS
	}
	p.holders[a] = h
}

// Holds reports whether it is known whose an attempt is.
func (p *Places) Holds(a door.Attempt) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.holders[a]
	return known
}

// Follow takes one record that has just been committed. person is whose card its private part names, ""
// when it names none; seq is its number at the gateway.
func (p *Places) Follow(f review.Fact, person string, epoch wire.Epoch, seq uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.newest[f.Gateway] = newest{epoch, seq}
	p.follow(f, person, seq)
}

func (p *Places) follow(f review.Fact, person string, seq uint64) {
	h := p.holders[f.Attempt]
	if person != "" && h.person != person {
		p.remember(f.Attempt, holder{person: person})
		h = p.holders[f.Attempt]
	}
	if h.person == "" {
		return // a key, a handle, a command: nobody is known to have moved
	}
	switch f.Event {
	case door.EventEntry, door.EventExit:
		p.passed(h.person, f, seq)
	case door.EventNoEntry, door.EventLapsed, door.EventDenied, door.EventLateIgnored:
		if h.sinceMS != 0 { // the attempt that put them there; another of theirs says nothing
			access.Apply(p.st, access.Event{Kind: access.EventGone, Door: f.Door, Person: h.person, WallMS: h.sinceMS})
		}
	}
}

// passed moves a person, unless they have moved since. mu is held.
func (p *Places) passed(person string, f review.Fact, seq uint64) {
	at := order{f.AtMS, f.Gateway, seq}
	if old, moved := p.last[person]; moved && at.before(old) {
		return
	}
	site := p.policies.Site()
	if site == nil {
		return
	}
	d, known := site.Policy.Door(f.Door)
	if !known {
		return
	}
	e := access.Event{Kind: access.EventPassage, Person: person, Zone: d.EnterZone, WallMS: f.AtMS}
	if f.Event == door.EventExit {
		e.Zone = d.ExitZone
	}
	if reset, ok := p.emptied[e.Zone]; ok && at.before(reset) {
		return // a record of before the zone was declared empty
	}
	if n, ok := site.Policy.PersonNo(person); ok {
		who, _ := site.Policy.Person(n)
		e.Party = who.Party
	}
	p.last[person] = at
	access.Apply(p.st, e)
	p.step(f.AtMS)
}

// Due gives what the watch over escorts and lonely people has found by nowMS (VE-10, AD-10), each once.
func (p *Places) Due(nowMS int64) []access.Notice {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step(nowMS)
	return p.watch.Take()
}

// Inside lists the ids of the people inside a zone, not in zones inside it, sorted.
func (p *Places) Inside(zone access.ZoneID) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.People(zone)
}

// PlaceOf is where a person is, "" = outside or never seen, and since when by UTC ms.
func (p *Places) PlaceOf(person string) (access.ZoneID, int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.st.Inside(person), p.last[person].ms
}

// Apply takes an officer's act that has committed: forgiven, zone reset, PIN lockout lifted.
func (p *Places) Apply(a store.ZoneAct) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.apply(a)
}

func (p *Places) apply(a store.ZoneAct) {
	at := order{ms: a.AtMS}
	switch a.Kind {
	case store.ActForgiven:
		if old := p.last[a.Subject]; !at.before(old) {
			p.last[a.Subject] = at
			access.Apply(p.st, access.Event{Kind: access.EventForgiven, Person: a.Subject})
		}
	case store.ActZoneReset:
		zone := access.ZoneID(a.Subject)
		p.emptied[zone] = at
		for _, person := range p.st.People(zone) {
			if !at.before(p.last[person]) {
				p.last[person] = at
				access.Apply(p.st, access.Event{Kind: access.EventForgiven, Person: person})
			}
		}
	case store.ActPINReset:
		if site := p.policies.Site(); site != nil {
			dir := site.Directory()
			for i := range dir.Credentials {
				if c := &dir.Credentials[i]; string(c.ID) == a.Subject {
					p.lifted[access.Key(c.Ref)], p.urgent = a.AtMS, true
				}
			}
		}
	}
	p.step(a.AtMS)
}

// Whereabouts is who is inside the zones of a gateway and which PIN lockouts were lifted, for its state part (D7). ok is
// false while there is nothing to say: no zone of it has a rule that asks, or nothing is known of its records yet,
// and nothing was lifted.
func (p *Places) Whereabouts(gw access.GatewayID) (w policypub.Whereabouts, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	site := p.policies.Site()
	if site == nil {
		return w, false
	}
	w.Lifted = p.newestLifted(site.Policy)
	n, known := p.newest[gw]
	var doors []access.DoorID
	for i := range site.Directory().Doors {
		if x := &site.Directory().Doors[i]; x.Gateway == gw {
			doors = append(doors, x.ID)
		}
	}
	zones := site.Policy.Watched(doors)
	if !known || zones == nil {
		w.Untold = true
		return w, len(w.Lifted) > 0
	}
	w.Epoch, w.Through, w.Inside = n.epoch, n.seq, p.st.Placed(zones)
	return w, true
}

// newestLifted lists the newest PIN resets of cards that there still are. mu is held.
func (p *Places) newestLifted(policy *access.Policy) []access.Lifted {
	var out []access.Lifted
	for k, at := range p.lifted {
		if _, known := policy.Credential(k); known {
			out = append(out, access.Lifted{Key: k, AtMS: at})
		}
	}
	if len(out) > access.MaxLifted {
		slices.SortFunc(out, func(a, b access.Lifted) int { return cmp.Compare(b.AtMS, a.AtMS) })
		out = out[:access.MaxLifted]
	}
	return out
}

// Urgent reports, once, that the gateways should be told at once: a lockout was lifted.
func (p *Places) Urgent() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.urgent
	p.urgent = false
	return was
}

// step lets the watch look. mu is held.
func (p *Places) step(nowMS int64) {
	if site := p.policies.Site(); site != nil && !p.loading {
		p.watch.Step(site.Policy, p.st, nowMS)
	}
}
