package directory

import (
	"slices"

	"monban/firmware/access"
)

// Apply makes a change of one row in s: for pages that edit a single row. It neither validates nor writes.
func (c *Change) Apply(s *Snapshot) { s.Put([]Change{*c}) }

// Put makes many changes in s, in their order: each puts its row into the place of the one it has the identifier of, or takes
// that out. It neither validates nor writes. What s shares with another directory is not changed. It takes time and memory for
// the rows and the changes, not for one times the other: an import may bring 100,000 cards.
func (s *Snapshot) Put(changes []Change) {
	put(&s.People, changes, func(c *Change) *Person { return c.Person }, func(v *Person) PersonID { return v.ID })
	put(&s.Credentials, changes, func(c *Change) *Credential { return c.Credential }, func(v *Credential) CardID { return v.ID })
	put(&s.Zones, changes, func(c *Change) *Zone { return c.Zone }, func(v *Zone) access.ZoneID { return v.ID })
	put(&s.Doors, changes, func(c *Change) *Door { return c.Door }, func(v *Door) access.DoorID { return v.ID })
	put(&s.Gateways, changes, func(c *Change) *Gateway { return c.Gateway }, func(v *Gateway) access.GatewayID { return v.ID })
	put(&s.Schedules, changes, func(c *Change) *Schedule { return c.Schedule }, func(v *Schedule) ScheduleID { return v.ID })
	put(&s.Grants, changes, func(c *Change) *Grant { return c.Grant }, func(v *Grant) GrantID { return v.ID })
	put(&s.ClosedDays, changes, func(c *Change) *ClosedDay { return c.ClosedDay }, func(v *ClosedDay) Date { return v.Day })
	put(&s.Groups, changes, func(c *Change) *Group { return c.Group }, func(v *Group) GroupID { return v.ID })
	put(&s.Contracts, changes, func(c *Change) *Contract { return c.Contract }, func(v *Contract) ContractID { return v.ID })
	put(&s.Exceptions, changes, func(c *Change) *Exception { return c.Exception }, func(v *Exception) ExceptionID { return v.ID })
	put(&s.Conditions, changes, func(c *Change) *Conditions { return c.Conditions }, func(v *Conditions) uint32 { return v.Version })
	put(&s.Items, changes, func(c *Change) *Item { return c.Item }, func(v *Item) ItemID { return v.ID })
	put(&s.Enrolments, changes, func(c *Change) *Enrolment { return c.Enrolment }, func(v *Enrolment) string { return v.key() })
	put(&s.Rounds, changes, func(c *Change) *Round { return c.Round }, func(v *Round) RoundID { return v.ID })
	put(&s.Transfers, changes, func(c *Change) *Transfer { return c.Transfer }, func(v *Transfer) PersonID { return v.Person })
}

// put makes the changes of one kind of row; the others are those whose row of this kind is nil.
func put[K comparable, V any](rows *[]V, changes []Change, row func(*Change) *V, id func(*V) K) {
	var at map[K]int // place of each row; made with the first change
	gone := map[int]bool{}
	out := *rows
	for i := range changes {
		v := row(&changes[i])
		if v == nil {
			continue
		}
		if at == nil {
			out, at = slices.Clone(out), make(map[K]int, len(out))
			for j := range out {
				at[id(&out[j])] = j
			}
		}
		j, there := at[id(v)]
		switch {
		case changes[i].Op == OpRemove && there:
			gone[j] = true
			delete(at, id(v))
		case changes[i].Op == OpRemove:
		case there:
			out[j] = *v
		default:
			at[id(v)] = len(out)
			out = append(out, *v)
		}
	}
	if len(gone) > 0 {
		kept := out[:0]
		for j := range out {
			if !gone[j] {
				kept = append(kept, out[j])
			}
		}
		clear(out[len(kept):])
		out = kept
	}
	*rows = out
}
