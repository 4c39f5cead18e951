package directory

import (
	"slices"

	"monban/firmware/access"
)

// Right is one reason why somebody may enter a zone, or may not any more: a grant and what it rests on.
type Right struct {
	Grant    Grant
	Group    *Group     // through which the person has it; nil = the person's own
	Contract []Contract // of a contractor, those that name the person
	Holds    bool       // it counts on the day that was asked for, as far as days and states go
	Why      string     // in one word why it does not: "", not_yet, ended, suspended, uncertified, inactive, contract
}

// RightsOf lists every grant of a person, own ones and those of groups, by zone, with what it rests on and
// whether it counts on a day: a person's page shows from it why each right exists.
func (s *Snapshot) RightsOf(id PersonID, day Date) []Right {
	at := slices.IndexFunc(s.People, func(p Person) bool { return p.ID == id })
	if at < 0 {
		return nil
	}
	p := &s.People[at]
	var contracts []Contract
	for _, c := range s.Contracts {
		if _, named := slices.BinarySearch(c.Workers, id); named {
			contracts = append(contracts, c)
		}
	}
	barred := map[access.ZoneID]string{}
	for i := range s.Zones {
		barred[s.Zones[i].ID] = s.Uncertified(s.Zones[i].ID)[id]
	}
	var out []Right
	s.EachRight(func(holder PersonID, g *Grant, group *Group) {
		if holder != id {
			return
		}
		r := Right{Grant: *g, Group: group, Contract: contracts}
		switch {
		case !p.Active || !covers(p.ValidFrom, p.ValidUntil, day):
			r.Why = "inactive"
		case g.Suspended:
			r.Why = "suspended"
		case barred[g.Zone] == AnswerSuspended || barred[g.Zone] == AnswerRemove && group != nil:
			r.Why = "uncertified"
		case !g.ValidFrom.IsZero() && day.Before(g.ValidFrom):
			r.Why = "not_yet"
		case g.ValidUntil.Before(day):
			r.Why = "ended"
		case p.Category == Contractor && !s.contracted(p, day):
			r.Why = "contract"
		}
		r.Holds = r.Why == ""
		out = append(out, r)
	})
	slices.SortStableFunc(out, func(a, b Right) int {
		if a.Grant.Zone != b.Grant.Zone {
			if a.Grant.Zone < b.Grant.Zone {
				return -1
			}
			return 1
		}
		return 0
	})
	return out
}

// EachRight calls f for every grant and everybody who has it; group is nil for a person's own.
func (s *Snapshot) EachRight(f func(holder PersonID, g *Grant, group *Group)) {
	groups := byID(s.Groups, func(g *Group) GroupID { return g.ID })
	for i := range s.Grants {
		g := &s.Grants[i]
		if g.Group == "" {
			f(g.Person, g, nil)
			continue
		}
		if group := groups[g.Group]; group != nil {
			for _, p := range group.Members {
				f(p, g, group)
			}
		}
	}
}
