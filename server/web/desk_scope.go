package web

import (
	"fmt"
	"slices"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

// What the officer of one zone may do with what lies in several: a session of carrying belongs to the zones that something is
// carried into and out of, a key to the zones behind its doors. Of another zone they are as if they were not there.

// mayCarry reports whether the account may work at a session: a move belongs to both zones.
func (c *counter) mayCarry(zones ...access.ZoneID) bool {
	for _, z := range zones {
		if z != "" && c.mayDecide(carryRoles, []access.ZoneID{z}) {
			return true
		}
	}
	return false
}

// carryOf refuses a session of other zones.
func (h *Handler) carryOf(c *counter, id string) error {
	list, err := h.src.Visits.Carries(c.rq.Context())
	if err != nil {
		return fmt.Errorf("carry sessions: %w", err)
	}
	for i := range list {
		if list[i].ID == id {
			if c.mayCarry(list[i].Zone, list[i].To) {
				return nil
			}
			return ErrNotFound
		}
	}
	return nil // of none: the act says so
}

// mayKey reports whether the account may lend a key of the inventory and take it back. One that opens no door of the site,
// as of a rack, is anybody's who lends keys.
func (c *counter) mayKey(k *directory.Item) bool {
	known := false
	for id := range strings.FieldsSeq(k.Doors) {
		for i := range c.site.Dir.Doors {
			if d := &c.site.Dir.Doors[i]; d.ID == access.DoorID(id) {
				known = true
				if c.mayDecide(carryRoles, []access.ZoneID{d.Enter}) {
					return true
				}
			}
		}
	}
	return !known
}

// keyOf refuses a key of other zones.
func (c *counter) keyOf(key string) error {
	for i := range c.site.Dir.Items {
		if k := &c.site.Dir.Items[i]; k.Kind == directory.ItemKey && string(k.ID) == key && !c.mayKey(k) {
			return ErrNotFound
		}
	}
	return nil // of none: the act says so
}

// loanOf refuses a loan of a key of other zones.
func (h *Handler) loanOf(c *counter, id string) error {
	list, err := h.src.Visits.KeyLoans(c.rq.Context())
	if err != nil {
		return fmt.Errorf("key loans: %w", err)
	}
	for i := range list {
		if list[i].ID == id {
			return c.keyOf(list[i].Key)
		}
	}
	return nil // of none: the act says so
}

// visitOf is the visit that the address names; ErrNotFound for one that the account does not see: as if it were not there.
func (h *Handler) visitOf(c *counter) (visit.View, error) {
	x, err := h.src.Visits.VisitByID(c.rq.Context(), c.rq.PathValue("id"))
	if err == nil && !c.seesVisit(&x) {
		err = ErrNotFound
	}
	return x, err
}

// seesZones reports whether one of the zones is seen.
func (c *counter) seesZones(zones ...access.ZoneID) bool {
	return c.in.All || slices.ContainsFunc(zones, c.in.Zone)
}

// seesVisit: a visit belongs to every zone that it enters, and to who asked for it and who attends.
func (c *counter) seesVisit(x *visit.View) bool {
	return c.seesZones(x.Zones...) || c.mine(x.Asked, x.Attendee)
}

func (c *counter) seesPermit(x *visit.Permit) bool {
	return c.seesZones(x.Zones...) || c.mine(x.Asked, x.Attendee)
}

func (c *counter) seesCarry(x *visit.Carry) bool {
	return c.seesZones(x.Zone, x.To) || c.mine(x.Opened, x.Attendee, x.Impact.Checker)
}

func (c *counter) seesEmergency(x *visit.Emergency) bool {
	return c.seesZones(x.Zones...) || c.mine(x.Declared, x.Persons...)
}

// emergencyOf refuses an emergency entry that the account does not see.
func (h *Handler) emergencyOf(c *counter, id string) error {
	list, err := h.src.Visits.Emergencies(c.rq.Context())
	if err != nil {
		return fmt.Errorf("emergencies: %w", err)
	}
	for i := range list {
		if list[i].ID == id && !c.seesEmergency(&list[i]) {
			return ErrNotFound
		}
	}
	return nil // of none: the act says so
}

// seesPerson reports whether somebody has, had or will have a right to a zone that is seen, by themselves or in a group: whoever answers
// for a zone sees what happens to the cards that open it.
func (c *counter) seesPerson(id directory.PersonID) bool {
	if c.in.All {
		return true
	}
	if c.known == nil {
		c.known = map[directory.PersonID]bool{}
		groups := map[directory.GroupID]bool{}
		for i := range c.site.Dir.Grants {
			switch g := &c.site.Dir.Grants[i]; {
			case !c.in.Zone(g.Zone):
			case g.Group != "":
				groups[g.Group] = true
			default:
				c.known[g.Person] = true
			}
		}
		for i := range c.site.Dir.Groups {
			for _, p := range c.site.Dir.Groups[i].Members {
				c.known[p] = c.known[p] || groups[c.site.Dir.Groups[i].ID]
			}
		}
	}
	return c.known[id]
}

// seesStopped: a stopped card is also seen by who stopped it, at whatever hour and of whatever zone (AD-17).
func (c *counter) seesStopped(x *visit.Suspension) bool {
	return c.seesPerson(x.Person) || c.mine(x.Stopped, x.Person)
}

// stoppedOf refuses a stopped card that the account does not see.
func (h *Handler) stoppedOf(c *counter, id string) error {
	list, err := h.src.Visits.Suspensions(c.rq.Context())
	if err != nil {
		return fmt.Errorf("suspensions: %w", err)
	}
	for i := range list {
		if list[i].ID == id && !c.seesStopped(&list[i]) {
			return ErrNotFound
		}
	}
	return nil // of none: the act says so
}

// seesKey: a key belongs to the zones behind its doors; one that opens no door of the site, as of a rack, is everybody's.
func (c *counter) seesKey(k *directory.Item) bool {
	known := false
	for id := range strings.FieldsSeq(k.Doors) {
		for i := range c.site.Dir.Doors {
			if d := &c.site.Dir.Doors[i]; d.ID == access.DoorID(id) {
				known = true
				if c.in.Zone(d.Enter) {
					return true
				}
			}
		}
	}
	return !known || c.in.All
}

func (c *counter) seesKeyOf(key string) bool {
	i := slices.IndexFunc(c.site.Dir.Items, func(k directory.Item) bool { return k.Kind == directory.ItemKey && string(k.ID) == key })
	return i < 0 || c.seesKey(&c.site.Dir.Items[i])
}

// mayNameForms: the municipal names of forms are the whole site's.
func (rq *request) mayNameForms() bool { return rq.may(approveRoles, "") }
