package ingest

import (
	"errors"
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Configure sets the thresholds of the rules over time and how to ask whether a gateway is silent now, or has records that are
// not here yet. Call it before the first Handle.
func (p *Pipeline) Configure(set review.Settings, silent func(access.GatewayID) bool) {
	p.set, p.silent = set, silent
}

// drive makes what the watch does until the end of the transaction revocable.
func (p *Pipeline) drive(tx interface {
	AfterCommit(f func())
	AfterRollback(f func())
}, nowMS int64) {
	if p.watch == nil {
		p.watch = review.NewWatch(p.set, nowMS)
	}
	p.watch.Begin()
	tx.AfterCommit(p.watch.Keep)
	tx.AfterRollback(p.watch.Back)
	if site := p.policies.Site(); site != nil && site != p.areas {
		p.areas = site
		p.watch.Areas(areasOf(site))
	}
}

func areasOf(site *policypub.Current) []review.Area {
	zones := site.Directory().Zones
	out := make([]review.Area, len(zones))
	for i := range zones {
		out[i] = review.Area{Zone: zones[i].ID, Parent: zones[i].Parent, Level: zones[i].Level}
	}
	return out
}

// around fills in what the log and the directory say around a record.
func (b *batch) around(r *parsed, s *secret, f *review.Fact) error {
	b.p.drive(b.tx, b.nowMS)
	if s.hasCard {
		f.Card = b.p.number(string(s.key[:]))
	}
	person, err := whose(b.tx, &r.body, s)
	if err != nil {
		return fmt.Errorf("whose it is: %w", err)
	}
	b.p.place(f, b.site, person)
	if err := b.p.past(b.tx, f, b.site, person); err != nil {
		return fmt.Errorf("what was before: %w", err)
	}
	f.Unsettled = f.Event == door.EventExit && b.p.away(b.site, f.From, f.Gateway)
	return nil
}

// step runs the rules over time over a fact.
func (p *Pipeline) step(tx Tx, f review.Fact) []review.Finding {
	if f.Unsettled && f.Passed() && len(p.waiting) < maxWaiting {
		tx.AfterCommit(func() { p.waiting = append(p.waiting, f.Attempt) })
	}
	return p.watch.Step(f)
}

// maxWaiting bounds the exits that wait for the records of a gateway that is away; what is beyond is not judged.
const maxWaiting = 10_000

// away reports whether a gateway of the zone, other than the one that tells, is silent: records of it may be on their way.
func (p *Pipeline) away(site *policypub.Current, zone access.ZoneID, tells access.GatewayID) bool {
	if p.silent == nil || zone == "" {
		return false
	}
	asked := map[access.GatewayID]bool{tells: true}
	for i := range site.Directory().Doors {
		d := &site.Directory().Doors[i]
		if !asked[d.Gateway] && (site.Policy.Within(d.Enter, zone) || site.Policy.Within(d.Exit, zone)) {
			if asked[d.Gateway] = true; p.silent(d.Gateway) {
				return true
			}
		}
	}
	return false
}

// Acts are the officers' acts on who is where.
type Acts interface {
	ZoneActs(fromMS int64) ([]store.ZoneAct, error)
}

// Tick finds what has become so by time alone, and says how much was counted. It is run once a minute; running it more or less often
// changes only when things are told. nowMS is the server's clock, UTC ms.
func (p *Pipeline) Tick(tx interface {
	Tx
	Acts
}, nowMS int64) error {
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	p.drive(tx, nowMS)
	if err := p.takeActs(tx, tx.AfterRollback, nowMS); err != nil {
		return err
	}
	found := p.watch.Tick(nowMS, func(z access.ZoneID) bool { return !p.away(site, z, "") })
	waiting := p.waiting
	tx.AfterRollback(func() { p.waiting = waiting })
	p.waiting = nil
	for _, id := range waiting {
		f, ok, err := p.again(tx, site, id, nowMS)
		switch {
		case err != nil:
			return err
		case ok && p.away(site, f.From, f.Gateway):
			p.waiting = append(p.waiting, id)
		case ok:
			found = append(found, p.watch.Settled(f)...)
		}
	}
	for i := range found {
		if err := p.tell(tx, found[i], nowMS); err != nil {
			return err
		}
	}
	return p.tellCounted(tx, nowMS)
}

// takeActs tells the watch whom officers have declared to be outside since it looked last.
func (p *Pipeline) takeActs(acts Acts, undo func(func()), nowMS int64) error {
	list, err := acts.ZoneActs(nowMS - day)
	if err != nil {
		return err
	}
	seen := p.actsSeen
	undo(func() { p.actsSeen = seen })
	for _, a := range list {
		if a.Idx <= p.actsSeen {
			continue
		}
		p.actsSeen = a.Idx
		p.act(a, nowMS)
	}
	return nil
}

const day = 86_400_000

func (p *Pipeline) act(a store.ZoneAct, nowMS int64) {
	switch a.Kind {
	case store.ActForgiven:
		p.watch.Outside(nowMS, a.AtMS, p.number(a.Subject), "")
	case store.ActZoneReset:
		p.watch.Outside(nowMS, a.AtMS, 0, access.ZoneID(a.Subject))
	}
}

// again makes the fact of an exit once more, from its line.
func (p *Pipeline) again(tx Around, site *policypub.Current, id door.Attempt, nowMS int64) (f review.Fact, ok bool, err error) {
	row, err := tx.AttemptRow(id)
	if isNotFound(err) {
		return f, false, nil
	}
	if err != nil {
		return f, false, err
	}
	person, err := holderOf(tx, id)
	if err != nil || person == "" {
		return f, false, err
	}
	f = factOf(&row, nowMS)
	p.place(&f, site, person)
	return f, true, p.past(tx, &f, site, person)
}

// factOf is a line's passage as a fact.
func factOf(r *attempt.Row, nowMS int64) review.Fact {
	return review.Fact{
		AtMS: r.PassedMS, ReceivedMS: nowMS, WidthMS: r.ToMS - r.FromMS, Gateway: access.GatewayID(r.Gateway), Door: access.DoorID(r.Door), Event: door.Event(r.Passage),
		Attempt: r.ID, Leaf: r.First,
	}
}

// Loading is what Load reads.
type Loading interface {
	Around
	Acts
	LogSize() (int64, error)
	Leaf(idx int64) (entrylog.Leaf, error)
	LastPassages(atMS int64) ([]attempt.Row, error)
}

// Bounds of what is read at start, so that it does not grow with the log.
const (
	replayMost = 20_000 // leaves
	walkBack   = 8      // passages of one person from which the beginning of a stay is found
)

// Load makes the watch again from the log at start: who is inside, and what was counted within the last windows. nowMS is the
// server's clock, UTC ms; beganMS is when the log began.
func (p *Pipeline) Load(past Loading, nowMS, beganMS int64) error {
	p.watch = review.NewWatch(p.set, beganMS)
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	p.areas = site
	p.watch.Areas(areasOf(site))
	rows, err := past.LastPassages(nowMS)
	if err != nil {
		return fmt.Errorf("who is inside: %w", err)
	}
	oldest := nowMS - day
	for i := range rows {
		if err := p.resume(past, site, &rows[i], nowMS, &oldest); err != nil {
			return fmt.Errorf("who is inside: line %d: %w", rows[i].First, err)
		}
	}
	acts, err := past.ZoneActs(oldest)
	if err != nil {
		return fmt.Errorf("who is inside: %w", err)
	}
	for _, a := range acts {
		p.actsSeen = max(p.actsSeen, a.Idx)
		p.act(a, nowMS)
	}
	return p.replay(past, site, nowMS)
}

// resume tells the watch of a person's newest passage.
func (p *Pipeline) resume(past Loading, site *policypub.Current, r *attempt.Row, nowMS int64, oldest *int64) error {
	f := factOf(r, nowMS)
	if ledInto(site, r) == "" && nowMS-r.PassedMS > 31*day {
		return nil // no record is so old that it could come after it
	}
	person, err := "", error(nil)
	if r.Opening != attempt.NoIndex {
		var o entrylog.Opening
		if o, err = past.Opening(r.Opening); err == nil {
			person = o.Person
		}
	}
	if isNotFound(err) || errors.Is(err, store.ErrErased) || err == nil && person == "" {
		return nil // erased, or nobody
	}
	if err != nil {
		return err
	}
	p.place(&f, site, person)
	since := f
	if f.Into != "" {
		*oldest = min(*oldest, f.AtMS)
		if f.From != "" { // they went on inside: since when are they?
			before, err := past.PassedBefore(person, f.AtMS, walkBack)
			if err != nil {
				return err
			}
			for i := range slices.Backward(before) {
				if ledInto(site, &before[i]) == "" {
					break
				}
				since = factOf(&before[i], nowMS)
				if p.place(&since, site, person); since.From == "" {
					break
				}
			}
		}
	}
	p.watch.Resume(f, since)
	return nil
}

// replay runs the facts of the last windows through the watch again.
func (p *Pipeline) replay(past Loading, site *policypub.Current, nowMS int64) error {
	size, err := past.LogSize()
	if err != nil {
		return err
	}
	var facts []review.Fact
	for idx := size - 1; idx >= 0 && idx >= size-replayMost; idx-- {
		leaf, err := past.Leaf(idx)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", idx, err)
		}
		if leaf.Kind != entrylog.KindRecord {
			continue
		}
		l, err := entrylog.ParseRecord(leaf.Body)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", idx, err)
		}
		if l.AtMS < nowMS-2*p.set.WindowMS {
			break
		}
		body, err := wire.ParseRecord(l.Body)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", idx, err)
		}
		switch body.Event {
		case door.EventDenied, door.EventEntry, door.EventExit, door.EventClosed, door.EventHeldEnd:
		default:
			continue
		}
		f := review.Fact{
			AtMS: l.FromMS + (l.ToMS-l.FromMS)/2, ReceivedMS: l.AtMS, Gateway: body.Gateway, Door: body.Door, Side: body.Side, Event: body.Event,
			Attempt: body.Attempt, Reason: body.Reason, Failed: body.Failed, Leaf: idx,
		}
		if body.Event == door.EventDenied {
			if f.Card, err = p.cardOf(past, site, body.Gateway, idx); err != nil {
				return fmt.Errorf("leaf %d: %w", idx, err)
			}
		}
		p.place(&f, site, "")
		facts = append(facts, f)
	}
	for _, f := range slices.Backward(facts) {
		p.watch.Replay(f)
	}
	return nil
}

// cardOf is the number of the card of a record, 0 = none, or nobody can read it any more.
func (p *Pipeline) cardOf(past Around, site *policypub.Current, gw access.GatewayID, idx int64) (uint64, error) {
	o, err := past.Opening(idx)
	if isNotFound(err) || errors.Is(err, store.ErrErased) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	keys, ok := site.Keys.Gateways[gw]
	if !ok || len(o.Private) == 0 {
		return 0, nil
	}
	private, err := wire.OpenPrivate(keys.Ask, o.Private)
	if err != nil || len(private.Card) == 0 {
		return 0, nil // a finding has told of it
	}
	ref, err := wire.OpenCard(keys.Ask, private.Card)
	if err != nil {
		return 0, nil
	}
	key := access.Key(ref)
	return p.number(string(key[:])), nil
}
