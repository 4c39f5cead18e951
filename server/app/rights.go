package app

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/web"
)

// rightsPages implements web.Rights over the directory in force and its service.
type rightsPages struct {
	*peoplePages
}

// FindGrants implements web.Rights. Rights of running visits are not among them: they end by themselves and are nobody's to change here.
func (p *rightsPages) FindGrants(ctx context.Context, q web.GrantQuery, see func(access.ZoneID) bool) (out web.GrantsFound, err error) {
	s, n := p.pages.directory(), p.pages.names(ctx)
	for i := range s.Zones {
		if z := n.zones[s.Zones[i].ID]; see != nil && see(z.ID) {
			out.Zones = append(out.Zones, web.ZoneLevel{ID: z.ID, Name: cmp.Or(z.Name, string(z.ID)), Level: z.Level})
		}
	}
	if out.Schedules, err = p.RegistrySchedules(ctx); err != nil {
		return out, err
	}
	if out.Groups, err = p.RegistryGroups(ctx); err != nil {
		return out, err
	}
	t := p.teller(ctx, &s)
	lines := map[string][]web.GrantLine{} // by kind and id of the holder
	for i := range s.Grants {
		g := &s.Grants[i]
		if g.Exact != (directory.Span{}) || see == nil || !see(g.Zone) {
			continue
		}
		l := p.grantLine(g, t)
		if q.Zone != "" && g.Zone != q.Zone || q.Schedule != "" && string(g.Schedule) != q.Schedule || q.State != "" && l.State != q.State && !(q.State == "over" && l.State == "suspended") {
			continue
		}
		if q.Within > 0 && (l.State == "over" || p.registry.Today().AddDays(q.Within).Before(g.ValidUntil)) {
			continue
		}
		lines[holderKey(g)] = append(lines[holderKey(g)], l)
	}
	key := directory.FoldName(q.Text)
	for i := range s.Groups {
		g := &s.Groups[i]
		if list := lines["g "+string(g.ID)]; list != nil && (q.Text == "" || strings.Contains(directory.FoldName(g.Name+"\n"+g.NameEN), key)) {
			p.hold(&out, q, web.GrantHolder{ID: string(g.ID), Name: t.groups[g.ID], Section: g.Section, Group: true, Members: len(g.Members), Grants: list})
		}
	}
	for i := range s.People {
		x := &s.People[i]
		if list := lines["p "+string(x.ID)]; list != nil && (q.Text == "" || x.Matches(q.Text)) {
			p.hold(&out, q, web.GrantHolder{ID: string(x.ID), Name: x.Name, Section: sectionOf(x), Grants: list})
		}
	}
	return out, nil
}

func holderKey(g *directory.Grant) string {
	if g.Group != "" {
		return "g " + string(g.Group)
	}
	return "p " + string(g.Person)
}

// hold counts a holder, and puts the ones of the page into it.
func (p *rightsPages) hold(out *web.GrantsFound, q web.GrantQuery, x web.GrantHolder) {
	if out.Total >= q.Skip && (q.Limit == 0 || len(out.Holders) < q.Limit) {
		out.Holders = append(out.Holders, x)
	}
	out.Total++
}

func (p *rightsPages) grantLine(g *directory.Grant, t *teller) web.GrantLine {
	today := p.registry.Today()
	l := web.GrantLine{RegGrant: grantToWeb(g), Holder: t.people[g.Person], ZoneName: t.zone(g.Zone), Level: t.names.zones[g.Zone].Level,
		ScheduleName: cmp.Or(t.schedules[g.Schedule], string(g.Schedule)), State: "now"}
	if g.Group != "" {
		l.Holder = cmp.Or(t.groups[g.Group], string(g.Group))
	}
	switch {
	case g.Suspended:
		l.State = "suspended"
	case g.ValidUntil.Before(today):
		l.State = "over"
	case !g.ValidFrom.IsZero() && today.Before(g.ValidFrom):
		l.State = "later"
	}
	return l
}

func grantToWeb(g *directory.Grant) web.RegGrant {
	return web.RegGrant{ID: string(g.ID), Person: string(g.Person), Group: string(g.Group), Zone: string(g.Zone), Schedule: string(g.Schedule),
		ValidFrom: g.ValidFrom.String(), ValidUntil: g.ValidUntil.String(), Suspended: g.Suspended, Basis: g.Basis}
}

// GrantByID implements web.Rights.
func (p *rightsPages) GrantByID(ctx context.Context, id string) (web.GrantLine, error) {
	s, err := p.registry.Directory(ctx) // as stored: what a visit gives is not changed here
	if err != nil {
		return web.GrantLine{}, err
	}
	i := slices.IndexFunc(s.Grants, func(g directory.Grant) bool { return string(g.ID) == id })
	if i < 0 {
		return web.GrantLine{}, web.ErrNotFound
	}
	return p.grantLine(&s.Grants[i], p.teller(ctx, &s)), nil
}

// SaveGrant implements web.Rights.
func (p *rightsPages) SaveGrant(ctx context.Context, in web.RegGrant, try bool, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	g := directory.Grant{ID: directory.GrantID(in.ID), Person: directory.PersonID(in.Person), Group: directory.GroupID(in.Group), Zone: access.ZoneID(in.Zone),
		Schedule: directory.ScheduleID(in.Schedule), Basis: in.Basis}
	bad := append(dayInto("valid_from", in.ValidFrom, &g.ValidFrom), dayInto("valid_until", in.ValidUntil, &g.ValidUntil)...)
	if directory.MyNumber(in.Basis) {
		bad = append(bad, web.FieldFault{Field: "basis", Word: "my_number"})
	}
	if len(bad) > 0 {
		return web.Effect{}, bad
	}
	var over []string
	e, err := p.edit(ctx, act, try, func(s *directory.Snapshot) error {
		if bad := grantFault(s, &g); bad != nil {
			return bad
		}
		x := g
		if in.ID != "" {
			at := slices.IndexFunc(s.Grants, func(y directory.Grant) bool { return y.ID == g.ID })
			if at < 0 {
				return web.ErrNotFound
			}
			old := s.Grants[at] // who and where stay; a review's word stays too
			x.Person, x.Group, x.Zone, x.Suspended = old.Person, old.Group, old.Zone, old.Suspended
		}
		if err := s.PutGrant(p.registry.Today(), x); err != nil {
			return err
		}
		put := &s.Grants[len(s.Grants)-1]
		if fault := contractFault(s, put); fault != nil {
			return fault
		}
		over = overlapping(s, put)
		return nil
	})
	if err == nil {
		e.Overlaps = over
	}
	return e, err
}

// grantFault says which field names something that is not there.
func grantFault(s *directory.Snapshot, g *directory.Grant) error {
	switch {
	case g.Person != "" && !slices.ContainsFunc(s.People, func(x directory.Person) bool { return x.ID == g.Person }):
		return web.FormFault{{Field: "person", Word: "nobody"}}
	case g.Group != "" && !slices.ContainsFunc(s.Groups, func(x directory.Group) bool { return x.ID == g.Group }):
		return web.FormFault{{Field: "group", Word: "nobody"}}
	case !slices.ContainsFunc(s.Zones, func(x directory.Zone) bool { return x.ID == g.Zone }):
		return web.FormFault{{Field: "zone", Word: "required"}}
	case !slices.ContainsFunc(s.Schedules, func(x directory.Schedule) bool { return x.ID == g.Schedule }):
		return web.FormFault{{Field: "schedule", Word: "required"}}
	}
	return nil
}

// contractFault refuses a grant that would outlast a contractor's contract (AD-6).
func contractFault(s *directory.Snapshot, g *directory.Grant) error {
	for i := range s.People {
		if x := &s.People[i]; x.ID == g.Person && x.Category == directory.Contractor && x.ContractUntil.Before(g.ValidUntil) {
			return web.FormFault{{Field: "valid_until", Word: "after_contract"}}
		}
	}
	return nil
}

// overlapping lists the other grants that give the same people the same zone on the same days: to end one takes nothing away.
func overlapping(s *directory.Snapshot, g *directory.Grant) (out []string) {
	holders := map[directory.PersonID]bool{}
	s.EachRight(func(holder directory.PersonID, x *directory.Grant, _ *directory.Group) {
		if x.ID == g.ID {
			holders[holder] = true
		}
	})
	seen := map[directory.GrantID]bool{}
	s.EachRight(func(holder directory.PersonID, x *directory.Grant, group *directory.Group) {
		if !holders[holder] || x.ID == g.ID || x.Zone != g.Zone || seen[x.ID] || x.ValidUntil.Before(g.ValidFrom) || g.ValidUntil.Before(x.ValidFrom) {
			return
		}
		seen[x.ID] = true
		name := string(x.Schedule)
		for i := range s.Schedules {
			if s.Schedules[i].ID == x.Schedule {
				name = s.Schedules[i].Name
			}
		}
		if group != nil {
			name = group.Name + " " + name
		}
		out = append(out, name+" "+x.ValidFrom.String()+"–"+x.ValidUntil.String())
	})
	return out
}

// EndGrant implements web.Rights.
func (p *rightsPages) EndGrant(ctx context.Context, id string, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	return p.edit(ctx, act, false, func(s *directory.Snapshot) error { return s.RevokeGrant(directory.GrantID(id)) })
}
