package sim

import (
	"fmt"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/world/invariant"
)

// rulesOracle says whether a grant was one that the zone rules forbid, given what its decider knew: the server the records
// it had committed, a gateway its own. It keeps places in its own way and shares no code with access.State or
// Decide. Where two deciders can differ in doubt it lets pass: what it reports is surely wrong.
type rulesOracle struct {
	w      *World
	person map[string]string // card → person
	kind   map[string]string // person → category; "escort" for whoever may escort
	shared map[access.ZoneID]bool
	who    map[door.Attempt]badged
	server book
	own    map[access.GatewayID]*book
	truth  book           // where people are
	seen   map[string]int // what was met, so that a run which tests nothing is noticed
	moving map[access.DoorID]bool
	rules  *access.Policy
	err    error
}

type badged struct {
	person string
	door   access.DoorID
	side   access.Side
	ms     int64
}

// book is what one decider knows.
type book struct {
	at     map[string]stay
	grants map[door.Attempt]int64 // let in, neither passed nor given up; since when
}

type stay struct {
	zone access.ZoneID
	ms   int64
}

func newBook() book { return book{map[string]stay{}, map[door.Attempt]int64{}} }

// slack is by how much times of two machines may differ here.
const slack = 3000

func (o *rulesOracle) watch(e *invariant.Event) {
	switch e.Kind {
	case invariant.Badge:
		o.who[e.Attempt] = badged{o.person[e.Card], e.Door, e.Side, e.WallMS}
	case invariant.Boot: // nobody goes in on a grant of before
		o.ended(&o.server, e.Gateway)
		o.ended(o.own[e.Gateway], e.Gateway)
	case invariant.Decided:
		if e.Granted {
			o.granted(&o.server, "the server", e, false)
		}
	case invariant.Row:
		o.follow(&o.server, e.Body)
	case invariant.Durable:
		o.durable(e)
	case invariant.Edge:
		o.airlock(e)
		o.moving[e.Door] = true
	case invariant.Secured:
		o.moving[e.Door] = false
	}
}

func (o *rulesOracle) ended(b *book, gw access.GatewayID) {
	for a := range b.grants {
		if _, of := o.w.doorNode(o.who[a].door); of == gw {
			delete(b.grants, a)
		}
	}
}

// durable takes a record of a gateway: its decision, or a movement it has seen.
func (o *rulesOracle) durable(e *invariant.Event) {
	b := o.own[e.Gateway]
	if e.Event == door.EventGranted {
		_, known := o.server.grants[e.Attempt]
		switch {
		case e.By == access.ByGateway:
			o.granted(b, string(e.Gateway), e, false)
		case !known: // the server had them wait; somebody came with whom they go in
			o.granted(b, string(e.Gateway)+" (after a wait)", e, true)
		}
		b.grants[e.Attempt] = e.WallMS
		return
	}
	o.move(b, e.Event, e.Attempt, e.WallMS)
	o.move(&o.truth, e.Event, e.Attempt, e.WallMS)
}

func (o *rulesOracle) follow(b *book, body []byte) {
	r, err := wire.ParseRecord(body)
	if err == nil {
		o.move(b, r.Event, r.Attempt, r.Stamp.WallMS+r.Stamp.OffsetMS)
	}
}

func (o *rulesOracle) move(b *book, ev door.Event, a door.Attempt, ms int64) {
	x, known := o.who[a]
	if !known {
		return
	}
	d, _ := o.policy().Door(x.door)
	to := d.EnterZone
	switch ev {
	case door.EventNoEntry, door.EventLapsed, door.EventDenied, door.EventLateIgnored:
		delete(b.grants, a)
		return
	case door.EventExit:
		to = d.ExitZone
	case door.EventEntry:
	default:
		return
	}
	delete(b.grants, a)
	if old := b.at[x.person]; ms >= old.ms {
		b.at[x.person] = stay{to, ms}
	}
}

func (o *rulesOracle) fail(e *invariant.Event, decider, format string, args ...any) {
	if o.err == nil {
		x := o.who[e.Attempt]
		o.err = fmt.Errorf("%v: %s let %s in at %s, though %s", e.At, decider, x.person, x.door, fmt.Sprintf(format, args...))
		o.w.err = o.err
	}
}

// granted checks a grant. joined: who waited goes in with somebody else; room was looked at when they came.
func (o *rulesOracle) granted(b *book, decider string, e *invariant.Event, joined bool) {
	x := o.who[e.Attempt]
	if x.side != access.SideEnter || x.person == "" {
		return
	}
	defer func() { b.grants[e.Attempt] = e.WallMS }()
	p := o.policy()
	d, known := p.Door(x.door)
	z, _ := p.Zone(d.EnterZone)
	if !known {
		return
	}
	looks := z.AntiPassback >= access.AntiPassbackHard || z.MaxInside > 0 || z.Escort != access.EscortNone || z.TwoPersonMS > 0 && !z.TwoPersonAlways
	if b != &o.server && !joined && o.shared[z.ID] && looks {
		o.fail(e, decider, "it cannot know who is inside %s", z.ID)
	}
	if there := o.inside(&o.truth, z.ID, x.person); z.MaxInside > 0 && o.truth.at[x.person].zone != z.ID && uint32(len(there)) >= z.MaxInside {
		o.seen["full, and the decider could not know"]++
	}
	others := o.inside(b, z.ID, x.person)
	me := b.at[x.person]
	o.seen["granted"]++
	if !joined {
		switch {
		case me.zone != z.ID:
		case z.AntiPassback == access.AntiPassbackHard:
			o.fail(e, decider, "they are inside already")
		case z.AntiPassback == access.AntiPassbackTimed && e.WallMS-me.ms < z.AntiPassbackMS-slack:
			o.fail(e, decider, "they came in %d s ago", (e.WallMS-me.ms)/1000)
		}
		if coming := o.coming(b, z.ID, x.person, e.WallMS); z.MaxInside > 0 && me.zone != z.ID && uint32(len(others)+coming+1) > z.MaxInside {
			o.fail(e, decider, "%d are inside and %d on their way, of %d", len(others), coming, z.MaxInside)
		}
	}
	if z.TwoPersonMS > 0 && (z.TwoPersonAlways || len(others) == 0) {
		o.seen["two persons"]++
		if len(o.beside(x, z.TwoPersonMS, e.WallMS)) == 0 {
			o.fail(e, decider, "nobody else is there")
		}
	}
	if z.Escort == access.EscortOutsiders && o.kind[x.person] == "contractor" {
		o.outsider(b, decider, e, &z, others)
	}
}

func (o *rulesOracle) outsider(b *book, decider string, e *invariant.Event, z *access.Zone, others []string) {
	x := o.who[e.Attempt]
	escorts, outsiders := 0, 1
	for _, p := range others {
		switch o.kind[p] {
		case "escort":
			escorts++
		case "contractor":
			outsiders++
		}
	}
	for p := range o.beside(x, z.EscortWithinMS, e.WallMS) {
		if o.kind[p] == "escort" && b.at[p].zone != z.ID {
			escorts++
		}
	}
	o.seen["escorted"]++
	if escorts == 0 {
		o.fail(e, decider, "no escort is inside or beside them")
	} else if uint32(outsiders) > uint32(escorts)*z.EscortRatio {
		o.fail(e, decider, "%d outsiders have %d escorts", outsiders, escorts)
	}
}

func (o *rulesOracle) inside(b *book, z access.ZoneID, but string) (out []string) {
	for p, s := range b.at {
		if s.zone == z && p != but {
			out = append(out, p)
		}
	}
	return out
}

// coming counts those who were let in within the last moments, at whatever door of the zone.
func (o *rulesOracle) coming(b *book, z access.ZoneID, but string, ms int64) int {
	people := map[string]bool{}
	for a, since := range b.grants {
		x := o.who[a]
		if d, _ := o.policy().Door(x.door); x.side == access.SideEnter && d.EnterZone == z && x.person != but && b.at[x.person].zone != z && ms-since < slack {
			people[x.person] = true
		}
	}
	return len(people)
}

// beside are the others who have badged at the same door within a window.
func (o *rulesOracle) beside(x badged, window, ms int64) map[string]bool {
	out := map[string]bool{}
	for _, y := range o.who {
		if y.door == x.door && y.side == access.SideEnter && y.person != x.person && ms-y.ms <= window+slack {
			out[y.person] = true
		}
	}
	return out
}

// airlock: no door of an airlock is released for an entry while the other one is released or stands open (DS-9).
func (o *rulesOracle) airlock(e *invariant.Event) {
	node, _ := o.w.doorNode(e.Door)
	for i := range o.w.server.dir.Doors {
		d := &o.w.server.dir.Doors[i]
		if d.ID != e.Door || d.Interlock == "" || e.Side == access.SideExit {
			continue
		}
		other, _ := o.w.doorNode(d.Interlock)
		o.seen["airlock"]++
		if other.open || o.moving[d.Interlock] {
			o.fail(e, string(node.g.id), "the other door of the airlock is open")
		}
	}
}

func (w *World) doorNode(id access.DoorID) (*doorNode, access.GatewayID) {
	for _, g := range w.gateways {
		for _, d := range g.doors {
			if d.cfg.Door == id {
				return d, g.id
			}
		}
	}
	return nil, ""
}

// policy is the site's; its rules do not change.
func (o *rulesOracle) policy() *access.Policy {
	if o.rules == nil {
		o.rules = o.w.server.current.Policy
	}
	return o.rules
}
