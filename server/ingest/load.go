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

// Loading is what Load reads.
type Loading interface {
	Around
	Acts
	LogSize() (int64, error)
	Leaf(idx int64) (entrylog.Leaf, error)
	LastPassages(atMS int64) ([]attempt.Row, error)
	AllAwaited() ([]store.Awaited, error)
}

// Bounds of what is read at start, so that it does not grow with the log.
const (
	replayMost = 20_000 // leaves
	walkStep   = 64     // passages of one person that are read at once to find the beginning of a stay
	walkSteps  = 128    // how often: 200 a day for 31 days, then the stay begins with the oldest that was read
)

// Load makes the watch again from the log at start: who is inside, what was counted within the last windows, which doors stood
// open, and what waits for a gateway or an escort. nowMS is the server's clock, UTC ms; beganMS is when the log began.
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
	awaited, err := past.AllAwaited()
	if err != nil {
		return err
	}
	p.await(awaited, nowMS)
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
			if since, err = p.began(past, site, person, f, nowMS); err != nil {
				return err
			}
		}
	}
	p.watch.Resume(f, since)
	return nil
}

// began finds the passage from outside every zone with which the stay began that a person's passage f goes on with: in steps, for
// somebody may go between inner doors all day.
func (p *Pipeline) began(past Loading, site *policypub.Current, person string, f review.Fact, nowMS int64) (review.Fact, error) {
	since := f
	for range walkSteps {
		before, err := past.PassedBefore(person, since.AtMS, walkStep)
		if err != nil {
			return since, err
		}
		before = before[max(0, len(before)-walkStep):] // of each fiscal year there may be as many: those between are not read
		for i := range slices.Backward(before) {
			if ledInto(site, &before[i]) == "" {
				return since, nil
			}
			since = factOf(&before[i], nowMS)
			if p.place(&since, site, person); since.From == "" {
				return since, nil
			}
		}
		if len(before) < walkStep {
			break
		}
	}
	return since, nil
}

// replay runs the facts that still count through the watch again.
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
		if l.AtMS < nowMS-p.set.Memory() {
			break
		}
		body, err := wire.ParseRecord(l.Body)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", idx, err)
		}
		switch body.Event {
		case door.EventDenied:
			if l.AtMS < nowMS-2*p.set.WindowMS {
				continue // counted no more, and its card costs an opening
			}
		case door.EventEntry, door.EventExit, door.EventClosed, door.EventHeldEnd:
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

// factOf is a line's passage as a fact.
func factOf(r *attempt.Row, nowMS int64) review.Fact {
	return review.Fact{
		AtMS: r.PassedMS, ReceivedMS: nowMS, WidthMS: r.ToMS - r.FromMS, Gateway: access.GatewayID(r.Gateway), Door: access.DoorID(r.Door), Event: door.Event(r.Passage),
		Attempt: r.ID, Leaf: r.First,
	}
}
