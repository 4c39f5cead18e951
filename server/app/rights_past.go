package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// RightsAsOf implements web.Rights: it reads every act on grants and groups since the first leaf (RR-8).
func (p *rightsPages) RightsAsOf(ctx context.Context, zone access.ZoneID, day calendar.Date) (out web.RightsInventory, err error) {
	last := directory.Date(day)
	end := day.AddDays(1).Start(p.pages.store.Zone()).UnixMilli()
	past, all := directory.NewPast(), directory.NewPast()
	var dir directory.Snapshot
	err = p.pages.store.Read(ctx, func(r *store.ReadTx) error {
		if dir, err = r.Directory(); err != nil {
			return err
		}
		return eachDeed(ctx, r.Reader, func(d directory.Deed) {
			all.Add(d)
			if d.AtMS < end {
				past.Add(d)
			}
		})
	})
	if err != nil {
		return out, err
	}
	a, err := p.askers(ctx)
	if err != nil {
		return out, err
	}
	out.Unread, out.Differs = past.Unread, all.Differs(&dir)
	t, who := p.teller(ctx, &dir), map[directory.PersonID]*directory.Person{}
	for i := range dir.People {
		who[dir.People[i].ID] = &dir.People[i]
	}
	for _, r := range past.Rights() {
		g := &r.Grant
		if zone != "" && g.Zone != zone || g.ValidUntil.Before(last) {
			continue
		}
		h := web.HeldRight{
			Person: string(r.Person), Grant: string(g.ID), Zone: g.Zone, ZoneName: t.zone(g.Zone), Schedule: cmp.Or(t.schedules[g.Schedule], string(g.Schedule)),
			From: g.ValidFrom.String(), Until: g.ValidUntil.String(), State: "now", Basis: g.Basis,
		}
		if x := who[r.Person]; x != nil {
			h.Name, h.Section, h.Category = x.Name, sectionOf(x), string(x.Category)
		}
		given := r.Given
		if r.Group != nil {
			h.Group = cmp.Or(t.groups[g.Group], string(g.Group))
			if r.Joined.Leaf > given.Leaf {
				given, h.Given.Joined = r.Joined, true
			}
		}
		switch {
		case r.Inactive:
			h.State = "inactive"
		case g.Suspended:
			h.State = "suspended"
		case !g.ValidFrom.IsZero() && last.Before(g.ValidFrom):
			h.State = "later"
		}
		h.Given.Leaf, h.Given.Asked, h.Given.At, h.Given.Proposal, h.Given.Reason = given.Leaf, given.Asked, moment(given.AtMS), given.Proposal, given.Reason
		h.Given.By, h.Given.Proposer = cmp.Or(a.names[given.Account], given.Account), cmp.Or(a.names[given.Proposer], given.Proposer)
		out.Rights = append(out.Rights, h)
	}
	return out, nil
}

// eachDeed gives every act on the directory that a Past folds, oldest first.
func eachDeed(ctx context.Context, r store.Reader, f func(directory.Deed)) error {
	p := directory.NewPast()
	return eachAction(ctx, r, func(leaf int64, act *entrylog.Action) error {
		if !p.Concerns(act.Target) || act.Result != "ok" {
			return nil
		}
		d := directory.Deed{Leaf: leaf, AtMS: act.AtMS, Account: act.Account, Verb: act.Verb, Noun: act.Target, ID: act.ID}
		o, err := r.Opening(leaf) // of an action: no request is about one (PR-3)
		switch {
		case errors.Is(err, store.ErrErased), errors.Is(err, store.ErrNotFound): // told by an empty text
		case err != nil:
			return err
		default:
			d.ID, d.Text = cmp.Or(d.ID, o.Target), o.Text
		}
		f(d)
		return nil
	})
}

// eachAction gives every action leaf, oldest first.
func eachAction(ctx context.Context, r store.Reader, f func(leaf int64, act *entrylog.Action) error) error {
	const page = 1000
	for from := int64(0); ; {
		leaves, err := r.ActionLeaves(from, page)
		if err != nil {
			return err
		}
		for _, l := range leaves {
			from = l.Idx + 1
			act, err := entrylog.ParseAction(l.Body)
			if err != nil {
				return fmt.Errorf("leaf %d: %w", l.Idx, err)
			}
			if err := f(l.Idx, &act); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(leaves) < page {
			return nil
		}
	}
}
