package webtest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/web"
)

// Rights implements web.Rights over the few grants of a Memory. As in the directory, what adds at level 2 or above waits.
type Rights struct{ *People }

// proposal is a change that waits, and how it is made.
type proposal struct {
	web.ProposalFile
	do func()
}

// sampleProposals are one of the zone manager and one of the command line.
func (m *Memory) sampleProposals() []proposal {
	if m.waiting == nil {
		now := time.Now()
		add := func(person string) web.RegChange {
			return web.RegChange{Op: "add", Noun: "grant", ID: person + "/server-room/office", Name: person + " → サーバ室", Zones: []access.ZoneID{"server-room"},
				Fields: []web.RegField{{Name: "person_id", Is: person}, {Name: "zone_id", Is: "サーバ室"}, {Name: "schedule_id", Is: "開庁時間"}, {Name: "valid_until", Is: "2027-03-31"}}}
		}
		line := func(id byte, by, name, why string, at time.Time, person string) proposal {
			p := proposal{ProposalFile: web.ProposalFile{ProposalLine: web.ProposalLine{ID: AttemptID(id), Proposer: by, ByName: name, At: at, Until: at.AddDate(0, 0, 30), Reason: why,
				Changes: []web.RegChange{add(person)}}}}
			p.Rights = []web.RightEffect{{Person: person, PersonName: "𠮷田 誠 (" + person + ")", Zone: "server-room", ZoneName: "サーバ室", Level: 3, Effect: "gains"}}
			p.do = func() {
				m.grants = append(slices.Clone(m.sampleGrants()), web.RegGrant{ID: person + "/server-room/office", Person: person, Zone: "server-room", Schedule: "office", ValidUntil: "2027-03-31"})
			}
			return p
		}
		m.waiting = []proposal{line(0x51, "ZONEMANAGER0", "𠮷田 太郎", "異動", now.Add(-time.Hour), "1003"), line(0x50, "", "", "取り込み", now.Add(-2*time.Hour), "1002")}
	}
	return m.waiting
}

func (r *Rights) names(ctx context.Context) (zones map[string]web.RegZone, schedules map[string]string) {
	zones, schedules = map[string]web.RegZone{}, map[string]string{}
	z, _ := r.m.RegistryZones(ctx)
	for _, x := range z {
		zones[x.ID] = x
	}
	s, _ := r.m.RegistrySchedules(ctx)
	for _, x := range s {
		schedules[x.ID] = x.Name
	}
	return zones, schedules
}

func (r *Rights) line(ctx context.Context, g web.RegGrant) web.GrantLine {
	zones, schedules := r.names(ctx)
	l := web.GrantLine{RegGrant: g, ZoneName: zones[g.Zone].Name, Level: zones[g.Zone].Level, ScheduleName: schedules[g.Schedule], State: "now", Holder: "運用班"}
	if i, ok := r.person(g.Person); ok {
		l.Holder = r.m.people[i].Name
	}
	today := time.Now().Format(time.DateOnly)
	switch {
	case g.Suspended:
		l.State = "suspended"
	case g.ValidUntil < today:
		l.State = "over"
	case g.ValidFrom > today:
		l.State = "later"
	}
	return l
}

// FindGrants implements web.Rights.
func (r *Rights) FindGrants(ctx context.Context, q web.GrantQuery, see func(access.ZoneID) bool) (out web.GrantsFound, err error) {
	zones, _ := r.m.RegistryZones(ctx)
	for _, z := range zones {
		if see != nil && see(access.ZoneID(z.ID)) {
			out.Zones = append(out.Zones, web.ZoneLevel{ID: access.ZoneID(z.ID), Name: z.Name, Level: z.Level})
		}
	}
	out.Schedules, _ = r.m.RegistrySchedules(ctx)
	out.Groups, _ = r.m.RegistryGroups(ctx)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	var all []web.GrantHolder
	for _, g := range r.m.sampleGrants() {
		l := r.line(ctx, g)
		if see == nil || !see(access.ZoneID(g.Zone)) || q.Zone != "" && g.Zone != string(q.Zone) || q.Schedule != "" && g.Schedule != q.Schedule ||
			q.State != "" && q.State != l.State || !strings.Contains(l.Holder+g.Person, q.Text) {
			continue
		}
		id := cmp.Or(g.Person, g.Group)
		i := slices.IndexFunc(all, func(x web.GrantHolder) bool { return x.ID == id })
		if i < 0 {
			i = len(all)
			all = append(all, web.GrantHolder{ID: id, Name: l.Holder, Group: g.Group != "", Members: 2})
		}
		all[i].Grants = append(all[i].Grants, l)
	}
	out.Total = len(all)
	all = all[min(q.Skip, len(all)):]
	if q.Limit > 0 {
		all = all[:min(q.Limit, len(all))]
	}
	out.Holders = all
	return out, nil
}

// RightsAsOf implements web.Rights: the grants of the moment, each asked for and agreed to.
func (r *Rights) RightsAsOf(ctx context.Context, zone access.ZoneID, day calendar.Date) (out web.RightsInventory, err error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for n, g := range r.m.sampleGrants() {
		l := r.line(ctx, g)
		if zone != "" && g.Zone != string(zone) || g.ValidUntil < day.String() {
			continue
		}
		h := web.HeldRight{Person: g.Person, Name: l.Holder, Section: "情報システム課", Category: "staff", Grant: g.ID, Zone: access.ZoneID(g.Zone), ZoneName: l.ZoneName, Schedule: l.ScheduleName,
			From: g.ValidFrom, Until: g.ValidUntil, State: l.State, Basis: g.Basis,
			Given: web.RightGiven{Leaf: int64(40 + 2*n), Asked: int64(39 + 2*n), At: time.Now().AddDate(0, -1, 0), By: "渡邉 花子", Proposer: "髙橋 美咲", Proposal: AttemptID(byte(n)), Reason: "担当替え"}}
		if g.Group != "" {
			h.Person, h.Name, h.Group, h.Given.Joined = "1002", "﨑山 健太", l.Holder, true
		}
		out.Rights = append(out.Rights, h)
	}
	return out, nil
}

// GrantByID implements web.Rights.
func (r *Rights) GrantByID(ctx context.Context, id string) (web.GrantLine, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for _, g := range r.m.sampleGrants() {
		if g.ID == id {
			return r.line(ctx, g), nil
		}
	}
	return web.GrantLine{}, web.ErrNotFound
}

// SaveGrant implements web.Rights.
func (r *Rights) SaveGrant(ctx context.Context, g web.RegGrant, try bool, act web.Action) (web.Effect, error) {
	zones, schedules := r.names(ctx)
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	bad := badWords(map[string]string{"basis": g.Basis, "reason": act.Reason})
	if _, ok := r.person(g.Person); g.Person != "" && !ok {
		bad = append(bad, web.FieldFault{Field: "person", Word: "nobody"})
	}
	if zones[g.Zone].ID == "" {
		bad = append(bad, web.FieldFault{Field: "zone", Word: "required"})
	}
	if schedules[g.Schedule] == "" {
		bad = append(bad, web.FieldFault{Field: "schedule", Word: "required"})
	}
	g.ValidUntil = cmp.Or(g.ValidUntil, "2027-03-31")
	if g.Person == "K-12" && g.ValidUntil > "2027-03-31" {
		bad = append(bad, web.FieldFault{Field: "valid_until", Word: "after_contract"})
	}
	if len(bad) > 0 {
		return web.Effect{}, bad
	}
	c := web.RegChange{Op: "add", Noun: "grant", ID: g.ID, Name: cmp.Or(g.Person, g.Group) + " → " + zones[g.Zone].Name, Zones: []access.ZoneID{access.ZoneID(g.Zone)},
		Fields: []web.RegField{{Name: "valid_until", Is: g.ValidUntil}}}
	g.ID = cmp.Or(g.ID, cmp.Or(g.Person, g.Group)+"/"+g.Zone+"/"+g.Schedule)
	i := slices.IndexFunc(r.m.sampleGrants(), func(x web.RegGrant) bool { return x.ID == g.ID })
	waits := zones[g.Zone].Level >= 2
	if i >= 0 {
		old := r.m.grants[i]
		if g.Suspended = old.Suspended; g == old {
			return web.Effect{}, nil
		}
		c.Op, c.Fields = "change", []web.RegField{{Name: "valid_until", Was: old.ValidUntil, Is: g.ValidUntil}}
		waits = waits && (g.ValidUntil > old.ValidUntil || g.Schedule != old.Schedule)
	}
	do := func() {
		r.m.grants = slices.DeleteFunc(slices.Clone(r.m.grants), func(x web.RegGrant) bool { return x.ID == g.ID })
		r.m.grants = append(r.m.grants, g)
	}
	e, err := r.done(act, try, waits, c, do)
	if err == nil && waits && !try {
		line := web.ProposalLine{ID: e.Proposal, Proposer: act.Actor, ByName: r.m.accounts[act.Actor].FullName, At: time.Now(), Until: time.Now().AddDate(0, 0, 30), Reason: act.Reason, Changes: e.Waiting}
		r.m.waiting = append(r.m.sampleProposals(), proposal{web.ProposalFile{ProposalLine: line}, do})
	}
	return e, err
}

// EndGrant implements web.Rights.
func (r *Rights) EndGrant(_ context.Context, id string, act web.Action) (web.Effect, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return web.Effect{}, bad
	}
	if !slices.ContainsFunc(r.m.sampleGrants(), func(x web.RegGrant) bool { return x.ID == id }) {
		return web.Effect{}, web.ErrNotFound
	}
	return r.done(act, false, false, web.RegChange{Op: "remove", Noun: "grant", ID: id}, func() {
		r.m.grants = slices.DeleteFunc(slices.Clone(r.m.grants), func(x web.RegGrant) bool { return x.ID == id })
	})
}

// ListProposals implements web.Rights.
func (r *Rights) ListProposals(_ context.Context, me string) (out []web.ProposalLine, err error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	for _, p := range r.m.sampleProposals() {
		if !p.Decided {
			p.Mine = p.Proposer == me
			out = append(out, p.ProposalLine)
		}
	}
	return out, nil
}

func (r *Rights) proposal(id string) (*proposal, error) {
	for i := range r.m.sampleProposals() {
		if r.m.waiting[i].ID == id {
			return &r.m.waiting[i], nil
		}
	}
	return nil, web.ErrNotFound
}

// ProposalByID implements web.Rights.
func (r *Rights) ProposalByID(_ context.Context, id, me string) (web.ProposalFile, error) {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	p, err := r.proposal(id)
	if err != nil {
		return web.ProposalFile{}, err
	}
	out := p.ProposalFile
	out.Mine = p.Proposer == me
	if p.Decided {
		out.Changes, out.Rights = nil, nil
	}
	return out, nil
}

// ConfirmProposal implements web.Rights.
func (r *Rights) ConfirmProposal(_ context.Context, id string, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	p, err := r.proposal(id)
	switch {
	case err != nil:
		return err
	case p.Decided:
		return web.ErrTooLate
	case p.Proposer == act.Actor:
		return web.ErrSamePerson
	}
	if err := r.m.record(act); err != nil {
		return err
	}
	p.do()
	p.Decided = true
	return nil
}

// WithdrawProposal implements web.Rights.
func (r *Rights) WithdrawProposal(_ context.Context, id string, act web.Action) error {
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return bad
	}
	p, err := r.proposal(id)
	switch {
	case err != nil:
		return err
	case p.Decided:
		return web.ErrTooLate
	}
	if err := r.m.record(act); err != nil {
		return err
	}
	p.Decided = true
	return nil
}
