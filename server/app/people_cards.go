package app

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wiegand"
	"monban/server/directory"
	"monban/server/privacy"
	"monban/server/web"
)

// errPIN marks digits that are no PIN.
var errPIN = web.FormFault{{Field: "pin", Word: "pin"}}

// AddCard implements web.People. No fault repeats the number.
func (p *peoplePages) AddCard(ctx context.Context, in web.CardInput, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	c := directory.Credential{ID: directory.CardID(in.ID), Person: directory.PersonID(in.Person), Format: in.Format, Status: access.CredentialActive}
	var err error
	if c.Assurance, err = card.ParseAssurance(in.Assurance); err != nil {
		return web.Effect{}, web.FormFault{{Field: "assurance", Word: "required"}}
	}
	bad := append(dayInto("valid_from", in.ValidFrom, &c.ValidFrom), dayInto("valid_until", in.ValidUntil, &c.ValidUntil)...)
	layout := slices.IndexFunc(wiegand.Formats(), func(l wiegand.Layout) bool { return string(l.Name()) == in.Format })
	if layout < 0 {
		return web.Effect{}, append(bad, web.FieldFault{Field: "format", Word: "required"})
	}
	facility, number := uint64(0), uint64(0)
	if in.Facility != "" {
		if facility, err = strconv.ParseUint(in.Facility, 10, 32); err != nil {
			bad = append(bad, web.FieldFault{Field: "facility", Word: "digits"})
		}
	} else if wiegand.Formats()[layout].HasFacility() {
		bad = append(bad, web.FieldFault{Field: "facility", Word: "required"})
	}
	if number, err = strconv.ParseUint(in.Number, 10, 63); err != nil {
		bad = append(bad, web.FieldFault{Field: "number", Word: "digits"})
	}
	if len(bad) > 0 {
		return web.Effect{}, bad
	}
	maker := p.registry.cards()
	if c.Ref, c.Masked, err = maker.Card(in.Format, facility, number); err != nil {
		return web.Effect{}, web.FormFault{{Field: "number", Word: "card_number"}}
	}
	c.KeyVersion = maker.Version()
	if in.PIN != "" {
		if c.PIN, err = maker.PIN(c.Ref, in.PIN); err != nil {
			return web.Effect{}, errPIN
		}
	}
	badges, err := p.visits.ListBadges(ctx)
	if err != nil {
		return web.Effect{}, err
	}
	for i := range badges {
		switch b := &badges[i]; {
		case b.ID == in.ID:
			return web.Effect{}, web.FormFault{{Field: "id", Word: "taken"}}
		case b.HasCard() && b.Ref == c.Ref:
			return web.Effect{}, web.FormFault{{Field: "number", Word: "card_taken"}}
		}
	}
	return p.edit(ctx, act, false, func(s *directory.Snapshot) error {
		for i := range s.Credentials {
			switch x := &s.Credentials[i]; {
			case x.ID == c.ID:
				return web.FormFault{{Field: "id", Word: "taken"}}
			case x.Ref == c.Ref:
				return web.FormFault{{Field: "number", Word: "card_taken"}}
			}
		}
		s.Credentials = append(s.Credentials, c)
		return nil
	})
}

// SetPIN implements web.People.
func (p *peoplePages) SetPIN(ctx context.Context, person, id, pin, duress string, act web.Action) (web.Effect, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return web.Effect{}, bad
	}
	maker := p.registry.cards()
	return p.edit(ctx, act, false, func(s *directory.Snapshot) error {
		at := slices.IndexFunc(s.Credentials, func(c directory.Credential) bool { return string(c.ID) == id && string(c.Person) == person })
		switch {
		case at < 0:
			return web.ErrNotFound
		case s.Credentials[at].Status == access.CredentialRevoked:
			return web.FormFault{{Word: "revoked"}}
		}
		if err := s.SetPIN(maker, directory.CardID(id), pin, duress); err != nil {
			return errPIN // whatever it was, it does not repeat a digit
		}
		return nil
	})
}

// ExportPeople implements web.People.
func (p *peoplePages) ExportPeople(ctx context.Context, q web.PeopleQuery, use string, shiftJIS bool, act web.Action) ([]byte, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return nil, bad
	}
	s := p.pages.directory()
	ends := p.endings(&s, "")
	kept := map[directory.PersonID]bool{}
	for i := range s.People {
		kept[s.People[i].ID] = p.fits(q, &s.People[i], ends[s.People[i].ID])
	}
	data, err := p.registry.ExportRows(ctx, actorOf(act), privacy.Use(use), act.Reason, directory.KindPeople, shiftJIS, func(c *directory.Change) bool {
		return c.Person != nil && kept[c.Person.ID]
	})
	if errors.Is(err, privacy.ErrNotRegistered) || errors.Is(err, privacy.ErrNoPurpose) {
		return nil, web.FormFault{{Field: "use", Word: "required"}}
	}
	return data, err
}

// Unwritable implements web.People.
func (p *peoplePages) Unwritable(_ context.Context, q web.PeopleQuery) (out []string, err error) {
	s := p.pages.directory()
	ends := p.endings(&s, "")
	for i := range s.People {
		x := &s.People[i]
		if !p.fits(q, x, ends[x.ID]) {
			continue
		}
		for _, text := range []string{x.Name, x.NameReduced, x.Kana, x.Romaji, x.Section, x.Company} {
			if _, lost := directory.ShiftJIS(text); lost > 0 {
				out = append(out, x.Name+" ("+string(x.ID)+")")
				break
			}
		}
	}
	return out, nil
}
