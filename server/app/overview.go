package app

import (
	"cmp"
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/web"
)

const (
	recentEvents = 20  // of the live page
	recentLeaves = 200 // how far back it looks for them
	openFindings = 10
)

// Overview implements web.Overviews.
func (p *pages) Overview(ctx context.Context, in web.Reach, show bool) (web.Overview, error) {
	out := web.Overview{UpTo: p.now(), InDoubt: errors.Is(p.store.SignErr(), store.ErrHead)}
	gateways, err := p.ListGateways(ctx)
	if err != nil {
		return out, err
	}
	out.Gateways = gateways
	for _, g := range gateways {
		out.Doors = append(out.Doors, g.Doors...)
	}
	n := p.names(ctx)
	var inside map[access.ZoneID]authority.Occupancy
	if p.occupied != nil {
		inside = p.occupied()
	}
	for _, z := range p.directory().Zones {
		room := web.PlanRoom{ID: z.ID, Name: cmp.Or(n.zones[z.ID].Name, string(z.ID)), Parent: z.Parent}
		if o, some := inside[z.ID]; some && in.Zone(z.ID) { // how many are in a zone is told to those who see it (RA-1)
			room.People, room.Since = o.People, moment(o.SinceMS)
		}
		out.Rooms = append(out.Rooms, room)
	}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		out.Size = uint64(size)
		leaves, err := r.Leaves(max(0, size-recentLeaves), recentLeaves)
		if err != nil {
			return err
		}
		told := map[string]bool{}
		for i := len(leaves) - 1; i >= 0 && len(out.Recent) < recentEvents; i-- {
			e, ok := p.event(leaves[i].Idx, leaves[i].Leaf, n)
			if !ok || e.Door != "" && !in.Door(e.Door) || e.Door == "" && !in.Gateway(e.Gateway) {
				continue
			}
			if e.Attempt != "" && (e.Event == door.EventGranted || e.Event == door.EventDenied) {
				// The server's decision and the gateway's record of it are one event: the later leaf tells it.
				if told[e.Attempt] {
					continue
				}
				told[e.Attempt] = true
			}
			if e.Attempt != "" {
				if row, err := r.AttemptRow(attemptID(e.Attempt)); err == nil {
					e.Who = p.who(r.Reader, row.Opening, row.PersonRef, show)
				}
			}
			out.Recent = append(out.Recent, e)
		}
		rows, total, err := r.FindingsIn(within(in), false, false, 0, openFindings)
		out.OpenAll = total
		for _, f := range rows {
			out.Open = append(out.Open, p.finding(r.Reader, f, n, show))
		}
		return err
	})
	return out, err
}

// certificateDue is the part of its life that a gateway's certificate may have left: renewed from half of it on,
// it never gets so far while renewal works.
const certificateDue = 3

// ListGateways implements web.Machines: every gateway of the directory, heard or not.
func (p *pages) ListGateways(ctx context.Context) ([]web.Gateway, error) {
	now := p.now()
	s := p.directory()
	n := p.names(ctx)
	var out []web.Gateway
	ends := p.certificates()
	for _, g := range s.Gateways {
		b, heard := p.health.last(g.ID)
		w := web.Gateway{ID: g.ID, Name: g.Name, InForce: p.versions(g.ID), Software: b.software}
		if end, ok := ends[string(g.ID)]; ok {
			w.CertificateEnds, w.CertificateDue = end, end.Sub(now) < p.validity/certificateDue
		}
		if heard {
			w.Mains, w.Battery = b.Power.Mains, b.Power.Battery
			w.Linked, w.LastSeen, w.Pending = b.linked(now), b.at, b.Pending
			w.Boot, w.Held = b.bootAt, web.Versions{Rules: b.Rules, Modes: b.Modes, State: b.State}
			w.Clock, w.OffsetMS = b.Stamp.Quality, b.Stamp.OffsetMS
		}
		for _, d := range s.Doors {
			if d.Gateway == g.ID {
				w.Doors = append(w.Doors, doorState(d, b, heard, now, n))
			}
		}
		out = append(out, w)
	}
	return out, nil
}

func doorState(d directory.Door, b beat, heard bool, now time.Time, n names) web.DoorState {
	w := web.DoorState{Door: d.ID, Name: n.door(d.ID), Zone: d.Enter, Gateway: d.Gateway, Kind: d.Kind, Mode: d.Mode}
	w.ZoneName = string(d.Enter)
	if z, ok := n.zones[d.Enter]; ok && z.Name != "" {
		w.ZoneName = z.Name
	}
	if !heard {
		return w
	}
	w.Linked, w.Since = b.linked(now), b.at
	for _, s := range b.Doors {
		if s.Door != d.ID {
			continue
		}
		state, err := door.ParseStateName(s.State)
		w.Known, w.State = err == nil, state
		w.Contact, w.Reader, w.Mode = s.Contact, s.Reader, access.DoorMode(s.Mode)
	}
	return w
}
