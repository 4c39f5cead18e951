package authority

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
)

// Past is what Load reads; the store's reader.
type Past interface {
	// Passages gives at least the newest line of each person who ever passed a door, and the lines shortly before nowMS that
	// nothing has come of yet.
	Passages(nowMS int64, zone *time.Location) ([]attempt.Row, error)
	// PassedBefore gives the last passages of a person before a moment, at most so many, in the order of passing.
	PassedBefore(person string, ms int64, limit int) ([]attempt.Row, error)
	// FoundSince reports whether there is a finding of this kind and detail of fromMS or later, open or not.
	FoundSince(kind, detail string, fromMS int64) (bool, error)
	Opening(idx int64) (entrylog.Opening, error)
	// LastRecord gives the leaf of a gateway's newest record; store.ErrNotFound when there is none.
	LastRecord(gateway string) (idx int64, err error)
	Leaf(idx int64) (entrylog.Leaf, error)
	// ZoneActs gives the officers' acts since fromMS, in their order.
	ZoneActs(fromMS int64) ([]store.ZoneAct, error)
	// PINResets gives the newest PIN reset of each card that has one, the newest first.
	PINResets(most int) ([]store.PINReset, error)
}

// reach is how far back the officers' acts are read at the least: no gateway sends records that are older.
const reach = 31 * 86_400_000

// Load makes the places again from the log at start. nowMS is the server's clock, UTC ms.
func (p *Places) Load(past Past, nowMS int64, zone *time.Location) error {
	rows, err := past.Passages(nowMS, zone)
	if err != nil {
		return fmt.Errorf("who is inside: %w", err)
	}
	acts, err := past.ZoneActs(oldest(rows, nowMS-reach))
	if err != nil {
		return fmt.Errorf("who is inside: %w", err)
	}
	resets, err := past.PINResets(access.MaxLifted)
	if err != nil {
		return fmt.Errorf("who is inside: %w", err)
	}
	slices.SortStableFunc(rows, func(a, b attempt.Row) int {
		return cmp.Or(cmp.Compare(a.PassedMS, b.PassedMS), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Last, b.Last))
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loading = true
	for _, r := range resets {
		p.lifted[access.Key(r.Ref)] = r.Number
	}
	for i := range rows {
		r := &rows[i]
		if r.Opening == attempt.NoIndex {
			continue
		}
		o, err := past.Opening(r.Opening)
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) || err == nil && o.Person == "" {
			continue // erased, or nobody
		}
		if err != nil {
			return fmt.Errorf("who is inside: line %d: %w", r.First, err)
		}
		for len(acts) > 0 && acts[0].AtMS <= r.PassedMS {
			p.apply(acts[0])
			acts = acts[1:]
		}
		p.follow(review.Fact{
			AtMS: r.PassedMS, Gateway: access.GatewayID(r.Gateway), Door: access.DoorID(r.Door), Event: door.Event(r.Passage), Attempt: r.ID,
		}, o.Person, 0)
		p.reserve(r, o.Person)
	}
	for _, a := range acts {
		p.apply(a)
	}
	p.loading = false
	p.step(nowMS)
	if err := p.resume(past, rows); err != nil {
		return fmt.Errorf("since when somebody is alone: %w", err)
	}
	p.step(nowMS)
	return p.loadNewest(past)
}

// oldest is the time of the oldest entry that may still hold, or before, if that is earlier.
func oldest(rows []attempt.Row, before int64) int64 {
	for i := range rows {
		if rows[i].Passage == string(door.EventEntry) {
			before = min(before, rows[i].PassedMS)
		}
	}
	return before
}

// reserve keeps the place of somebody who was let in shortly before the restart and of whom nothing was heard yet (AD-10).
// mu is held.
func (p *Places) reserve(r *attempt.Row, person string) {
	site := p.policies.Site()
	if site == nil || r.Passage != "" || r.Outcome != access.Granted.String() || r.Side != access.SideEnter.String() {
		return
	}
	n, known := site.Policy.PersonNo(person)
	if !known {
		return
	}
	q := access.Request{Door: access.DoorID(r.Door), Side: access.SideEnter, WallMS: r.ToMS}
	if e, ok := access.PendingEvent(site.Policy, q, access.Decision{Outcome: access.Granted, Person: n, KnownPerson: true}); ok {
		access.Apply(p.st, e)
		p.remember(r.ID, holder{person, e.WallMS})
	}
}

// loadNewest reads how far each gateway's records reach. A gateway whose newest leaf is no record (a gap)
// is told nothing new before its next record.
func (p *Places) loadNewest(past Past) error {
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	for i := range site.Directory().Gateways {
		gw := site.Directory().Gateways[i].ID
		idx, err := past.LastRecord(string(gw))
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return fmt.Errorf("who is inside: newest record of %s: %w", gw, err)
		}
		leaf, err := past.Leaf(idx)
		if err != nil {
			return fmt.Errorf("who is inside: newest record of %s: %w", gw, err)
		}
		if leaf.Kind != entrylog.KindRecord {
			continue
		}
		r, err := entrylog.ParseRecord(leaf.Body)
		if err != nil {
			return fmt.Errorf("who is inside: leaf %d: %w", idx, err)
		}
		body, err := wire.ParseRecord(r.Body)
		if err != nil {
			return fmt.Errorf("who is inside: leaf %d: %w", idx, err)
		}
		p.newest[gw] = newest{body.Epoch, body.Seq}
	}
	return nil
}
