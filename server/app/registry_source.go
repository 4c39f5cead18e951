package app

import (
	"context"
	"errors"
	"fmt"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/store"
	"monban/server/web"
)

// apiRegistry implements web.Registry over the directory in force.
type apiRegistry struct {
	pages *pages
	pub   *policypub.Publisher
}

// RegistryPeople implements web.Registry.
func (a *apiRegistry) RegistryPeople(context.Context) ([]web.RegPerson, error) {
	s := a.pages.directory()
	out := make([]web.RegPerson, 0, len(s.People))
	for i := range s.People {
		p := &s.People[i]
		out = append(out, web.RegPerson{ID: string(p.ID), Name: p.Name, NameReduced: p.NameReduced, Kana: p.Kana, Romaji: p.Romaji, Section: p.Section, Company: p.Company,
			Category: string(p.Category), Kind: string(p.Kind), Active: p.Active, ValidFrom: p.ValidFrom.String(), ValidUntil: p.ValidUntil.String(),
			TrainingUntil: p.TrainingUntil.String(), Conditions: p.Conditions, MayEscort: p.MayEscort})
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

// SetCard implements web.Registry. It judges by the directory of the very transaction that makes the change.
func (a *apiRegistry) SetCard(ctx context.Context, id string, to access.CredentialStatus, action web.Action) (out web.RegCard, err error) {
	actor := directory.Actor{Account: action.Actor, From: originOf(action)}
	_, err = a.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		dir, err := tx.Directory()
		if err != nil {
			return nil, err
		}
		i := findCard(&dir, directory.CardID(id))
		if i < 0 {
			return nil, web.ErrNotFound
		}
		c := dir.Credentials[i]
		if to == access.CredentialActive && c.Status != to && c.Status != access.CredentialRevoked && rightsAtLevel2(&dir, c.Person) {
			return nil, web.ErrSecondPerson
		}
		if to == access.CredentialSuspended && c.Status == access.CredentialLost {
			return nil, web.ErrNotAllowed // a lost card stays lost: suspended says less
		}
		c.Status = to
		out = cardToWeb(&c)
		return directory.SetCardStatus(tx, actor, action.Reason, action.At.UnixMilli(), c.ID, to)
	})
	switch {
	case errors.Is(err, directory.ErrRevoked):
		return web.RegCard{}, web.ErrRevoked
	case errors.Is(err, directory.ErrNoSuch):
		return web.RegCard{}, web.ErrNotFound
	case err != nil:
		return web.RegCard{}, fmt.Errorf("card: %w", err)
	}
	return out, nil
}

func findCard(dir *directory.Snapshot, id directory.CardID) int {
	for i := range dir.Credentials {
		if dir.Credentials[i].ID == id {
			return i
		}
	}
	return -1
}

// rightsAtLevel2 reports whether a person has a grant, as a member of a group too, for a zone of level 2 or 3:
// what gives that back takes a second person (D27). Ended and suspended grants count: it errs to the safe side.
func rightsAtLevel2(dir *directory.Snapshot, person directory.PersonID) bool {
	in := map[directory.GroupID]bool{}
	for i := range dir.Groups {
		for _, m := range dir.Groups[i].Members {
			if m == person {
				in[dir.Groups[i].ID] = true
			}
		}
	}
	level := map[access.ZoneID]int{}
	for i := range dir.Zones {
		level[dir.Zones[i].ID] = dir.Zones[i].Level
	}
	for i := range dir.Grants {
		g := &dir.Grants[i]
		if (g.Person == person || g.Group != "" && in[g.Group]) && level[g.Zone] >= 2 {
			return true
		}
	}
	return false
}
