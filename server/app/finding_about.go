package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// about fills in what a finding is about that its place and entry do not say: the zone or door that its detail names, and the matter whose
// first leaf is its cause. Whom and what the matter is about is read only with names.
func (p *pages) about(r store.Reader, f *attempt.Finding, n names, show bool, out *web.Finding) {
	d := review.Kind(f.Kind).Read(f.Detail)
	out.Count = max(1, d.More)
	out.Zone = d.Zone
	if d.Door != "" {
		out.OtherName = n.door(d.Door)
	}
	if f.Door == "" && f.Gateway == "" && f.Attempt == [16]byte{} && f.Cause > 0 {
		switch m, err := r.MatterBegunBy(f.Cause); {
		case err == nil:
			out.Matter, out.Zone = m.ID, cmp.Or(out.Zone, access.ZoneID(m.Zone))
			if show {
				p.subject(r, &m, &d, out)
			}
		case !errors.Is(err, store.ErrNotFound): // it stands as any other without it
			p.log.LogAttrs(context.Background(), slog.LevelError, "matter of a finding cannot be read", slog.Int64("finding", f.Idx), slog.Any("err", err))
		}
	}
	if out.Zone != "" {
		out.ZoneName = cmp.Or(n.zones[out.Zone].Name, string(out.Zone))
	}
}

// subject is whom a matter is about, and what was lent to them. Of one that was erased, or whose use is stopped, nothing is said.
func (p *pages) subject(r store.Reader, m *store.Matter, d *review.Detail, out *web.Finding) {
	if !visit.Knows(m.Kind) {
		return // of another package
	}
	if _, err := usable(r, m.Idx); err != nil {
		if !nobodyReads(err) {
			p.log.LogAttrs(context.Background(), slog.LevelError, "matter cannot be read", slog.String("matter", m.ID), slog.Any("err", err))
		}
		return
	}
	text, err := r.MatterText(m.Idx)
	if err != nil {
		return
	}
	x, err := visit.Decode(m.Kind, text.Doc)
	if err != nil {
		p.log.LogAttrs(context.Background(), slog.LevelError, "matter cannot be read", slog.String("matter", m.ID), slog.Any("err", err))
		return
	}
	switch x := x.(type) {
	case *visit.Visit:
		if d.Form == review.GuestNumber && d.N >= 1 && d.N <= len(x.Guests) {
			g := &x.Guests[d.N-1]
			out.About, out.Who = g.Label, web.Who{Ref: m.ID, Name: g.Name, Section: g.Company}
		}
		for i := range x.Guests {
			if g := &x.Guests[i]; d.Form == review.BadgeID && g.Badge == d.Word {
				out.About, out.Who = g.Label, web.Who{Ref: m.ID, Name: g.Name, Section: g.Company}
			}
		}
	case *visit.TemporaryCard:
		out.About, out.Who = x.Label, p.holder(m, x.Person)
	case *visit.KeyLoan:
		out.About, out.Who = x.Label, p.holder(m, x.Person)
	case *visit.Suspension:
		out.Who = p.holder(m, x.Person)
	}
}

func (p *pages) holder(m *store.Matter, id directory.PersonID) web.Who {
	dir := p.directory()
	for i := range dir.People {
		if x := &dir.People[i]; x.ID == id {
			return web.Who{Ref: m.ID, Name: x.Name, Section: x.Section}
		}
	}
	return web.Who{Ref: m.ID, Name: string(id)}
}
