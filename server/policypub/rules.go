// Package policypub turns the directory into policies: the site policy that the server itself decides
// by, and for each gateway a snapshot under its own tokens, signed and versioned (D7, D23).
//
// Every version that comes into force is kept, content-addressed, and a system leaf commits to it in
// the transaction that changes the directory (D16), so that a decision of years ago can be decided
// again. Serves I5: once a change has committed, no lease, answer or manifest names an older version.
package policypub

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/server/directory"
)

// Rules makes the site's rules of a directory, with the card_ref as key and version as the version
// of all three kinds of thing that hang on it. dir is as it is in force (directory.InForce): Rules has no
// clock. Whatever the directory leaves open is filled in on the strict side. zone is the site's time zone: days begin and end in it.
func Rules(dir *directory.Snapshot, site string, zone *time.Location, version uint64) (access.Rules, error) {
	if probs := dir.Validate(); len(probs) > 0 {
		return access.Rules{}, fmt.Errorf("compile policy: %w", probs)
	}
	r := access.Rules{Version: version, Site: site, TimeZone: zone.String(), Calendar: calendarOf(dir)}
	contracts, guests := contractsOf(dir), map[directory.PersonID]bool{}
	for i := range dir.Grants {
		if g := &dir.Grants[i]; g.Exact != (directory.Span{}) {
			guests[g.Person] = true
		}
	}
	persons := make(map[directory.PersonID]access.PersonNo, len(dir.People))
	for i := range dir.People {
		p := &dir.People[i]
		persons[p.ID] = access.PersonNo(i)
		r.Persons = append(r.Persons, personOf(p, contracts[p.ID], guests[p.ID] || len(dir.Contracts) == 0, zone))
	}
	for i := range dir.Credentials {
		c := &dir.Credentials[i]
		r.Credentials = append(r.Credentials, access.Credential{
			Key: access.Key(c.Ref), Person: persons[c.Person], Status: c.Status, Assurance: c.Assurance,
			FromMS: later(c.ValidFrom.StartMS(zone), c.Exact.FromMS), UntilMS: earlier(c.ValidUntil.EndMS(zone), c.Exact.UntilMS),
			HasPIN: c.PIN != card.PINRef{}, PIN: access.Key(c.PIN), Duress: access.Key(c.Duress),
		})
	}
	for i := range dir.Zones {
		r.Zones = append(r.Zones, zoneOf(&dir.Zones[i]))
	}
	refs := make(map[directory.CardID]access.Key, len(dir.Credentials))
	for i := range dir.Credentials {
		refs[dir.Credentials[i].ID] = access.Key(dir.Credentials[i].Ref)
	}
	for i := range dir.Doors {
		r.Doors = append(r.Doors, doorOf(&dir.Doors[i], refs, dir.Terms.PINTries))
	}
	schedules := make(map[directory.ScheduleID]int32, len(dir.Schedules))
	for i := range dir.Schedules {
		s := &dir.Schedules[i]
		if s.Always() {
			schedules[s.ID] = access.Always
			continue
		}
		schedules[s.ID] = int32(len(r.Schedules))
		r.Schedules = append(r.Schedules, scheduleOf(s))
	}
	r.Grants = grantsOf(dir, persons, schedules, zone)
	return r, nil
}

// later and earlier narrow a validity; 0 is no limit.
func later(a, b int64) int64 { return max(a, b) }

func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func doorOf(x *directory.Door, refs map[directory.CardID]access.Key, tries uint8) access.Door {
	sides := []access.Side{access.SideEnter}
	if x.Sensing == door.ExitReader {
		sides = append(sides, access.SideExit)
	}
	var recovery []access.Key
	for _, id := range x.Recovery.List() {
		recovery = append(recovery, refs[id])
	}
	return access.Door{
		PINLimit: tries,
		ID:       x.ID, EnterZone: x.Enter, Recovery: recovery, GuardsServer: x.GuardsServer, ExitZone: x.Exit, Sides: sides, OfflineMode: x.Offline,
		MaxAgeMS: x.MaxAge.Milliseconds(), Mode: x.Mode, Interlock: x.Interlock,
	}
}

// modesOf makes the modes part of a directory, for the doors that keep says.
func modesOf(dir *directory.Snapshot, version uint64, keep func(*directory.Door) bool) access.Modes {
	m := access.Modes{Version: version}
	for i := range dir.Doors {
		x := &dir.Doors[i]
		if x.Mode != access.ModeNormal && keep(x) {
			m.Doors = append(m.Doors, access.DoorModeItem{Door: x.ID, Mode: x.Mode})
		}
	}
	return m
}
