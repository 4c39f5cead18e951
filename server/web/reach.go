package web

import (
	"fmt"
	"net/http"
	"slices"

	"monban/firmware/access"
)

// Reach is how much of the site an account's roles let it see on a page: everything, or the zones that it has a role for and those
// inside them (RA-1, ADR 0037). The zero value sees nothing.
type Reach struct {
	All      bool
	Zones    []access.ZoneID
	Doors    []access.DoorID    // that lead into or out of them
	Gateways []access.GatewayID // of these doors
	Whole    []access.GatewayID // of which every door is one of these
}

// Zone reports whether a zone is seen.
func (r *Reach) Zone(id access.ZoneID) bool { return r.All || id != "" && slices.Contains(r.Zones, id) }

// Door reports whether what happens at a door is seen.
func (r *Reach) Door(id access.DoorID) bool { return r.All || slices.Contains(r.Doors, id) }

// Gateway reports whether what a gateway tells of itself is seen.
func (r *Reach) Gateway(id access.GatewayID) bool { return r.All || slices.Contains(r.Gateways, id) }

// Place reports whether what happens at a door, or else at a gateway, is seen; at neither, the whole site's.
func (r *Reach) Place(d access.DoorID, g access.GatewayID) bool {
	switch {
	case d != "":
		return r.Door(d)
	case g != "":
		return r.Gateway(g)
	}
	return r.All
}

// silences reports whether alerts of a place may be held back by who sees this: of a gateway that has a door of another zone too
// they may not.
func (r *Reach) silences(p *AlertPlace) bool {
	if p.Door != "" {
		return r.Door(p.Door)
	}
	return r.All || slices.Contains(r.Whole, p.Gateway)
}

// finding reports whether a finding is seen: by its door, else by its gateway, else by one of the zones that it lies in. One that
// is of no place, such as a broken log, is the whole site's.
func (r *Reach) finding(f *Finding, zones []access.ZoneID) bool {
	switch {
	case f.Door != "":
		return r.Door(f.Door)
	case f.Gateway != "":
		return r.Gateway(f.Gateway)
	}
	return r.All || slices.ContainsFunc(zones, r.Zone)
}

// reach works out what the account sees by those of its roles that let it into this page.
func (h *Handler) reach(rq *request) (Reach, error) {
	if rq.seen != nil {
		return *rq.seen, nil
	}
	set := rq.entry
	if rq.names { // a role that sees no names widens none of one that does
		set &^= roleSet(RoleSystemAdmin)
	}
	out, err := h.reachBy(rq, set)
	if err != nil {
		return out, err
	}
	rq.seen = &out
	return out, nil
}

// reachBy works out what the account sees by those of its roles that are in set.
func (h *Handler) reachBy(rq *request, set RoleSet) (out Reach, err error) {
	var zones []access.ZoneID
	for _, as := range rq.account.Roles {
		switch {
		case !as.holds(rq.now) || !set.Has(as.Role):
		case as.Zone == "":
			out.All = true
		default:
			zones = append(zones, as.Zone)
		}
	}
	if !out.All && len(zones) > 0 {
		if out, err = h.src.Registers.ReachOf(rq.Context(), zones); err != nil {
			return out, fmt.Errorf("zones of an account: %w", err)
		}
	}
	return out, nil
}

// whole lets into a page only who has one of its roles for the whole site.
func whole(serve func(*Handler, http.ResponseWriter, *request) error) func(*Handler, http.ResponseWriter, *request) error {
	return func(h *Handler, w http.ResponseWriter, rq *request) error {
		r, err := h.reach(rq)
		if err == nil && !r.All {
			err = errForbidden
		}
		if err != nil {
			return err
		}
		return serve(h, w, rq)
	}
}

// sitewide lets in only who has one of the roles for the whole site: what the act changes is no zone's.
func sitewide(set RoleSet, serve func(*Handler, http.ResponseWriter, *request) error) func(*Handler, http.ResponseWriter, *request) error {
	return func(h *Handler, w http.ResponseWriter, rq *request) error {
		if !rq.may(set, "") {
			return errForbidden
		}
		return serve(h, w, rq)
	}
}

// inReach refuses a zone that the account does not see.
func (h *Handler) inReach(rq *request, zone access.ZoneID) error {
	r, err := h.reach(rq)
	if err == nil && !r.Zone(zone) {
		err = errForbidden
	}
	return err
}
