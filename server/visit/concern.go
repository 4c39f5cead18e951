package visit

import "monban/server/directory"

// Concern is whom a matter concerns. Nobody of them settles what is found about it (VR-2).
type Concern struct {
	About    []directory.PersonID // it is about them, or about what they did
	Approved []directory.PersonID // they let it happen, or were to
	Accounts []string             // of steps: who did something may be no person of the directory
}

// ConcernOf reads whom a matter concerns out of its subject and the persons of its steps.
func ConcernOf(m Matter) (c Concern) {
	c.about(m.Subject())
	switch m := m.(type) {
	case *Visit:
		c.about(m.Attendee)
		c.did(m.Asked, m.CountIn, m.CountOut, m.Ended)
		for i := range m.Guests {
			g := &m.Guests[i]
			c.about(g.Person, g.Escort)
			c.did(g.Replaced, g.Checked, g.Lent, g.Returned, g.Leaving)
		}
		for i := range m.Carriers {
			c.about(m.Carriers[i].Person)
		}
		if c.approved(m.Decided, m.Extended); m.Oral != nil {
			c.Approved = append(c.Approved, m.Oral.Approver)
			c.approved(m.Oral.Confirmed, m.Oral.Denied)
		}
	case *TemporaryCard:
		c.did(m.Issued, m.Returned)
	case *Suspension:
		c.did(m.Stopped, m.Asked, m.Given)
		c.approved(m.Resumed)
	case *Emergency:
		c.about(m.Persons...)
		c.did(m.Declared, m.Ended, m.Reported)
		c.approved(m.Agreed)
	case *Carry:
		c.did(m.Opened, m.Closed, m.Settled)
	case *KeyLoan:
		c.did(m.Out, m.Returned)
	}
	return c
}

func (c *Concern) about(persons ...directory.PersonID) {
	for _, p := range persons {
		if p != "" {
			c.About = append(c.About, p)
		}
	}
}

func (c *Concern) did(steps ...Step) {
	for _, s := range steps {
		if c.about(s.Person); s.Account != "" {
			c.Accounts = append(c.Accounts, s.Account)
		}
	}
}

func (c *Concern) approved(steps ...Step) {
	for _, s := range steps {
		if s.Person != "" {
			c.Approved = append(c.Approved, s.Person)
		}
		if s.Account != "" {
			c.Accounts = append(c.Accounts, s.Account)
		}
	}
}
