package directory

import (
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
)

var utc = time.UTC

// minEntrants is how many people must be able to enter a zone on 1 April (AD-19): one alone may be ill.
const minEntrants = 2

// Renewal is a grant that ends with the fiscal year and is not continued yet.
type Renewal struct {
	Grant  Grant
	People []PersonID // whom it is about: the person, or the group's members
	From   Date       // 1 April
	Until  Date       // what it would be continued to: 31 March, or the contract's end
}

// RenewalsOpen reports whether the renewal of the fiscal year's grants has begun: from 1 March on.
func RenewalsOpen(today Date) bool { return today.Month == time.March }

// Renewals lists the grants that end on or after 1 March of today's fiscal year and have no successor
// (AD-19), of people who are still active.
func (s *Snapshot) Renewals(today Date) (out []Renewal) {
	end := today.FiscalYearEnd()
	march := Date{end.Year, time.March, 1}
	for _, g := range s.Grants {
		if g.ValidUntil.Before(march) || end.Before(g.ValidUntil) || g.Suspended || g.Basis == basisHandover || s.continued(g) {
			continue
		}
		r := Renewal{Grant: g, From: end.AddDays(1)}
		r.Until = DefaultExpiry(r.From, Person{})
		if g.Group == "" {
			i := slices.IndexFunc(s.People, func(p Person) bool { return p.ID == g.Person })
			if i < 0 || !s.People[i].Active {
				continue
			}
			r.People, r.Until = []PersonID{g.Person}, DefaultExpiry(r.From, s.People[i])
		} else {
			for _, grp := range s.Groups {
				if grp.ID == g.Group {
					r.People = grp.Members
				}
			}
		}
		if r.Until.Before(r.From) {
			continue // the contract ends with the fiscal year as well: renew that first
		}
		out = append(out, r)
	}
	return out
}

// continued reports whether another grant of the same right begins after g.
func (s *Snapshot) continued(g Grant) bool {
	return slices.ContainsFunc(s.Grants, func(x Grant) bool {
		return x.ID != g.ID && x.Person == g.Person && x.Group == g.Group && x.Zone == g.Zone && x.Schedule == g.Schedule && g.ValidUntil.Before(x.ValidUntil)
	})
}

// Renew continues grants of Renewals with grants that begin on 1 April. It reports those it made.
func (s *Snapshot) Renew(today Date, ids []GrantID) ([]GrantID, error) {
	due := s.Renewals(today)
	var made []GrantID
	for _, id := range ids {
		i := slices.IndexFunc(due, func(r Renewal) bool { return r.Grant.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("grant %s is not one that can be renewed: %w", id, ErrNoSuch)
		}
		next := due[i].Grant
		next.ID, next.ValidFrom, next.ValidUntil = "", due[i].From, due[i].Until
		if err := s.PutGrant(today, next); err != nil {
			return nil, err
		}
		made = append(made, s.Grants[len(s.Grants)-1].ID)
	}
	return made, nil
}

// Entrants lists who could enter a zone at some hour of a day by what the directory says: active, with a card and
// a grant of that day, a PIN where one is asked for, a contract, the zone's training and conditions. Visitors,
// and whoever needs an escort there, do not count.
func (s *Snapshot) Entrants(zone access.ZoneID, day Date) []PersonID {
	at := slices.IndexFunc(s.Zones, func(z Zone) bool { return z.ID == zone })
	if at < 0 {
		return nil
	}
	z := s.InForce(day).Zones[at]
	cards := map[PersonID]bool{}
	for _, c := range s.Credentials {
		if c.Status == access.CredentialActive && covers(c.ValidFrom, c.ValidUntil, day) && c.Assurance >= z.MinAssurance && (!z.PINAlways || c.PIN != (card.PINRef{})) {
			cards[c.Person] = true
		}
	}
	people := byID(s.People, func(p *Person) PersonID { return p.ID })
	barred := s.Uncertified(zone)
	var out []PersonID
	may := func(id PersonID, group bool) {
		p := people[id]
		if p == nil || !p.Active || !cards[id] || !covers(p.ValidFrom, p.ValidUntil, day) || p.Category == Visitor ||
			p.Category == Contractor && (z.Escort == EscortOutsiders || z.Barred == EscortOutsiders || !s.contracted(p, day)) ||
			z.Training == TrainingDeny && (p.TrainingUntil.IsZero() || p.TrainingUntil.Before(day)) || p.Conditions < z.Conditions ||
			barred[id] == AnswerSuspended || group && barred[id] == AnswerRemove {
			return
		}
		out = append(out, id)
	}
	for _, g := range s.Grants {
		if g.Zone != zone || g.Suspended || !covers(g.ValidFrom, g.ValidUntil, day) {
			continue
		}
		if g.Group == "" {
			may(g.Person, false)
			continue
		}
		for _, grp := range s.Groups {
			if grp.ID == g.Group {
				for _, p := range grp.Members {
					may(p, true)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func covers(from, until, day Date) bool {
	return (from.IsZero() || !day.Before(from)) && (until.IsZero() || !until.Before(day))
}

// contracted reports whether a contractor works under a contract on a day (VE-4).
func (s *Snapshot) contracted(p *Person, day Date) bool {
	if !covers(p.ContractFrom, p.ContractUntil, day) {
		return false
	}
	return len(s.Contracts) == 0 || slices.ContainsFunc(s.Contracts, func(c Contract) bool {
		_, named := slices.BinarySearch(c.Workers, p.ID)
		return named && covers(c.ValidFrom, c.ValidUntil, day)
	})
}

// Gap is a zone that too few people could enter.
type Gap struct {
	Zone   access.ZoneID
	Day    Date
	People []PersonID // fewer than two
}

// RolloverGaps lists the zones with a door that fewer than two people could enter on the 1 April after today
// (AD-19). On 1 April it looks at that day.
func (s *Snapshot) RolloverGaps(today Date) (out []Gap) {
	day := today.FiscalYearEnd().AddDays(1)
	if today.Month == time.April && today.Day == 1 {
		day = today
	}
	for i := range s.Zones {
		id := s.Zones[i].ID
		if !slices.ContainsFunc(s.Doors, func(x Door) bool { return x.Enter == id }) {
			continue
		}
		if people := s.Entrants(id, day); len(people) < minEntrants {
			out = append(out, Gap{Zone: id, Day: day, People: people})
		}
	}
	return out
}
