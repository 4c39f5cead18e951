package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// apiRegistry implements web.Registry over the directory in force.
type apiRegistry struct {
	pages    *pages
	registry *Registry
	visits   *Visits
}

// RegistryPeople implements web.Registry.
func (a *apiRegistry) RegistryPeople(context.Context) ([]web.RegPerson, error) {
	s := a.pages.directory()
	out := make([]web.RegPerson, 0, len(s.People))
	for i := range s.People {
		out = append(out, personToWeb(&s.People[i]))
	}
	return out, nil
}

// RegistryCards implements web.Registry.
func (a *apiRegistry) RegistryCards(_ context.Context, person string) (out []web.RegCard, err error) {
	s := a.pages.directory()
	for i := range s.Credentials {
		if string(s.Credentials[i].Person) == person {
			out = append(out, cardToWeb(&s.Credentials[i]))
		}
	}
	return out, nil
}

func cardToWeb(c *directory.Credential) web.RegCard {
	return web.RegCard{ID: string(c.ID), Person: string(c.Person), Masked: c.Masked, Assurance: c.Assurance.String(), Status: c.Status,
		ValidFrom: c.ValidFrom.String(), ValidUntil: c.ValidUntil.String(), PIN: c.PIN != card.PINRef{}}
}

// RegistryZones implements web.Registry.
func (a *apiRegistry) RegistryZones(ctx context.Context) (out []web.RegZone, err error) {
	s, n := a.pages.directory(), a.pages.names(ctx)
	for i := range s.Zones {
		z := &s.Zones[i]
		out = append(out, web.RegZone{ID: string(z.ID), Name: n.zones[z.ID].Name, Parent: string(z.Parent), Level: z.Level, MinAssurance: z.MinAssurance.String(),
			PINAlways: z.PINAlways, AntiPassback: z.AntiPassback.String(), MaxInside: z.MaxInside, MinInside: z.MinInside,
			TwoPersonWithin: z.TwoPersonWithin, Escort: z.Escort.String(), Training: z.Training.String(), Conditions: z.Conditions, Basis: z.Basis})
	}
	return out, nil
}

var dayWords = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun", "closed"}

// RegistrySchedules implements web.Registry.
func (a *apiRegistry) RegistrySchedules(ctx context.Context) (out []web.RegSchedule, err error) {
	s := a.pages.directory()
	for i := range s.Schedules {
		x := &s.Schedules[i]
		r := web.RegSchedule{ID: string(x.ID), Name: x.Name}
		if x.NameEN != "" && web.LanguageOf(ctx) == web.English {
			r.Name = x.NameEN
		}
		for _, w := range x.Windows {
			span := web.RegWindow{From: w.From, To: w.To}
			for bit, word := range dayWords {
				if w.Days&(1<<bit) != 0 {
					span.Days = append(span.Days, word)
				}
			}
			r.Windows = append(r.Windows, span)
		}
		out = append(out, r)
	}
	return out, nil
}

// RegistryGrants implements web.Registry.
func (a *apiRegistry) RegistryGrants(context.Context) (out []web.RegGrant, err error) {
	s := a.pages.directory()
	for i := range s.Grants {
		g := &s.Grants[i]
		out = append(out, web.RegGrant{ID: string(g.ID), Person: string(g.Person), Group: string(g.Group), Zone: string(g.Zone), Schedule: string(g.Schedule),
			ValidFrom: g.ValidFrom.String(), ValidUntil: g.ValidUntil.String(), Suspended: g.Suspended, Basis: g.Basis})
	}
	return out, nil
}

// RegistryClosedDays implements web.Registry.
func (a *apiRegistry) RegistryClosedDays(context.Context) (out []web.RegDay, err error) {
	for _, d := range a.pages.directory().ClosedDays {
		out = append(out, web.RegDay{Day: d.Day.String(), Name: d.Name})
	}
	return out, nil
}

// RegistryGroups implements web.Registry.
func (a *apiRegistry) RegistryGroups(ctx context.Context) (out []web.RegGroup, err error) {
	for _, g := range a.pages.directory().Groups {
		x := web.RegGroup{ID: string(g.ID), Name: g.Name, Members: texts(g.Members)}
		if g.NameEN != "" && web.LanguageOf(ctx) == web.English {
			x.Name = g.NameEN
		}
		out = append(out, x)
	}
	return out, nil
}

// RegistryContracts implements web.Registry.
func (a *apiRegistry) RegistryContracts(context.Context) (out []web.RegContract, err error) {
	for _, c := range a.pages.directory().Contracts {
		out = append(out, web.RegContract{ID: string(c.ID), Name: c.Name, Company: c.Company, Section: c.Section, ValidFrom: c.ValidFrom.String(),
			ValidUntil: c.ValidUntil.String(), Tier: c.Tier, Workers: texts(c.Workers)})
	}
	return out, nil
}

func texts[T ~string](list []T) (out []string) {
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}

// SetCard implements web.Registry. A card that is stopped becomes a matter, whose uses the holder is asked about (AD-17);
// to make it good again is asked for in that matter, or is a proposal where there is none.
func (a *apiRegistry) SetCard(ctx context.Context, id string, to access.CredentialStatus, lastSure time.Time, action web.Action) (out web.RegCard, waiting bool, err error) {
	if err := reasonFault(action.Reason); err != nil {
		return web.RegCard{}, false, err
	}
	by, err := a.actor(ctx, action)
	if err != nil {
		return web.RegCard{}, false, err
	}
	if to == access.CredentialActive {
		waiting, err = a.reactivate(ctx, directory.CardID(id), action.Reason, by)
	} else {
		_, err = a.visits.SuspendCard(ctx, directory.CardID(id), to == access.CredentialLost, lastSure, action.Reason, by)
	}
	if err != nil {
		return web.RegCard{}, false, cardError(err)
	}
	s := a.pages.directory()
	for i := range s.Credentials {
		if string(s.Credentials[i].ID) == id {
			return cardToWeb(&s.Credentials[i]), waiting, nil
		}
	}
	return web.RegCard{}, false, web.ErrNotFound
}

// actor is who acts, with the person of the directory behind the account: whose own card it is decides who may agree.
func (a *apiRegistry) actor(ctx context.Context, action web.Action) (visit.Actor, error) {
	by := visit.Actor{Account: action.Actor, From: originOf(action), Address: addressOf(action)}
	err := a.pages.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.AccountByID(action.Actor)
		by.Person = directory.PersonID(x.Person)
		return err
	})
	return by, mapped(err)
}

func (a *apiRegistry) reactivate(ctx context.Context, id directory.CardID, reason string, by visit.Actor) (waiting bool, err error) {
	s := a.pages.directory()
	i := slices.IndexFunc(s.Credentials, func(c directory.Credential) bool { return c.ID == id })
	switch {
	case i < 0:
		return false, web.ErrNotFound
	case s.Credentials[i].Status == access.CredentialActive:
		return false, web.ErrState
	case s.Credentials[i].Status == access.CredentialRevoked:
		return false, web.ErrRevoked
	}
	stopped, err := a.visits.Suspensions(ctx)
	if err != nil {
		return false, err
	}
	for _, x := range stopped {
		switch {
		case x.Card != id || x.Given.Done():
		case x.Asked.Done():
			return false, web.ErrSecondPerson
		default:
			_, err := a.visits.AskResume(ctx, x.ID, reason, by)
			return true, err
		}
	}
	o, err := a.registry.SetCardStatus(ctx, directory.Actor{Account: by.Account, From: by.From}, reason, id, access.CredentialActive)
	return o.Proposal != "", err
}

func cardError(err error) error {
	for is, say := range map[error]error{directory.ErrRevoked: web.ErrRevoked, directory.ErrNoSuch: web.ErrNotFound, visit.ErrRevoked: web.ErrRevoked, visit.ErrUnknown: web.ErrNotFound,
		visit.ErrState: web.ErrState, store.ErrNotFound: web.ErrNotFound} {
		if errors.Is(err, is) {
			return say
		}
	}
	return err
}

// RegistryProposals implements web.Registry.
func (a *apiRegistry) RegistryProposals(ctx context.Context) (out []web.RegProposal, err error) {
	list, err := a.registry.Proposals(ctx, false, 1000)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		x := web.RegProposal{ID: p.ID, Proposer: p.Proposer, Proposed: moment(p.ProposedMS), Reason: p.Reason}
		changes, err := p.ProposedChanges()
		if err != nil {
			return nil, fmt.Errorf("proposal %s: %w", p.ID, err)
		}
		for i := range changes {
			x.Changes = append(x.Changes, changes[i].String())
		}
		out = append(out, x)
	}
	return out, nil
}

// RegistryVisits implements web.Registry.
func (a *apiRegistry) RegistryVisits(ctx context.Context, day string) (out []web.RegVisit, err error) {
	list, err := a.visits.VisitsOfDay(ctx, day)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list, func(x, y VisitView) int { return cmp.Or(cmp.Compare(x.FromMS, y.FromMS), cmp.Compare(x.ID, y.ID)) })
	for _, v := range list {
		x := web.RegVisit{ID: v.ID, State: string(v.State), Type: string(v.Type), Purpose: v.Purpose, System: v.System, Zones: texts(v.Zones), From: moment(v.FromMS), Until: moment(v.UntilMS),
			Section: v.Section, Company: v.Company, Contract: v.Contract, Attendee: string(v.Attendee), Owed: len(v.Owed)}
		for _, g := range v.Guests {
			if g.Replaced.Done() {
				continue // does not come
			}
			x.Guests = append(x.Guests, web.RegGuest{Name: g.Name, Company: g.Company, Category: string(g.Category), Badge: g.Label, Received: moment(g.Checked.AtMS), Returned: moment(g.Returned.AtMS)})
		}
		out = append(out, x)
	}
	return out, nil
}
