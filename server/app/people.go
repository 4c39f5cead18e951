package app

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// peoplePages implements web.People over the directory in force and its service.
type peoplePages struct {
	*apiRegistry
	zones *ZoneDesk
}

// linesDays is how far back a person's page looks in the log.
const linesDays = 31

// FindPeople implements web.People.
func (p *peoplePages) FindPeople(_ context.Context, q web.PeopleQuery) (out web.PeopleFound, err error) {
	s := p.pages.directory()
	cards := make(map[directory.PersonID]int, len(s.Credentials))
	for i := range s.Credentials {
		cards[s.Credentials[i].Person]++
	}
	ends := p.endings(&s, "")
	sections := map[string]bool{}
	for i := range s.People {
		x := &s.People[i]
		for _, name := range []string{x.Section, x.Company} {
			if name != "" {
				sections[name] = true
			}
		}
		if !p.fits(q, x, ends[x.ID]) {
			continue
		}
		if out.Total >= q.Skip && (q.Limit == 0 || len(out.People) < q.Limit) {
			l := web.PersonLine{RegPerson: personToWeb(x), Cards: cards[x.ID]}
			if list := ends[x.ID]; len(list) > 0 {
				l.Next = list[0]
			}
			out.People = append(out.People, l)
		}
		out.Total++
	}
	for name := range sections {
		out.Sections = append(out.Sections, name)
	}
	slices.Sort(out.Sections)
	return out, nil
}

// fits reports whether a person is among those that a query means.
func (p *peoplePages) fits(q web.PeopleQuery, x *directory.Person, ends []web.Ending) bool {
	switch {
	case q.Category != "" && string(x.Category) != q.Category,
		q.Section != "" && x.Section != q.Section && x.Company != q.Section,
		q.State == "active" && !x.Active, q.State == "inactive" && x.Active,
		q.Text != "" && !x.Matches(q.Text):
		return false
	case q.Within > 0:
		last := p.registry.Today().AddDays(q.Within).String()
		return len(ends) > 0 && ends[0].Day <= last
	}
	return true
}

// endings lists what of somebody's ends from today on, soonest first; of everybody, or of one.
func (p *peoplePages) endings(s *directory.Snapshot, of directory.PersonID) map[directory.PersonID][]web.Ending {
	today := p.registry.Today()
	out := map[directory.PersonID][]web.Ending{}
	note := func(id directory.PersonID, what, name string, day directory.Date) {
		if (of == "" || id == of) && !day.IsZero() && !day.Before(today) {
			out[id] = append(out[id], web.Ending{What: what, Name: name, Day: day.String()})
		}
	}
	for i := range s.People {
		x := &s.People[i]
		note(x.ID, "person", "", x.ValidUntil)
		note(x.ID, "contract", "", x.ContractUntil)
		note(x.ID, "training", "", x.TrainingUntil)
	}
	for i := range s.Credentials {
		if c := &s.Credentials[i]; c.Status == access.CredentialActive && c.Lent.Badge == "" {
			note(c.Person, "card", string(c.ID), c.ValidUntil)
		}
	}
	for i := range s.Contracts {
		for _, w := range s.Contracts[i].Workers {
			note(w, "contract", string(s.Contracts[i].ID), s.Contracts[i].ValidUntil)
		}
	}
	zones := make(map[access.ZoneID]string, len(s.Zones))
	for i := range s.Zones {
		zones[s.Zones[i].ID] = s.Zones[i].Name
	}
	s.EachRight(func(holder directory.PersonID, g *directory.Grant, _ *directory.Group) {
		if g.Exact == (directory.Span{}) {
			note(holder, "grant", zones[g.Zone], g.ValidUntil)
		}
	})
	for id := range out {
		slices.SortStableFunc(out[id], func(a, b web.Ending) int { return cmp.Compare(a.Day, b.Day) })
	}
	return out
}

// PersonFile implements web.People.
func (p *peoplePages) PersonFile(ctx context.Context, id string) (out web.PersonFile, err error) {
	s, n := p.pages.directory(), p.pages.names(ctx)
	at := slices.IndexFunc(s.People, func(x directory.Person) bool { return string(x.ID) == id })
	if at < 0 {
		return out, web.ErrNotFound
	}
	x := &s.People[at]
	out = web.PersonFile{RegPerson: personToWeb(x), ContractFrom: x.ContractFrom.String(), ContractUntil: x.ContractUntil.String()}
	stored, err := p.registry.Directory(ctx)
	if err != nil {
		return out, err
	}
	out.Guest = !slices.ContainsFunc(stored.People, func(y directory.Person) bool { return y.ID == x.ID })
	if out.Cards, err = p.cardsOf(ctx, &s, x.ID); err != nil {
		return out, err
	}
	for _, g := range s.Groups {
		if slices.Contains(g.Members, x.ID) {
			w := web.RegGroup{ID: string(g.ID), Name: g.Name}
			if g.NameEN != "" && web.LanguageOf(ctx) == web.English {
				w.Name = g.NameEN
			}
			out.Groups = append(out.Groups, w)
		}
	}
	all, err := p.RegistryContracts(ctx)
	if err != nil {
		return out, err
	}
	for _, c := range all {
		if slices.Contains(c.Workers, id) {
			out.Contracts = append(out.Contracts, c)
		}
	}
	if out.Rights, err = p.rightsOf(ctx, &s, n, x.ID); err != nil {
		return out, err
	}
	for _, r := range out.Rights {
		out.Protected = out.Protected || r.Level >= 2 && (r.By == "own" || r.By == "group")
	}
	if out.Endings = p.endings(&s, x.ID)[x.ID]; len(out.Endings) > 5 {
		out.Endings = out.Endings[:5]
	}
	return out, nil
}

func personToWeb(p *directory.Person) web.RegPerson {
	return web.RegPerson{ID: string(p.ID), Name: p.Name, NameReduced: p.NameReduced, Kana: p.Kana, Romaji: p.Romaji, Section: p.Section, Company: p.Company,
		Category: string(p.Category), Kind: string(p.Kind), Active: p.Active, ValidFrom: p.ValidFrom.String(), ValidUntil: p.ValidUntil.String(),
		TrainingUntil: p.TrainingUntil.String(), Conditions: p.Conditions, MayEscort: p.MayEscort}
}

// cardsOf lists a person's cards, lent badges too, with what waits about each.
func (p *peoplePages) cardsOf(ctx context.Context, s *directory.Snapshot, id directory.PersonID) (out []web.CardFile, err error) {
	stopped, err := p.visits.Suspensions(ctx)
	if err != nil {
		return nil, err
	}
	asked := map[directory.CardID]bool{}
	for i := range stopped {
		if x := &stopped[i]; x.Asked.Done() && !x.Resumed.Done() && !x.Given.Done() {
			asked[x.Card] = true
		}
	}
	for i := range s.Credentials {
		c := &s.Credentials[i]
		if c.Person != id {
			continue
		}
		out = append(out, web.CardFile{RegCard: cardToWeb(c), Lent: c.Lent.Badge, Asked: asked[c.ID] && c.Status != access.CredentialActive,
			Recovery: slices.ContainsFunc(s.Doors, func(d directory.Door) bool { return slices.Contains(d.Recovery.List(), c.ID) })})
	}
	return out, nil
}

// rightsOf says why somebody may enter where: own grants, those of groups, and those of a running visit or emergency.
func (p *peoplePages) rightsOf(ctx context.Context, s *directory.Snapshot, n names, id directory.PersonID) (out []web.PersonRight, err error) {
	list, err := p.RegistrySchedules(ctx)
	if err != nil {
		return nil, err
	}
	schedules := make(map[string]web.RegSchedule, len(list))
	for _, x := range list {
		schedules[x.ID] = x
	}
	english := web.LanguageOf(ctx) == web.English
	for _, r := range s.RightsOf(id, p.registry.Today()) {
		g, z := &r.Grant, n.zones[r.Grant.Zone]
		x := web.PersonRight{Grant: string(g.ID), By: "own", Zone: g.Zone, ZoneName: cmp.Or(z.Name, string(g.Zone)), Level: z.Level,
			Schedule: schedules[string(g.Schedule)].Name, Hours: schedules[string(g.Schedule)].Windows,
			From: g.ValidFrom.String(), Until: g.ValidUntil.String(), Holds: r.Holds, Why: r.Why, Basis: g.Basis}
		switch {
		case g.Emergency:
			x.By = "emergency"
		case g.Exact != (directory.Span{}):
			x.By = "visit"
		case r.Group != nil:
			x.By, x.Group = "group", r.Group.Name
			if english && r.Group.NameEN != "" {
				x.Group = r.Group.NameEN
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// PersonLines implements web.People.
func (p *peoplePages) PersonLines(ctx context.Context, id string, limit int, see func(access.ZoneID) bool) (out []web.Attempt, err error) {
	if see == nil {
		return nil, nil
	}
	n := p.pages.names(ctx)
	now := p.pages.now()
	zone := p.pages.store.Zone()
	err = p.pages.store.Read(ctx, func(r *store.ReadTx) error {
		rows, err := r.OfPerson(id, entrylog.Day(now.AddDate(0, 0, -linesDays).UnixMilli(), zone), entrylog.Day(now.UnixMilli(), zone))
		if err != nil {
			return err
		}
		for _, row := range slices.Backward(rows) {
			d := n.doors[access.DoorID(row.Door)]
			if !see(d.Enter) && (d.Exit == "" || !see(d.Exit)) {
				continue // a door that is gone is of no zone: shown to those who see all
			}
			if len(out) == limit {
				break
			}
			out = append(out, p.pages.line(r.Reader, row, n, true))
		}
		return nil
	})
	return out, err
}

// SavePerson implements web.People.
func (p *peoplePages) SavePerson(ctx context.Context, in web.PersonInput, fresh, try bool, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	x, err := personFrom(in)
	if err != nil {
		return web.Effect{}, err
	}
	return p.edit(ctx, act, try, func(s *directory.Snapshot) error {
		at := slices.IndexFunc(s.People, func(y directory.Person) bool { return y.ID == x.ID })
		switch {
		case fresh && at >= 0:
			return web.FormFault{{Field: "id", Word: "taken"}}
		case !fresh && at < 0:
			return web.ErrNotFound
		case fresh:
			y := x
			y.Active = true
			s.People = append(s.People, y)
			return nil
		}
		y := x
		old := &s.People[at]
		y.Active, y.Conditions, y.Party = old.Active, old.Conditions, old.Party // changed elsewhere, by what somebody does
		*old = y
		return nil
	})
}

// personFrom checks what a form said: what looks like an Individual Number is refused at its field (VE-5).
func personFrom(in web.PersonInput) (directory.Person, error) {
	x := directory.Person{ID: directory.PersonID(in.ID), Name: in.Name, NameReduced: in.NameReduced, Kana: in.Kana, Romaji: in.Romaji, Section: in.Section,
		Company: in.Company, Category: directory.Category(in.Category), Kind: directory.PersonKind(in.Kind), MayEscort: in.MayEscort}
	var bad web.FormFault
	for field, value := range map[string]string{"id": in.ID, "name": in.Name, "name_reduced": in.NameReduced, "kana": in.Kana, "romaji": in.Romaji,
		"section": in.Section, "company": in.Company} {
		if directory.MyNumber(value) {
			bad = append(bad, web.FieldFault{Field: field, Word: "my_number"})
		}
	}
	for field, d := range map[string]struct {
		text string
		to   *directory.Date
	}{"valid_from": {in.ValidFrom, &x.ValidFrom}, "valid_until": {in.ValidUntil, &x.ValidUntil}, "contract_from": {in.ContractFrom, &x.ContractFrom},
		"contract_until": {in.ContractUntil, &x.ContractUntil}, "training_until": {in.TrainingUntil, &x.TrainingUntil}} {
		bad = append(bad, dayInto(field, d.text, d.to)...)
	}
	if len(bad) > 0 {
		return x, bad
	}
	return x, nil
}

// dayInto reads a day of a form; "" leaves it open.
func dayInto(field, text string, to *directory.Date) web.FormFault {
	if text == "" {
		return nil
	}
	d, err := directory.ParseDate(text)
	if err != nil {
		return web.FormFault{{Field: field, Word: "day"}}
	}
	*to = d
	return nil
}

// reasonFault refuses a reason that looks like an Individual Number, at its field.
func reasonFault(reason string) error {
	if strings.TrimSpace(reason) == "" {
		return web.FormFault{{Field: "reason", Word: "required"}}
	}
	if directory.MyNumber(reason) {
		return web.FormFault{{Field: "reason", Word: "my_number"}}
	}
	return nil
}

// edit changes the directory, or with try says what that would do.
func (p *peoplePages) edit(ctx context.Context, act web.Action, try bool, edit func(*directory.Snapshot) error) (web.Effect, error) {
	var o directory.Outcome
	var err error
	if try {
		o, err = p.registry.TryChange(ctx, actorOf(act), edit)
	} else {
		o, err = p.registry.Change(ctx, actorOf(act), act.Reason, edit)
	}
	if err != nil {
		return web.Effect{}, formError(err)
	}
	dir, err := p.registry.Directory(ctx)
	if err != nil {
		return web.Effect{}, err
	}
	say := p.teller(ctx, &dir)
	e := web.Effect{Proposal: o.Proposal, Applied: say.changes(o.Applied), Waiting: say.changes(o.Waiting)}
	return e, nil
}

// formError turns what the directory refuses into what a form can say. A problem that no field of the pages' forms checks
// before is said of the form as a whole.
func formError(err error) error {
	var probs directory.Problems
	switch {
	case errors.As(err, &probs):
		return web.FormFault{{Word: "refused"}}
	case errors.Is(err, directory.ErrNoReason):
		return web.FormFault{{Field: "reason", Word: "required"}}
	case errors.Is(err, directory.ErrRevoked):
		return web.ErrRevoked
	case errors.Is(err, directory.ErrNoSuch), errors.Is(err, store.ErrNotFound):
		return web.ErrNotFound
	}
	return err
}

// SetPersonActive implements web.People.
func (p *peoplePages) SetPersonActive(ctx context.Context, id string, active bool, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	e, err := p.edit(ctx, act, false, func(s *directory.Snapshot) error { return s.SetPersonActive(directory.PersonID(id), active) })
	if err == nil && e.Nothing() {
		err = web.ErrState
	}
	return e, err
}

// officer is who mends what the log says of somebody, and why.
func officer(act web.Action) Officer {
	return Officer{Account: act.Actor, From: originOf(act), Address: addressOf(act), Reason: act.Reason}
}

// Forgive implements web.People.
func (p *peoplePages) Forgive(ctx context.Context, person string, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	return formError(p.zones.Forgive(ctx, officer(act), directory.PersonID(person)))
}

// LiftPIN implements web.People.
func (p *peoplePages) LiftPIN(ctx context.Context, person, id string, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	s := p.pages.directory()
	if !slices.ContainsFunc(s.Credentials, func(c directory.Credential) bool { return string(c.ID) == id && string(c.Person) == person }) {
		return web.ErrNotFound
	}
	return formError(p.zones.ResetPIN(ctx, officer(act), directory.CardID(id)))
}
