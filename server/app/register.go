package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/register"
	"monban/server/store"
	"monban/server/web"
)

// RegisterZones implements web.Registers.
func (p *pages) RegisterZones(ctx context.Context) ([]web.ZoneName, error) {
	n, s := p.names(ctx), p.directory()
	parent := map[access.ZoneID]access.ZoneID{}
	for _, z := range s.Zones {
		parent[z.ID] = z.Parent
	}
	reached := map[access.ZoneID]bool{} // by a door of theirs or of a zone in them
	for _, d := range s.Doors {
		for _, z := range []access.ZoneID{d.Enter, d.Exit} {
			for ; z != "" && !reached[z]; z = parent[z] {
				reached[z] = true
			}
		}
	}
	var out []web.ZoneName
	for _, z := range s.Zones {
		if !reached[z.ID] {
			continue // nobody comes in by a door that is watched
		}
		out = append(out, web.ZoneName{ID: z.ID, Name: n.zone(z.ID), Level: z.Level})
	}
	err := p.store.Read(ctx, func(r *store.ReadTx) error { return n.load(r.Reader) })
	return append(out, n.goneZones(p.store.Zone())...), err
}

// ReachOf implements web.Registers.
func (p *pages) ReachOf(ctx context.Context, zones []access.ZoneID) (out web.Reach, err error) {
	s, tree := p.directory(), p.tree()
	n := p.names(ctx)
	if err := p.store.Read(ctx, func(r *store.ReadTx) error { return n.load(r.Reader) }); err != nil {
		return out, err
	}
	for _, z := range n.goneZones(p.store.Zone()) { // who looked after it, or the zone around it, looks after its papers
		was := n.past.tree(n.past.gone(z.ID))
		if slices.ContainsFunc(zones, func(of access.ZoneID) bool { return was.within(z.ID, of) }) {
			out.Zones = append(out.Zones, z.ID)
		}
	}
	for _, z := range s.Zones {
		if slices.ContainsFunc(zones, func(of access.ZoneID) bool { return tree.within(z.ID, of) }) {
			out.Zones = append(out.Zones, z.ID)
		}
	}
	for _, d := range s.Doors {
		if !out.Zone(d.Enter) && !out.Zone(d.Exit) {
			continue
		}
		if out.Doors = append(out.Doors, d.ID); !slices.Contains(out.Gateways, d.Gateway) {
			out.Gateways = append(out.Gateways, d.Gateway)
		}
	}
	for _, g := range out.Gateways {
		if !slices.ContainsFunc(s.Doors, func(d directory.Door) bool { return d.Gateway == g && !out.Door(d.ID) }) {
			out.Whole = append(out.Whole, g)
		}
	}
	return out, nil
}

// zone is a zone's name; its id when the directory does not know it any more.
func (n names) zone(id access.ZoneID) string {
	if z, ok := n.zones[id]; ok && z.Name != "" {
		return z.Name
	}
	return string(id)
}

// Register implements web.Registers.
func (p *pages) Register(ctx context.Context, q web.RegisterQuery) (out web.Register, err error) {
	from, to, err := registerDays(q)
	if err != nil {
		return out, err
	}
	n := p.names(ctx)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		book, err := p.openBook(r.Reader, n, from, to)
		if err != nil {
			return err
		}
		if _, ok := n.zones[q.Zone]; !ok {
			return fmt.Errorf("zone %q: %w", q.Zone, web.ErrNotFound)
		}
		out = web.Register{Zone: web.ZoneName{ID: q.Zone, Name: n.zone(q.Zone)}, UpTo: p.now()}
		lines, err := r.Lines(from.String(), to.String())
		if err != nil {
			return err
		}
		book.add(lines)
		rows, _, err := book.rows(q.Zone)
		if err != nil {
			return err
		}
		for i := range rows {
			out.Rows = append(out.Rows, book.row(&rows[i], q.Names))
		}
		var by *checks
		if q.Checks {
			last := q.To // an exit may lie after the days asked for
			for i := range out.Rows {
				last = max(last, out.Rows[i].ExitDay)
			}
			if by, err = openChecks(r.Reader, q.Zone, q.From, last); err != nil {
				return err
			}
			for i := range rows {
				out.Rows[i].Checked = by.of(&out.Rows[i], rows[i].Person)
			}
		}
		out.Rows = book.withPaper(out.Rows, q.Zone, from, to, q.Names)
		for i := range out.Rows {
			if x := &out.Rows[i]; by != nil && x.Paper != "" {
				x.Checked = by.of(x, "")
			}
		}
		out.Gaps, err = p.gapsOf(r, n, q.Zone, from, to)
		return err
	})
	return out, err
}

func registerDays(q web.RegisterQuery) (from, to directory.Date, err error) {
	if from, err = directory.ParseDate(q.From); err == nil {
		to, err = directory.ParseDate(q.To)
	}
	if err != nil || to.Before(from) || from.AddDays(web.MaxRegisterDays-1).Before(to) {
		return from, to, fmt.Errorf("register of %q to %q: %w", q.From, q.To, web.ErrNotFound)
	}
	return from, to, nil
}

// gapsOf lists when the gateways of a zone's doors were silent: rows of then may still come, or never were made (I10).
func (p *pages) gapsOf(r *store.ReadTx, n names, zone access.ZoneID, from, to directory.Date) (out []web.Gap, err error) {
	if err := n.load(r.Reader); err != nil {
		return nil, err
	}
	mine := map[access.GatewayID]bool{}
	start, end := from.StartMS(p.store.Zone()), to.EndMS(p.store.Zone())
	tree := n.past.tree(end)
	n.past.between(start, end, func(d *directory.Door) {
		if d.Enter == zone || d.Exit == zone || tree.borders(d.Enter, d.Exit, zone) {
			mine[d.Gateway] = true
		}
	})
	gaps, err := r.CoverageOf(start, end)
	for _, g := range gaps {
		if gw := access.GatewayID(g.Gateway); mine[gw] {
			out = append(out, web.Gap{Gateway: gw, From: time.UnixMilli(g.FromMS), To: time.UnixMilli(g.ToMS)})
		}
	}
	for gw := range mine {
		if gap, ok := p.health.silence(gw, p.now()); ok && gap.From.Before(to.AddDays(1).Start(p.store.Zone())) {
			out = append(out, gap)
		}
	}
	slices.SortStableFunc(out, func(a, b web.Gap) int { return a.From.Compare(b.From) })
	return out, err
}

// zoneTree gives each zone's parent.
type zoneTree map[access.ZoneID]access.ZoneID

func (p *pages) tree() zoneTree {
	t := zoneTree{}
	s := p.directory()
	for _, z := range s.Zones {
		t[z.ID] = z.Parent
	}
	return t
}

// within reports whether a zone is, or lies in, another.
func (t zoneTree) within(in, zone access.ZoneID) bool {
	for n := 0; in != "" && n <= access.MaxZoneDepth; n++ {
		if in == zone {
			return true
		}
		in = t[in]
	}
	return false
}

// borders reports whether a door leads into or out of a zone, also by a zone in it: who passes it has a row in the zone's register.
func (t zoneTree) borders(enter, exit, zone access.ZoneID) bool {
	return t.within(enter, zone) != t.within(exit, zone)
}

// Present implements web.Registers.
func (p *pages) Present(ctx context.Context, zone access.ZoneID, at time.Time, show bool) (out web.Register, err error) {
	n := p.names(ctx)
	err = p.eachPresent(ctx, n, zone, at, func(b *book, row *register.Row, left leaving) {
		if left.sure {
			return
		}
		r := b.row(row, show)
		r.LeftAt, r.LeftWithin = moment(left.ms), left.in
		out.Rows = append(out.Rows, r)
	})
	out.Zone, out.UpTo = web.ZoneName{ID: zone, Name: n.zone(zone)}, p.now()
	return out, err
}

// eachPresent calls f for everybody who was in a zone at a moment by what was recorded, with what is said of how they left.
func (p *pages) eachPresent(ctx context.Context, n names, zone access.ZoneID, at time.Time, f func(*book, *register.Row, leaving)) error {
	return p.store.Read(ctx, func(r *store.ReadTx) error {
		day := directory.DateOf(at.In(p.store.Zone()))
		book, err := p.openBook(r.Reader, n, day, day)
		if err != nil {
			return err
		}
		if _, ok := n.zones[zone]; !ok {
			return fmt.Errorf("zone %q: %w", zone, web.ErrNotFound)
		}
		last, err := r.LastPassages(at.UnixMilli())
		if err != nil {
			return err
		}
		book.anyDay = true
		book.add(last)
		for i := range book.visits { // guests without a card are where their carriers took them, also one who has left since
			for _, c := range book.visits[i].Carriers {
				lines, err := r.PassedBefore(string(c.Person), at.UnixMilli()+1, 16)
				if err != nil {
					return err
				}
				book.add(lines)
			}
		}
		rows, err := book.reach(zone)
		if err != nil {
			return err
		}
		inside := register.Present(rows, register.ZoneID(zone), at.UnixMilli())
		if err := book.openFirst(inside); err != nil {
			return err
		}
		who := map[string]bool{}
		for i := range inside {
			who[inside[i].Person] = true
		}
		stays := slices.DeleteFunc(rows, func(r register.Row) bool { return !who[r.Person] || !r.InsideAt(at.UnixMilli()) })
		words, err := book.leavings(stays, at.UnixMilli())
		if err != nil {
			return err
		}
		seen, tree := book.lastSeen(at.UnixMilli()), n.past.tree(day.EndMS(p.store.Zone()))
		for i := range inside {
			f(book, &inside[i], leftBy(&inside[i], words, tree, seen[inside[i].Person]))
		}
		return nil
	})
}

// accountName is the full name of an account; its id when it is not there any more.
func accountName(r store.Reader, id string) string {
	a, err := r.AccountByID(id)
	if err != nil {
		return id
	}
	return a.FullName
}
