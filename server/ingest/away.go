package ingest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Bounds of what waits for a gateway that is away.
const (
	maxWaiting = 10_000 // exits; what is beyond is not judged
	settleMost = 200    // exits that are read again in one tick, whose transaction records wait for
	// awayMost is how long a gateway that is silent holds back what it could know better, ms. One that is dead and still in the
	// directory would hide who stays too long or is alone in its zones without end. What it brings after that is judged
	// as late records are; what was told meanwhile stands, for a person to look at.
	awayMost = day
)

// waiting is an exit of which the entry may still come by another gateway.
type waiting struct {
	id      door.Attempt
	zone    access.ZoneID    // that is left
	gateway access.GatewayID // that told of the exit
}

// Awaits keeps what waits, so that a restart does not forget it.
type Awaits interface {
	PutAwaited(a store.Awaited) error
	DropAwaited(kind string, id [16]byte) error
}

// step runs the rules over time over a fact.
func (p *Pipeline) step(tx Tx, f review.Fact) (found []review.Finding, err error) {
	if f.Unsettled && f.Passed() && len(p.waiting) < maxWaiting {
		err := tx.PutAwaited(store.Awaited{
			Attempt: f.Attempt, Kind: string(review.ExitWithoutEntry), Gateway: string(f.Gateway), Door: string(f.Door), Zone: string(f.From), AtMS: f.AtMS, Leaf: f.Leaf,
		})
		if err != nil {
			return nil, err
		}
		tx.AfterCommit(func() { p.waiting = append(p.waiting, waiting{f.Attempt, f.From, f.Gateway}) })
	}
	if !f.Outsider && !f.Escort {
		return p.watch.Step(f), nil
	}
	return found, p.keeping(tx, func() { found = p.watch.Step(f) })
}

// keeping writes down which entries begin to wait for an escort while f runs, and which do not wait any more.
func (p *Pipeline) keeping(tx Awaits, f func()) error {
	before := p.watch.Unescorted()
	f()
	after := p.watch.Unescorted()
	in := func(list []review.Finding, x *review.Finding) bool {
		return slices.ContainsFunc(list, func(o review.Finding) bool { return o.Attempt == x.Attempt })
	}
	for i := range before {
		if x := &before[i]; !in(after, x) {
			if err := tx.DropAwaited(string(x.Kind), x.Attempt); err != nil {
				return err
			}
		}
	}
	for i := range after {
		x := &after[i]
		if in(before, x) {
			continue
		}
		err := tx.PutAwaited(store.Awaited{
			Attempt: x.Attempt, Kind: string(x.Kind), Gateway: string(x.Gateway), Door: string(x.Door), Zone: x.Detail, AtMS: x.AtMS, Leaf: x.Cause,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// await takes up again what waited before the start.
func (p *Pipeline) await(list []store.Awaited, nowMS int64) {
	for i := range list {
		switch a := &list[i]; review.Kind(a.Kind) {
		case review.ExitWithoutEntry:
			p.waiting = append(p.waiting, waiting{a.Attempt, access.ZoneID(a.Zone), access.GatewayID(a.Gateway)})
		case review.UnescortedVisitor:
			x := review.New(review.UnescortedVisitor, a.Leaf)
			x.AtMS, x.Gateway, x.Door, x.Attempt = a.AtMS, access.GatewayID(a.Gateway), access.DoorID(a.Door), a.Attempt
			x.Detail, x.Once = a.Zone, review.OncePerAttempt
			p.watch.ResumeUnescorted(nowMS, x)
		default: // nothing else waits
		}
	}
}

// SilenceSetting is where it is stored for how long a gateway has been silent while a server listened, ms: a restart goes on from there.
const SilenceSetting = "silence:" // followed by its id

// keepSilence is by how much a silence must have grown to be stored again, ms: so much of it a restart may forget.
const keepSilence = 10 * 60_000

// Remembering is what listen reads and writes.
type Remembering interface {
	Setting(key string) (string, error)
	SetSetting(key, value string) error
	AfterCommit(f func())
}

// listen notes since when each gateway is silent. It is what ticks have seen, not what the log says: nothing counts while no server
// listens, and a transaction that is rolled back takes nothing of it back.
func (p *Pipeline) listen(tx Remembering, site *policypub.Current, nowMS int64) error {
	if p.silent == nil {
		return nil
	}
	since := make(map[access.GatewayID]int64, len(p.silentMS))
	var met []access.GatewayID
	for i := range site.Directory().Gateways {
		gw := site.Directory().Gateways[i].ID
		kept, read := p.kept[gw]
		if !read {
			var err error
			if kept, err = keptSilence(tx, gw); err != nil {
				return err
			}
			p.kept[gw] = kept
		}
		var is silence
		quiet, on, back := p.silent(gw), p.linked != nil && p.linked(gw), p.comesBack(gw)
		if on || !quiet {
			met = append(met, gw)
		}
		if quiet {
			was, known := p.silentMS[gw]
			switch {
			case back:
				was = nowMS
			case !known:
				was = nowMS - kept.ms
			}
			since[gw], is.ms = was, min(nowMS-was, awayMost) // longer makes no difference
			is.linked = on && is.ms >= keepSilence
		}
		if is == kept || is.linked == kept.linked && is.ms != 0 && is.ms != awayMost && is.ms < kept.ms+keepSilence {
			continue
		}
		if err := tx.SetSetting(SilenceSetting+string(gw), is.text()); err != nil {
			return err
		}
		tx.AfterCommit(func() { p.kept[gw] = is })
	}
	for _, gw := range met {
		p.met[gw] = true
	}
	p.silentMS = since
	return nil
}

// silence is how long a gateway has been silent, as it is stored.
type silence struct {
	ms     int64
	linked bool // it was linked, and held records back
}

func (s silence) text() string {
	text := strconv.FormatInt(s.ms, 10)
	if s.linked {
		text += linkedWord
	}
	return text
}

const linkedWord = " linked"

// keptSilence is what was stored last.
func keptSilence(tx Remembering, gw access.GatewayID) (s silence, err error) {
	text, err := tx.Setting(SilenceSetting + string(gw))
	if isNotFound(err) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	text, s.linked = strings.CutSuffix(text, linkedWord)
	if s.ms, err = strconv.ParseInt(text, 10, 64); err != nil {
		return s, fmt.Errorf("setting %s%s is not a time: %w", SilenceSetting, gw, err)
	}
	return s, nil
}

// comesBack reports whether a gateway has linked for the first time since the start, and had no link when its silence was stored: what it has kept while
// no server listened is on its way, so it is waited for anew. One that was linked then and holds its records back is not.
func (p *Pipeline) comesBack(gw access.GatewayID) bool {
	return p.linked != nil && !p.met[gw] && !p.kept[gw].linked && p.linked(gw)
}

// away reports whether a gateway of the zone, other than the one that tells, is silent and not for too long: records of it may be
// on their way.
func (p *Pipeline) away(site *policypub.Current, zone access.ZoneID, tells access.GatewayID, nowMS int64) bool {
	if p.silent == nil || zone == "" {
		return false
	}
	asked := map[access.GatewayID]bool{tells: true}
	for i := range site.Directory().Doors {
		d := &site.Directory().Doors[i]
		if asked[d.Gateway] || !site.Policy.Within(d.Enter, zone) && !site.Policy.Within(d.Exit, zone) {
			continue
		}
		asked[d.Gateway] = true
		if since, known := p.silentMS[d.Gateway]; p.silent(d.Gateway) && (!known || nowMS-since < awayMost || p.comesBack(d.Gateway)) {
			return true
		}
	}
	return false
}

// awayIn is away, asked once for each zone and gateway: for as long as a tick.
func (p *Pipeline) awayIn(site *policypub.Current, nowMS int64) func(access.ZoneID, access.GatewayID) bool {
	type place struct {
		zone access.ZoneID
		gw   access.GatewayID
	}
	said := map[place]bool{}
	return func(zone access.ZoneID, tells access.GatewayID) bool {
		at := place{zone, tells}
		away, known := said[at]
		if !known {
			away = p.away(site, zone, tells, nowMS)
			said[at] = away
		}
		return away
	}
}

// settle judges the exits that no gateway is awaited for any more, the oldest first. Those that go on waiting cost no reading.
func (p *Pipeline) settle(tx Tx, site *policypub.Current, away func(access.ZoneID, access.GatewayID) bool, nowMS int64) ([]review.Finding, error) {
	before := p.waiting
	tx.AfterRollback(func() { p.waiting = before })
	var left []waiting
	var found []review.Finding
	read := 0
	for _, w := range before {
		if read == settleMost || away(w.zone, w.gateway) {
			left = append(left, w)
			continue
		}
		read++
		f, ok, err := p.again(tx, site, w.id, nowMS)
		if err != nil {
			return nil, err
		}
		if err := tx.DropAwaited(string(review.ExitWithoutEntry), w.id); err != nil {
			return nil, err
		}
		if ok {
			found = append(found, p.watch.Settled(f)...)
		}
	}
	p.waiting = left
	return found, nil
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
