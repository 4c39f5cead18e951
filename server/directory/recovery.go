package directory

import (
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// recovery refuses doors whose recovery cards cannot work, and doors that guard the server and could
// lock everybody out (AD-18): after a power cut nobody would be let in by a server that nobody can
// reach. Whether the cards are in force today is Lockout's question, not this one's: a lost recovery
// card must be stopped at once, whatever it was for.
func (v *validation) recovery(s *Snapshot) {
	cards := make(map[CardID]*Credential, len(s.Credentials))
	for i := range s.Credentials {
		cards[s.Credentials[i].ID] = &s.Credentials[i]
	}
	zones := make(map[access.ZoneID]*Zone, len(s.Zones))
	for i := range s.Zones {
		zones[s.Zones[i].ID] = &s.Zones[i]
	}
	modes := make(map[access.GatewayID]KeyMode, len(s.Gateways))
	for i := range s.Gateways {
		modes[s.Gateways[i].ID] = s.Gateways[i].KeyMode
	}
	for i := range s.Doors {
		x := &s.Doors[i]
		list := x.Recovery.List()
		if n := len(list); n > 0 && n < access.MinRecovery {
			v.say("door", string(x.ID), fmt.Sprintf("has %d recovery card; name %d–%d, for one alone may be lost or on leave (AD-18)", n, access.MinRecovery, access.MaxRecovery))
		}
		for n, id := range list {
			v.refers("door", string(x.ID), "card", string(id))
			c := cards[id]
			if slices.Contains(list[:n], id) {
				v.say("door", string(x.ID), "names a recovery card twice")
			}
			if c == nil {
				continue
			}
			if c.PIN == (card.PINRef{}) {
				v.say("door", string(x.ID), fmt.Sprintf("has the recovery card %s, which has no PIN; give it one (AD-18)", clip(string(id))))
			}
			if z := zones[x.Enter]; z != nil && !c.Assurance.Satisfies(s.Terms.Least(z)) {
				v.say("door", string(x.ID), fmt.Sprintf("has the recovery card %s, which proves less than the zone asks; name a better card", clip(string(id))))
			}
		}
		if !x.locksOut() {
			continue
		}
		if len(list) == 0 {
			v.say("door", string(x.ID), fmt.Sprintf("guards the server and has no recovery cards; name %d–%d in recovery_cards, or after a power cut nobody gets in (AD-18)", access.MinRecovery, access.MaxRecovery))
		}
		if modes[x.Gateway] == KeyServer {
			v.say("door", string(x.ID), fmt.Sprintf("guards the server, but gateway %s fetches its keys from the server (key_mode D); use A, B or C there (AD-18)", clip(string(x.Gateway))))
		}
		if x.Offline == access.OfflineDeny {
			v.say("door", string(x.ID), "guards the server, but denies everybody while it is away; set offline to cached_pin (AD-18)")
		}
	}
}

// locksOut reports whether a person could be kept from the server by this door. An observed door has no
// lock.
func (x *Door) locksOut() bool { return x.GuardsServer && x.Kind == door.KindControlled }

// Lockout says, for each door that guards the server, what would keep everybody out of it if the server
// were away on the given day: too few recovery cards in force, or a mode in which nobody enters. No
// problems: somebody can get in.
func (s *Snapshot) Lockout(today Date) Problems {
	v := validation{}
	people := make(map[PersonID]*Person, len(s.People))
	for i := range s.People {
		people[s.People[i].ID] = &s.People[i]
	}
	cards := make(map[CardID]*Credential, len(s.Credentials))
	for i := range s.Credentials {
		cards[s.Credentials[i].ID] = &s.Credentials[i]
	}
	for i := range s.Doors {
		x := &s.Doors[i]
		if !x.locksOut() {
			continue
		}
		usable := 0
		holders := map[PersonID]bool{}
		for _, id := range x.Recovery.List() {
			c := cards[id]
			if c == nil || c.Status != access.CredentialActive || c.PIN == (card.PINRef{}) || !onDay(today, c.ValidFrom, c.ValidUntil) {
				continue
			}
			p := people[c.Person]
			if p == nil || !p.Active || !onDay(today, p.ValidFrom, p.ValidUntil) || !onDay(today, p.ContractFrom, p.ContractUntil) {
				continue
			}
			usable++
			holders[c.Person] = true
		}
		switch {
		case usable < access.MinRecovery:
			v.say("door", string(x.ID), fmt.Sprintf("guards the server, and %d of its %d recovery cards can be used today; name at least %d that are in force (AD-18)", usable, len(x.Recovery.List()), access.MinRecovery))
		case len(holders) < access.MinRecovery:
			v.say("door", string(x.ID), "guards the server, and all its recovery cards are one person's; name a second person (AD-18)")
		}
		if x.Mode != access.ModeNormal {
			v.say("door", string(x.ID), fmt.Sprintf("guards the server and is in mode %s, in which recovery cards do not open it; only the mechanical key does (AD-18)", x.Mode))
		}
	}
	return v.probs
}

// onDay reports whether day lies in from … until, both inclusive; an unset one is no limit.
func onDay(day, from, until Date) bool {
	return (from.IsZero() || !day.Before(from)) && (until.IsZero() || !until.Before(day))
}
