package ingest

import (
	"context"
	"fmt"
	"maps"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Preview runs the rules over time over records that are in the log already, with the numbers that count and with others, and writes nothing:
// what would have been found (VR-1). The directory and the zones are those of now. Rules of one event alone, which have no number, and
// silent gateways, of which there is no record, are not in it.
type Preview struct {
	runs   [2]previewRun // with the numbers in force; with the others
	site   *policypub.Current
	fromMS int64
	next   int64 // leaf
	acts   []store.ZoneAct
	began  bool
	ticked int64 // minute
}

// previewRun is one of the two sets of numbers at work.
type previewRun struct {
	p    *Pipeline
	told memoryTold
}

// Previewing is what Preview reads.
type Previewing interface {
	Around
	Acts
	LogSize() (int64, error)
	Leaf(idx int64) (entrylog.Leaf, error)
}

// previewWarm is how long before its time a preview begins to look, so that it knows who is inside and what was counted.
const previewWarm = 2 * day

// previewStep is how many leaves are read at once: a reader that stays for long keeps the store from tidying up.
const previewStep = 2_000

// NewPreview begins a preview of what happened since fromMS, UTC ms. beganMS is when the log began.
func (p *Pipeline) NewPreview(inForce, others review.Settings, fromMS, beganMS int64) *Preview {
	v := &Preview{site: p.policies.Site(), fromMS: fromMS}
	for i, set := range []review.Settings{inForce, others} {
		q := &Pipeline{policies: p.policies, zone: p.zone, seed: p.seed, set: set, watch: review.NewWatch(set, beganMS), actsSeen: -1}
		if v.site != nil {
			q.watch.Areas(areasOf(v.site))
		}
		v.runs[i] = previewRun{p: q, told: memoryTold{more: map[store.More]*store.More{}}}
	}
	return v
}

// Run reads everything that is in the log now, in steps of one read each. progress is told how many leaves of how many are done.
func (v *Preview) Run(ctx context.Context, read func(ctx context.Context, f func(past Previewing) error) error, progress func(done, of int64)) error {
	first, size := int64(0), int64(-1)
	for size < 0 || v.next < size {
		err := read(ctx, func(past Previewing) (err error) {
			if size < 0 {
				if size, err = past.LogSize(); err != nil {
					return err
				}
				if first, err = firstRecord(past, size, v.fromMS-previewWarm); err != nil {
					return err
				}
				v.next = first
				if v.acts, err = past.ZoneActs(v.fromMS - previewWarm); err != nil {
					return err
				}
			}
			return v.step(ctx, past, min(v.next+previewStep, size))
		})
		if err != nil {
			return fmt.Errorf("preview at leaf %d: %w", v.next, err)
		}
		progress(v.next-first, size-first)
	}
	return nil
}

// firstRecord is the first leaf that a search by halves takes for one of a time or later; the log's own times go up, but for corrections of
// the server's clock.
func firstRecord(past Previewing, size, ms int64) (int64, error) {
	lo, hi := int64(0), size
	for lo < hi {
		mid := lo + (hi-lo)/2
		at, next, err := recordAt(past, mid, hi)
		switch {
		case err != nil:
			return 0, err
		case at == 0 || at >= ms:
			hi = mid
		default:
			lo = next + 1
		}
	}
	return lo, nil
}

// recordAt is when the first record in [idx, end) came, 0 = there is none, and which leaf it is.
func recordAt(past Previewing, idx, end int64) (atMS, at int64, err error) {
	for ; idx < end; idx++ {
		leaf, err := past.Leaf(idx)
		if err != nil {
			return 0, 0, err
		}
		if leaf.Kind != entrylog.KindRecord {
			continue
		}
		l, err := entrylog.ParseRecord(leaf.Body)
		return l.AtMS, idx, err
	}
	return 0, end, nil
}

// step reads leaves up to one.
func (v *Preview) step(ctx context.Context, past Previewing, until int64) error {
	for ; v.next < until; v.next++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		leaf, err := past.Leaf(v.next)
		if err != nil {
			return err
		}
		if leaf.Kind != entrylog.KindRecord || v.site == nil {
			continue
		}
		l, err := entrylog.ParseRecord(leaf.Body)
		if err != nil {
			return err
		}
		body, err := wire.ParseRecord(l.Body)
		if err != nil {
			return err
		}
		if err := v.clock(l.AtMS); err != nil {
			return err
		}
		switch body.Event {
		case door.EventDenied, door.EventEntry, door.EventExit, door.EventClosed, door.EventHeldEnd:
		default:
			continue // no rule over time looks at it
		}
		for i := range v.runs {
			if err := v.runs[i].record(past, v.site, &l, &body, v.next); err != nil {
				return err
			}
		}
	}
	return nil
}

// clock lets the rules look at the clock, as they do each minute, and takes the officers' acts until now.
func (v *Preview) clock(nowMS int64) error {
	for len(v.acts) > 0 && v.acts[0].AtMS <= nowMS {
		for i := range v.runs {
			v.runs[i].p.act(v.acts[0], v.acts[0].AtMS)
		}
		v.acts = v.acts[1:]
	}
	if !v.began {
		v.began, v.ticked = true, nowMS/60_000
	}
	for v.ticked < nowMS/60_000 {
		v.ticked++
		for i := range v.runs {
			r := &v.runs[i]
			for _, f := range r.p.watch.Tick(v.ticked*60_000, func(access.ZoneID) bool { return true }) {
				if err := r.p.tell(&r.told, f, v.ticked*60_000); err != nil {
					return err
				}
			}
			if err := r.p.tellCounted(&r.told, v.ticked*60_000); err != nil {
				return err
			}
		}
	}
	return nil
}

// record runs one record through the rules.
func (r *previewRun) record(past Previewing, site *policypub.Current, l *entrylog.Record, body *wire.Record, idx int64) (err error) {
	f := review.Fact{
		AtMS: l.FromMS + (l.ToMS-l.FromMS)/2, WidthMS: l.ToMS - l.FromMS, ReceivedMS: l.AtMS, Late: l.Late, Gateway: body.Gateway, Door: body.Door, Side: body.Side,
		Event: body.Event, Attempt: body.Attempt, By: body.By, Reason: body.Reason, Failed: body.Failed, Detail: body.Detail, Leaf: idx,
	}
	person := ""
	switch body.Event {
	case door.EventDenied:
		if f.Card, err = r.p.cardOf(past, site, body.Gateway, idx); err != nil {
			return err
		}
	case door.EventEntry, door.EventExit:
		if person, err = holderOf(past, body.Attempt); err != nil {
			return err
		}
	}
	r.p.place(&f, site, person)
	if err := r.p.past(past, &f, site, person); err != nil {
		return err
	}
	for _, found := range r.p.watch.Step(f) {
		if err := r.p.tell(&r.told, found, l.AtMS); err != nil {
			return err
		}
	}
	return nil
}

// Previewed is what came of one kind.
type Previewed struct {
	Kind          review.Kind
	Now, Others   int                // findings with the numbers in force, and with the others
	Gone, Further []PreviewedFinding // found with only one of the two; the first mostPreviewed of each
}

// PreviewedFinding is one place and time.
type PreviewedFinding struct {
	AtMS    int64
	Gateway access.GatewayID
	Door    access.DoorID
}

// mostPreviewed is how many findings of a kind are listed.
const mostPreviewed = 20

// Result compares the two, in the order of the catalogue; kinds of which neither found any are left out.
func (v *Preview) Result() (out []Previewed) {
	type same struct {
		PreviewedFinding
		detail string
	}
	of := func(r *previewRun, kind string) (n int, all map[same]int) {
		all = map[same]int{}
		for i := range r.told.list {
			if f := &r.told.list[i]; f.Kind == kind && f.AtMS >= v.fromMS {
				n++
				all[same{PreviewedFinding{f.AtMS, access.GatewayID(f.Gateway), access.DoorID(f.Door)}, f.Detail}]++
			}
		}
		return n, all
	}
	only := func(a, b map[same]int) (list []PreviewedFinding) {
		for x := range maps.Keys(a) {
			if b[x] == 0 {
				list = append(list, x.PreviewedFinding)
			}
		}
		return firstOf(list)
	}
	for _, e := range review.Catalogue() {
		now, a := of(&v.runs[0], string(e.Kind))
		others, b := of(&v.runs[1], string(e.Kind))
		if now+others > 0 {
			out = append(out, Previewed{e.Kind, now, others, only(a, b), only(b, a)})
		}
	}
	return out
}
