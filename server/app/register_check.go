package app

import (
	"slices"

	"monban/firmware/access"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/web"
)

// checks says who has confirmed each row of a zone's register, by the acts on its days.
type checks struct {
	days     map[string][]signoff.Act
	fullName map[string]string
	two      bool
}

// openChecks reads the acts on a zone's days from…to.
func openChecks(r store.Reader, zone access.ZoneID, from, to string) (*checks, error) {
	c := &checks{days: map[string][]signoff.Act{}, fullName: map[string]string{}}
	settings, err := reviewSettings(r)
	if err != nil {
		return nil, err
	}
	c.two = settings.TwoSign(string(zone))
	accounts, err := r.Accounts()
	if err != nil {
		return nil, err
	}
	by := map[string]signoff.Actor{}
	for _, a := range accounts {
		by[a.ID], c.fullName[a.ID] = signoff.Actor{Account: a.ID, Person: a.Person}, a.FullName
	}
	acts, err := r.DayActs(string(zone), from, to)
	for _, a := range acts {
		c.days[a.Day] = append(c.days[a.Day], dayAct(a, by))
	}
	return c, err
}

// dayAct is an act as package signoff reads it.
func dayAct(a store.DayAct, accounts map[string]signoff.Actor) signoff.Act {
	by, known := accounts[a.Account]
	if !known {
		by = signoff.Actor{Account: a.Account}
	}
	return signoff.Act{Idx: a.Idx, Zone: a.Zone, Day: a.Day, Kind: signoff.Kind(a.Kind), Upto: a.Upto, By: by, AtMS: a.AtMS}
}

// of reads who has confirmed a row; person is whose it is. An exit of another day is signed with the day on which it happened.
func (c *checks) of(x *web.RegisterRow, person string) web.RowCheck {
	out := c.line(x.Day, x.Last, person)
	if x.ExitDay == "" || out.Status != signoff.Done {
		return out
	}
	exit := c.line(x.ExitDay, x.ExitLast, person)
	if exit.Status != signoff.Done {
		return web.RowCheck{Status: exit.Status, Exit: true}
	}
	for _, name := range exit.By {
		if !slices.Contains(out.By, name) {
			out.By = append(out.By, name)
		}
	}
	return out
}

func (c *checks) line(day string, leaf uint64, person string) (out web.RowCheck) {
	x := signoff.CheckOf(c.days[day], int64(leaf), person, c.two)
	if out.Status = x.Status; out.Status != signoff.Done {
		return out
	}
	out.By = []string{c.fullName[x.By.By.Account]}
	if x.Second != nil {
		out.By = append(out.By, c.fullName[x.Second.By.Account])
	}
	return out
}
