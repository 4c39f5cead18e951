package ingest

import (
	"fmt"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
)

// Configure sets the thresholds of the rules over time and how to ask whether a gateway is silent now, or has records that are
// not here yet. Call it before the first Handle.
func (p *Pipeline) Configure(set review.Settings, silent func(access.GatewayID) bool) {
	p.set, p.silent = set, silent
}

// Links sets how to ask whether a gateway is linked now, also when records of it are still on their way. Call it before the first Handle.
func (p *Pipeline) Links(linked func(access.GatewayID) bool) { p.linked = linked }

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
	f.Unsettled = f.Event == door.EventExit && b.p.away(b.site, f.From, f.Gateway, b.nowMS)
	return nil
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
	SetSetting(key, value string) error
}, nowMS int64) error {
	site := p.policies.Site()
	if site == nil {
		return nil
	}
	p.drive(tx, nowMS)
	if err := p.takeActs(tx, tx.AfterRollback, nowMS); err != nil {
		return err
	}
	if err := p.listen(tx, site, nowMS); err != nil {
		return err
	}
	away := p.awayIn(site, nowMS)
	var found []review.Finding
	if err := p.keeping(tx, func() { found = p.watch.Tick(nowMS, func(z access.ZoneID) bool { return !away(z, "") }) }); err != nil {
		return err
	}
	settled, err := p.settle(tx, site, away, nowMS)
	if err != nil {
		return err
	}
	found = append(found, settled...)
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
