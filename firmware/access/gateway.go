package access

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// ForGateway derives the rules one gateway holds: the named doors, their zones, the grants for the
// zones behind them with the schedules these use, every card and every person.
//
// Every card stays in, also of people without a grant there: a gateway must tell `no_grant` from
// `unknown_credential` as the server does, and a known card always leaves at an exit reader (D11).
// token and pinToken turn a card_ref and a pin_ref into this gateway's own (D9, D10), so that a
// stolen snapshot names no card of any other gateway. The zones around those of the doors come along;
// a zone some of whose doors, or of whose inner zones' doors, belong to another gateway is Shared (D7). A person's id becomes a pseudonym by token,
// stable from version to version of this gateway and unlinkable to another's; persons are numbered
// in the order of these pseudonyms. There are no names in Rules at all.
//
// The result is canonical. site must be valid and is not changed.
func ForGateway(site *Rules, doors []DoorID, token, pinToken func(Key) Key) (Rules, error) {
	if err := site.Validate(); err != nil {
		return Rules{}, fmt.Errorf("derive rules for a gateway: %w", err)
	}
	out := Rules{Version: site.Version, Site: site.Site, TimeZone: site.TimeZone, Calendar: site.Calendar}
	if err := pickDoors(&out, site, doors); err != nil {
		return Rules{}, fmt.Errorf("derive rules for a gateway: %w", err)
	}
	for i := range out.Doors {
		own := make([]Key, 0, len(out.Doors[i].Recovery))
		for _, k := range out.Doors[i].Recovery {
			own = append(own, token(k))
		}
		out.Doors[i].Recovery = own
	}
	pickGrants(&out, site)
	out.Persons = make([]Person, len(site.Persons))
	for i, p := range site.Persons {
		p.ID = Pseudonym(p.ID, token)
		out.Persons[i] = p
	}
	out.Credentials = make([]Credential, len(site.Credentials))
	for i, c := range site.Credentials {
		c.Key = token(c.Key)
		if c.HasPIN {
			c.PIN = pinToken(c.PIN)
		}
		if c.Duress != (Key{}) {
			c.Duress = pinToken(c.Duress)
		}
		out.Credentials[i] = c
	}
	if err := out.Validate(); err != nil { // two tokens that collide, above all
		return Rules{}, fmt.Errorf("derive rules for a gateway: %w", err)
	}
	return out.Canonical(), nil
}

// Pseudonym is the id under which a gateway knows a person; token is that gateway's.
func Pseudonym(id string, token func(Key) Key) string {
	t := token(Key(sha256.Sum256([]byte("monban person\x00" + id))))
	return hex.EncodeToString(t[:16])
}

// ShortPseudonym is how a gateway's id of a person is printed: the first eight digits, which no two of some thousand people share but
// by a rare chance.
func ShortPseudonym(id string) string {
	if len(id) < 8 {
		return id
	}
	return id[:4] + "-" + id[4:8]
}

func pickDoors(out, site *Rules, doors []DoorID) error {
	served := make(map[DoorID]bool, len(doors))
	for _, id := range doors {
		served[id] = true
	}
	up := make(map[ZoneID]ZoneID, len(site.Zones))
	for _, z := range site.Zones {
		up[z.ID] = z.Parent
	}
	zones := make(map[ZoneID]bool)
	shared := make(map[ZoneID]bool)
	for _, d := range site.Doors {
		touch := shared
		if served[d.ID] {
			touch = zones
			d.Sides = slices.Clone(d.Sides)
			out.Doors = append(out.Doors, d)
			delete(served, d.ID)
		}
		for _, zone := range []ZoneID{d.EnterZone, d.ExitZone} {
			for ; zone != ""; zone = up[zone] { // who is in a zone is in those around it
				touch[zone] = true
			}
		}
	}
	var errs []error
	for id := range served {
		errs = append(errs, fmt.Errorf("door %q does not exist", id))
	}
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	for _, z := range site.Zones {
		if zones[z.ID] {
			z.Shared = shared[z.ID]
			out.Zones = append(out.Zones, z)
		}
	}
	return errors.Join(errs...)
}

// pickGrants takes the grants for the zones behind the served doors and the schedules they use.
func pickGrants(out, site *Rules) {
	behind := make(map[ZoneID]bool)
	for _, d := range out.Doors {
		behind[d.EnterZone] = true
	}
	used := make([]bool, len(site.Schedules))
	for _, g := range site.Grants {
		if behind[g.Zone] {
			out.Grants = append(out.Grants, g)
			if g.Schedule != Always {
				used[g.Schedule] = true
			}
		}
	}
	number := make([]int32, len(used))
	for i, u := range used {
		if u {
			number[i] = int32(len(out.Schedules))
			out.Schedules = append(out.Schedules, site.Schedules[i])
		}
	}
	for i := range out.Grants {
		if out.Grants[i].Schedule != Always {
			out.Grants[i].Schedule = number[out.Grants[i].Schedule]
		}
	}
}
