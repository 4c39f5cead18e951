package app

import (
	"context"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/register"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// insideStale is how long after closing time nobody needs to be told any more who was inside then.
const insideStale = 3 * time.Hour

// insideTeller tells, when the office closes, by each zone's route how many are still inside by the log: who forgot to badge out is asked the same day, and not
// found by the next (RR-6). It says a number and no name; who is present stands on its page. Only who went in by a door that reads exits counts. Who is in a zone is in those around it too, and counts only for the innermost.
type insideTeller struct {
	pages  *pages
	alerts *notify.Notifier
}

// tell is the job.
func (p *insideTeller) tell(ctx context.Context, due time.Time) (note string, err error) {
	now := p.pages.now()
	if now.Sub(due) > insideStale {
		return "too late", nil
	}
	zones, err := p.pages.RegisterZones(ctx)
	if err != nil {
		return "", err
	}
	count, err := p.count(ctx, zones, now)
	if err != nil {
		return "", fmt.Errorf("who is inside: %w", err)
	}
	var list []*notify.Notice
	for _, z := range zones {
		n := count[z.ID]
		if n == 0 {
			continue
		}
		list = append(list, &notify.Notice{
			What: route.WhatInside, Severity: review.Medium, Zone: string(z.ID), Count: n, Path: "/present",
			Key: fmt.Sprintf("inside.%s.%s", due.In(p.pages.store.Zone()).Format(time.DateOnly), p.alerts.Code("zone", string(z.ID))),
		})
	}
	if len(list) == 0 {
		return "nobody", nil
	}
	err = p.pages.store.Write(ctx, func(tx *store.Tx) error {
		for _, n := range list {
			if err := p.alerts.Tell(tx, n); err != nil {
				return err
			}
		}
		return nil
	})
	return fmt.Sprintf("zones: %d", len(list)), err
}

// count is how many are inside by the log, each in the innermost zone that has them.
func (p *insideTeller) count(ctx context.Context, zones []web.ZoneName, at time.Time) (map[access.ZoneID]int, error) {
	type entry struct{ person, attempt string }
	left, in := map[entry]bool{}, map[access.ZoneID][]entry{}
	n := p.pages.names(ctx)
	for _, z := range zones {
		err := p.pages.eachPresent(ctx, n, z.ID, at, func(b *book, row *register.Row, said leaving) {
			if row.Entry == nil || !readsExit(b.site)(access.DoorID(row.Entry.Door)) {
				return // out by a button or handle, which reads nobody's exit: nobody could put it right, and it would be told each evening
			}
			e := entry{row.Person, row.First().ID}
			in[z.ID] = append(in[z.ID], e)
			if said.sure {
				left[e] = true // stated of one zone, and true of each that they entered by the same passage
			}
		})
		if err != nil {
			return nil, err
		}
	}
	tree, inner := n.past.tree(at.UnixMilli()), map[string]access.ZoneID{}
	for _, z := range zones {
		for _, e := range in[z.ID] {
			if was, there := inner[e.person]; !left[e] && (!there || tree.within(z.ID, was)) {
				inner[e.person] = z.ID
			}
		}
	}
	count := map[access.ZoneID]int{}
	for _, z := range inner {
		count[z]++
	}
	return count, nil
}
