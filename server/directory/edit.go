package directory

import (
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/firmware/card"
)

// The edits that pages ask for, on a copy of the directory; Update or ChangeOrPropose validates and writes it.

// SetCardStatus suspends, reports lost, revokes or re-activates a card (AD-7, AD-17). Revoked is for good.
func (s *Snapshot) SetCardStatus(id CardID, status access.CredentialStatus) error {
	c, err := s.card(id)
	if err != nil {
		return err
	}
	if c.Status == access.CredentialRevoked && status != access.CredentialRevoked {
		return fmt.Errorf("card %s: %w", id, ErrRevoked)
	}
	c.Status = status
	return nil
}

func (s *Snapshot) card(id CardID) (*Credential, error) {
	for i := range s.Credentials {
		if s.Credentials[i].ID == id {
			return &s.Credentials[i], nil
		}
	}
	return nil, fmt.Errorf("card %s: %w", id, ErrNoSuch)
}

// SetPIN sets a card's PIN and duress PIN, 4–8 digits each; "" takes one away, and without a PIN there is no
// duress PIN either (AD-13). No error repeats a digit.
func (s *Snapshot) SetPIN(maker CardMaker, id CardID, pin, duress string) error {
	c, err := s.card(id)
	if err != nil {
		return err
	}
	next := *c
	next.PIN, next.Duress = card.PINRef{}, card.PINRef{}
	for _, x := range []struct {
		digits string
		to     *card.PINRef
	}{{pin, &next.PIN}, {duress, &next.Duress}} {
		if x.digits == "" {
			continue
		}
		if *x.to, err = maker.PIN(c.Ref, x.digits); err != nil {
			return fmt.Errorf("card %s: a PIN has 4–8 digits 0–9", id)
		}
	}
	if why := next.validate(); why != "" {
		return fmt.Errorf("card %s %s", id, why)
	}
	*c = next
	return nil
}

// SetPersonActive suspends a person as a whole, or lifts that.
func (s *Snapshot) SetPersonActive(id PersonID, active bool) error {
	for i := range s.People {
		if s.People[i].ID == id {
			s.People[i].Active = active
			return nil
		}
	}
	return fmt.Errorf("person %s: %w", id, ErrNoSuch)
}

// AcknowledgeConditions notes that a person has accepted a version of the entry conditions (VE-6). An older one
// than was accepted before changes nothing.
func (s *Snapshot) AcknowledgeConditions(id PersonID, version uint32) error {
	if !slices.ContainsFunc(s.Conditions, func(c Conditions) bool { return c.Version == version }) {
		return fmt.Errorf("entry conditions %d: %w", version, ErrNoSuch)
	}
	for i := range s.People {
		if p := &s.People[i]; p.ID == id {
			p.Conditions = max(p.Conditions, version)
			return nil
		}
	}
	return fmt.Errorf("person %s: %w", id, ErrNoSuch)
}

// SetDoorMode puts a door into normal, locked or lockdown mode (D13).
func (s *Snapshot) SetDoorMode(id access.DoorID, mode access.DoorMode) error {
	for i := range s.Doors {
		if s.Doors[i].ID == id {
			s.Doors[i].Mode = mode
			return nil
		}
	}
	return fmt.Errorf("door %s: %w", id, ErrNoSuch)
}

// PutGrant gives a grant, or changes the one with its ID. Without an ID it is named by person or group, zone and
// schedule, and by its first day when it begins after the one of that name has ended. Without an end it ends by
// DefaultExpiry of the day it begins, or of today.
func (s *Snapshot) PutGrant(today Date, g Grant) error {
	var p Person
	if g.Group == "" {
		i := slices.IndexFunc(s.People, func(p Person) bool { return p.ID == g.Person })
		if i < 0 {
			return fmt.Errorf("person %s: %w", g.Person, ErrNoSuch)
		}
		p = s.People[i]
	} else if !slices.ContainsFunc(s.Groups, func(x Group) bool { return x.ID == g.Group }) {
		return fmt.Errorf("group %s: %w", g.Group, ErrNoSuch)
	}
	if g.ID == "" {
		g.ID = nameGrant(g, func(id GrantID) (Grant, bool) {
			i := slices.IndexFunc(s.Grants, func(old Grant) bool { return old.ID == id })
			if i < 0 {
				return Grant{}, false
			}
			return s.Grants[i], true
		})
	}
	g.ValidUntil = firstSet(g.ValidUntil, DefaultExpiry(laterDay(today, g.ValidFrom), p))
	s.Grants = slices.DeleteFunc(s.Grants, func(old Grant) bool { return old.ID == g.ID })
	s.Grants = append(s.Grants, g)
	return nil
}

// RevokeGrant takes a grant away.
func (s *Snapshot) RevokeGrant(id GrantID) error {
	n := len(s.Grants)
	s.Grants = slices.DeleteFunc(slices.Clone(s.Grants), func(g Grant) bool { return g.ID == id })
	if len(s.Grants) == n {
		return fmt.Errorf("grant %s: %w", id, ErrNoSuch)
	}
	return nil
}
