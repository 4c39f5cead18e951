package web

import (
	"fmt"
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
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

// mayNameForms: the municipal names of forms are the whole site's.
func (rq *request) mayNameForms() bool { return rq.may(approveRoles, "") }
