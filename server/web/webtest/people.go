package webtest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/web"
)

// People implements web.People over the few people of a Memory.
type People struct{ m *Memory }

// FindPeople implements web.People.
func (p *People) FindPeople(_ context.Context, q web.PeopleQuery) (out web.PeopleFound, err error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	for _, x := range p.m.samplePeople() {
		for _, s := range []string{x.Section, x.Company} {
			if s != "" && !slices.Contains(out.Sections, s) {
				out.Sections = append(out.Sections, s)
			}
		}
		if !fits(q, x) {
			continue
		}
		if out.Total >= q.Skip && (q.Limit == 0 || len(out.People) < q.Limit) {
			l := web.PersonLine{RegPerson: x.RegPerson}
			for _, c := range p.m.sampleCards() {
				if c.Person == x.ID {
					l.Cards++
				}
			}
			if x.ContractUntil != "" {
				l.Next = web.Ending{What: "contract", Day: x.ContractUntil}
			}
			out.People = append(out.People, l)
		}
		out.Total++
	}
	slices.Sort(out.Sections)
	return out, nil
}

func fits(q web.PeopleQuery, x web.PersonInput) bool {
	text := strings.NewReplacer("髙", "高", "﨑", "崎", "𠮷", "吉", "邉", "辺").Replace(x.ID + x.Name + x.NameReduced + x.Kana + x.Romaji + x.Section + x.Company)
	return (q.Category == "" || q.Category == x.Category) && (q.Section == "" || q.Section == x.Section || q.Section == x.Company) &&
		(q.State == "" || (q.State == "active") == x.Active) && strings.Contains(text, strings.NewReplacer("髙", "高", "﨑", "崎", "𠮷", "吉", "邉", "辺").Replace(q.Text)) &&
		(q.Within == 0 || x.ContractUntil != "")
}

func (p *People) person(id string) (int, bool) {
	i := slices.IndexFunc(p.m.samplePeople(), func(x web.PersonInput) bool { return x.ID == id })
	return i, i >= 0
}

// PersonFile implements web.People.
func (p *People) PersonFile(ctx context.Context, id string) (out web.PersonFile, err error) {
	grants, _ := p.m.RegistryGrants(ctx)
	zones, _ := p.m.RegistryZones(ctx)
	groups, _ := p.m.RegistryGroups(ctx)
	contracts, _ := p.m.RegistryContracts(ctx)
	schedules, _ := p.m.RegistrySchedules(ctx)
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	i, ok := p.person(id)
	if !ok {
		return out, web.ErrNotFound
	}
	x := p.m.people[i]
	out = web.PersonFile{RegPerson: x.RegPerson, ContractFrom: x.ContractFrom, ContractUntil: x.ContractUntil}
	for _, c := range p.m.sampleCards() {
		if c.Person == id {
			out.Cards = append(out.Cards, web.CardFile{RegCard: c, Recovery: c.ID == "C-001", Asked: c.Person == "1001" && p.m.asked && c.Status != access.CredentialActive})
		}
	}
	mine := map[string]string{}
	for _, g := range groups {
		if slices.Contains(g.Members, id) {
			out.Groups = append(out.Groups, g)
			mine[g.ID] = g.Name
		}
	}
	for _, c := range contracts {
		if slices.Contains(c.Workers, id) {
			out.Contracts = append(out.Contracts, c)
		}
	}
	for _, g := range grants {
		if g.Person != id && (g.Group == "" || mine[g.Group] == "") {
			continue
		}
		r := web.PersonRight{Grant: g.ID, By: "own", Zone: access.ZoneID(g.Zone), From: g.ValidFrom, Until: g.ValidUntil, Basis: g.Basis, Holds: !g.Suspended && x.Active}
		if g.Group != "" {
			r.By, r.Group = "group", mine[g.Group]
		}
		if g.Suspended {
			r.Why = "suspended"
		} else if !x.Active {
			r.Why = "inactive"
		}
		for _, z := range zones {
			if z.ID == g.Zone {
				r.ZoneName, r.Level = z.Name, z.Level
			}
		}
		for _, s := range schedules {
			if s.ID == g.Schedule {
				r.Schedule, r.Hours = s.Name, s.Windows
			}
		}
		out.Protected = out.Protected || r.Level >= 2
		out.Rights = append(out.Rights, r)
		out.Endings = append(out.Endings, web.Ending{What: "grant", Name: r.ZoneName, Day: r.Until})
	}
	if x.TrainingUntil != "" {
		out.Endings = append(out.Endings, web.Ending{What: "training", Day: x.TrainingUntil})
	}
	slices.SortStableFunc(out.Endings, func(a, b web.Ending) int { return cmp.Compare(a.Day, b.Day) })
	return out, nil
}

// PersonLines implements web.People: the sample's lines of a few, at doors of the server room.
func (p *People) PersonLines(_ context.Context, id string, limit int, see func(access.ZoneID) bool) (out []web.Attempt, err error) {
	name, zone := map[string]string{"1001": Takahashi.Ref, "1002": Sakiyama.Ref, "1003": Yoshida.Ref, "K-12": Watanabe.Ref}[id], access.ZoneID("server-room")
	for _, a := range p.m.Day {
		if a.Door == "media-store" {
			zone = "media-store"
		}
		if a.Who.Ref == name && see != nil && see(zone) && len(out) < limit {
			out = append(out, a)
		}
	}
	return out, nil
}

// myNumber stands for the directory's check, which knows all of them.
const myNumber = "123456789018"

func badWords(fields map[string]string) (bad web.FormFault) {
	for name, value := range fields {
		if strings.Contains(value, myNumber) {
			bad = append(bad, web.FieldFault{Field: name, Word: "my_number"})
		}
	}
	return bad
}

// done writes the leaf of a change and gives its effect; what waits is not done.
func (p *People) done(act web.Action, try, waits bool, c web.RegChange, do func()) (web.Effect, error) {
	e := web.Effect{}
	if waits {
		e.Waiting, e.Proposal = []web.RegChange{c}, AttemptID(0x52)
	} else {
		e.Applied = []web.RegChange{c}
	}
	if try {
		e.Proposal = ""
		return e, nil
	}
	if err := p.m.record(act); err != nil {
		return web.Effect{}, err
	}
	if !waits {
		do()
	}
	return e, nil
}

// SavePerson implements web.People.
func (p *People) SavePerson(_ context.Context, in web.PersonInput, fresh, try bool, act web.Action) (web.Effect, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if bad := badWords(map[string]string{"id": in.ID, "name": in.Name, "section": in.Section, "reason": act.Reason}); bad != nil {
		return web.Effect{}, bad
	}
	i, there := p.person(in.ID)
	c := web.RegChange{Op: "add", Noun: "person", ID: in.ID, Name: in.Name + " (" + in.ID + ")", Fields: []web.RegField{{Name: "name", Is: in.Name}, {Name: "category", Is: in.Category}}}
	switch {
	case fresh && there:
		return web.Effect{}, web.FormFault{{Field: "id", Word: "taken"}}
	case !fresh && !there:
		return web.Effect{}, web.ErrNotFound
	case fresh:
		in.Active = true
		return p.done(act, try, false, c, func() { p.m.people = append(p.m.people, in) })
	}
	old := p.m.people[i]
	in.Active, in.Conditions = old.Active, old.Conditions
	if in == old {
		return web.Effect{}, nil
	}
	c.Op, c.Fields = "change", []web.RegField{{Name: "name", Was: old.Name, Is: in.Name}, {Name: "valid_until", Was: old.ValidUntil, Is: in.ValidUntil}}
	return p.done(act, try, in.ID == "1001" && in.ValidUntil > old.ValidUntil, c, func() {
		p.m.people = slices.Clone(p.m.people)
		p.m.people[i] = in
	})
}

// SetPersonActive implements web.People.
func (p *People) SetPersonActive(_ context.Context, id string, active bool, act web.Action) (web.Effect, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	i, ok := p.person(id)
	switch {
	case !ok:
		return web.Effect{}, web.ErrNotFound
	case p.m.people[i].Active == active:
		return web.Effect{}, web.ErrState
	}
	return p.done(act, false, active && id == "1001", web.RegChange{Op: "change", Noun: "person", ID: id}, func() {
		p.m.people = slices.Clone(p.m.people)
		p.m.people[i].Active = active
	})
}

// AddCard implements web.People. A new card of 1001 waits for a second person.
func (p *People) AddCard(_ context.Context, c web.CardInput, act web.Action) (web.Effect, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return web.Effect{}, bad
	}
	if slices.ContainsFunc(p.m.sampleCards(), func(x web.RegCard) bool { return x.ID == c.ID }) {
		return web.Effect{}, web.FormFault{{Field: "id", Word: "taken"}}
	}
	return p.done(act, false, c.Person == "1001", web.RegChange{Op: "add", Noun: "card", ID: c.ID}, func() {
		p.m.cards = append(slices.Clone(p.m.cards), web.RegCard{ID: c.ID, Person: c.Person, Masked: "****" + c.Number[max(0, len(c.Number)-2):], Assurance: c.Assurance,
			Status: access.CredentialActive, ValidFrom: c.ValidFrom, ValidUntil: c.ValidUntil, PIN: c.PIN != ""})
	})
}

// SetPIN implements web.People.
func (p *People) SetPIN(_ context.Context, person, card, pin, _ string, act web.Action) (web.Effect, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	i := slices.IndexFunc(p.m.sampleCards(), func(x web.RegCard) bool { return x.ID == card && x.Person == person })
	if i < 0 {
		return web.Effect{}, web.ErrNotFound
	}
	return p.done(act, false, person == "1001" && pin != "" && !p.m.cards[i].PIN, web.RegChange{Op: "change", Noun: "card", ID: card}, func() {
		p.m.cards = slices.Clone(p.m.cards)
		p.m.cards[i].PIN = pin != ""
	})
}

// ExportPeople implements web.People.
func (p *People) ExportPeople(ctx context.Context, q web.PeopleQuery, use string, shiftJIS bool, act web.Action) ([]byte, error) {
	found, _ := p.FindPeople(ctx, q)
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return nil, bad
	}
	act.Kind, act.Target = "directory_exported", use
	if err := p.m.record(act); err != nil {
		return nil, err
	}
	text := "\ufeffid,name\r\n"
	if shiftJIS {
		text = "id\r\n"
	}
	for _, x := range found.People {
		if shiftJIS {
			text += x.ID + "\r\n"
		} else {
			text += x.ID + "," + x.Name + "\r\n"
		}
	}
	return []byte(text), nil
}

// Unwritable implements web.People.
func (p *People) Unwritable(ctx context.Context, q web.PeopleQuery) (out []string, err error) {
	found, err := p.FindPeople(ctx, q)
	for _, x := range found.People {
		if strings.Contains(x.Name, "𠮷") {
			out = append(out, x.Name+" ("+x.ID+")")
		}
	}
	return out, err
}

// Forgive implements web.People.
func (p *People) Forgive(_ context.Context, person string, act web.Action) error {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if _, ok := p.person(person); !ok {
		return web.ErrNotFound
	}
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return bad
	}
	return p.m.record(act)
}

// LiftPIN implements web.People.
func (p *People) LiftPIN(_ context.Context, person, card string, act web.Action) error {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if !slices.ContainsFunc(p.m.sampleCards(), func(c web.RegCard) bool { return c.ID == card && c.Person == person }) {
		return web.ErrNotFound
	}
	if bad := badWords(map[string]string{"reason": act.Reason}); bad != nil {
		return bad
	}
	return p.m.record(act)
}
