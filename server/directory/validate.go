package directory

import (
	"fmt"
	"time"
	"unicode/utf8"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// Bounds of a door's max_age (D12).
const (
	minMaxAge = time.Minute
	maxMaxAge = 168 * time.Hour
)

// Each validate says the first thing that is wrong with the value alone; "" = nothing. No message
// repeats a value: it may be a name, or a number that slipped into the wrong column.

func (p *Person) validate() string {
	switch {
	case !identifier(string(p.ID), 32, true):
		return "is not an identifier: 1–32 of A–Z a–z 0–9 . _ -"
	case !nameFits(p.Name, 1):
		return "has a name that is empty or longer than 100 characters"
	case !nameFits(p.NameReduced, 0), !nameFits(p.Kana, 0), !nameFits(p.Romaji, 0), !nameFits(p.Section, 0), !nameFits(p.Company, 0):
		return "has a name, kana, romaji, section or company longer than 100 characters"
	case p.Category != Staff && p.Category != Contractor && p.Category != Visitor:
		return "has no category; write staff, contractor or visitor"
	case backwards(p.ValidFrom, p.ValidUntil):
		return "is valid until a day before valid_from"
	case p.Kind != "" && wordOf(personKinds(p.Category), p.Kind) == "":
		return "has a kind that its category does not know; school employees are visitors (A8)"
	case p.MayEscort && p.Category == Visitor:
		return "is a visitor, who cannot be an escort (VE-2)"
	case MyNumber(string(p.ID)):
		return noMyNumber
	case backwards(p.ContractFrom, p.ContractUntil):
		return "has a contract that ends before it begins"
	case p.Category == Contractor && p.ContractUntil.IsZero():
		return "is a contractor without contract_until; fill it in (A9)"
	}
	for _, text := range []string{p.Name, p.NameReduced, p.Kana, p.Romaji, p.Section, p.Company} {
		if why := freeText(text, 0, 100); why != "" {
			return why
		}
	}
	return ""
}

func (c *Credential) validate() string {
	switch {
	case !identifier(string(c.ID), 32, true):
		return "is not an identifier: 1–32 of A–Z a–z 0–9 . _ -"
	case c.Ref == (card.Ref{}):
		return "has no card reference"
	case c.KeyVersion == 0:
		return "has no card key version"
	case c.Status == access.CredentialUnset || c.Status > access.CredentialRevoked:
		return "has no status; write active, suspended, lost or revoked"
	case backwards(c.ValidFrom, c.ValidUntil):
		return "is valid until a day before valid_from"
	case c.Duress != (card.PINRef{}) && c.PIN == (card.PINRef{}):
		return "has a duress PIN without a PIN"
	case c.Duress != (card.PINRef{}) && c.PIN == c.Duress:
		return "has a duress PIN equal to the PIN; choose another"
	}
	return ""
}

func (z *Zone) validate() string {
	switch {
	case !identifier(string(z.ID), 32, false):
		return "is not an identifier: 1–32 of a–z 0–9 -"
	case !nameFits(z.Name, 1), !nameFits(z.NameEN, 0):
		return "has a name that is empty or longer than 100 characters"
	case z.Level < 1 || z.Level > 3:
		return "has a level outside 1–3"
	}
	return first(freeText(z.Name, 0, 100), freeText(z.NameEN, 0, 100), z.validateRules())
}

func (g *Gateway) validate() string {
	switch {
	case !identifier(string(g.ID), 32, false):
		return "is not an identifier: 1–32 of a–z 0–9 -"
	case !nameFits(g.Name, 1):
		return "has a name that is empty or longer than 100 characters"
	case g.KeyMode != "" && wordOf(keyModes(), g.KeyMode) == "":
		return "has an unknown key mode; write A, B, C or D"
	}
	return ""
}

func (x *Door) validate() string {
	switch {
	case !identifier(string(x.ID), 32, false):
		return "is not an identifier: 1–32 of a–z 0–9 -"
	case !nameFits(x.Name, 1), !nameFits(x.NameEN, 0):
		return "has a name that is empty or longer than 100 characters"
	case x.Kind > door.KindControlled:
		return "has an unknown kind"
	case x.Sensing > door.ExitHandle:
		return "has an unknown way to sense an exit"
	case x.Remote > RemoteOne:
		return "has an unknown setting for the unlock from afar"
	case x.Enter == x.Exit:
		return "has the same zone on both sides"
	case x.MaxAge < minMaxAge || x.MaxAge > maxMaxAge:
		return fmt.Sprintf("has a max_age outside %v–%v", minMaxAge, maxMaxAge)
	}
	return ""
}

func (s *Schedule) validate() string {
	switch {
	case !identifier(string(s.ID), 32, false):
		return "is not an identifier: 1–32 of a–z 0–9 -"
	case !nameFits(s.Name, 1), !nameFits(s.NameEN, 0):
		return "has a name that is empty or longer than 100 characters"
	}
	for _, w := range s.Windows {
		if w.Days == 0 || w.From < 0 || w.From >= 86400 || w.To <= 0 || w.To > 86400 || w.From == w.To {
			return "has a window without days or with impossible times"
		}
	}
	if backwards(s.ValidFrom, s.ValidUntil) {
		return "has a last day before its first"
	}
	for i, d := range s.Dates {
		if d.Day.IsZero() || i > 0 && !s.Dates[i-1].Day.Before(d.Day) {
			return "has dates out of order, twice, or none"
		}
		for _, w := range d.Windows {
			if w.Days != 0 || w.From < 0 || w.From >= 86400 || w.To <= 0 || w.To > 86400 || w.From == w.To {
				return "has a date with days or impossible times"
			}
		}
	}
	return ""
}

func (g *Grant) validate() string {
	switch {
	case g.ID == "" || len(g.ID) > 120:
		return "has an identifier that is empty or too long"
	case (g.Person == "") == (g.Group == ""):
		return "is of nobody, or of a person and a group at once"
	case g.ValidUntil.IsZero():
		return "has no end; every grant has one (AD-6)"
	case backwards(g.ValidFrom, g.ValidUntil):
		return "is before valid_from"
	}
	return freeText(g.Basis, 0, maxFreeText)
}

// Validate says everything that is wrong with a directory as a whole: values, references that lead
// nowhere, identifiers and cards that stand twice.
func (s *Snapshot) Validate() Problems {
	v := validation{ids: map[string]bool{}, refs: map[card.Ref]CardID{}}
	for i := range s.Zones {
		v.row("zone", string(s.Zones[i].ID), s.Zones[i].validate())
	}
	for i := range s.Gateways {
		v.row("gateway", string(s.Gateways[i].ID), s.Gateways[i].validate())
	}
	for i := range s.Schedules {
		v.row("schedule", string(s.Schedules[i].ID), s.Schedules[i].validate())
	}
	for _, c := range s.ClosedDays {
		v.row("closed day", c.Day.String(), "")
	}
	for i := range s.People {
		v.row("person", string(s.People[i].ID), s.People[i].validate())
	}
	for i := range s.Doors {
		x := &s.Doors[i]
		v.row("door", string(x.ID), x.validate())
		v.refers("door", string(x.ID), "gateway", string(x.Gateway))
		v.refers("door", string(x.ID), "zone", string(x.Enter))
		if x.Exit != "" {
			v.refers("door", string(x.ID), "zone", string(x.Exit))
		}
	}
	for i := range s.Credentials {
		c := &s.Credentials[i]
		v.row("card", string(c.ID), c.validate())
		v.refers("card", string(c.ID), "person", string(c.Person))
		if other, twice := v.refs[c.Ref]; twice {
			v.say("card", string(c.ID), fmt.Sprintf("is the same card as %s; remove one", other))
		}
		v.refs[c.Ref] = c.ID
	}
	v.airlocks(s)
	v.recovery(s)
	v.rules(s)
	for i := range s.Grants {
		g := &s.Grants[i]
		v.row("grant", string(g.ID), g.validate())
		if g.Group != "" {
			v.refers("grant", string(g.ID), "group", string(g.Group))
		} else {
			v.refers("grant", string(g.ID), "person", string(g.Person))
		}
		v.refers("grant", string(g.ID), "zone", string(g.Zone))
		v.refers("grant", string(g.ID), "schedule", string(g.Schedule))
	}
	return v.probs
}

type validation struct {
	ids   map[string]bool
	refs  map[card.Ref]CardID
	probs Problems
}

func (v *validation) say(noun, id, text string) {
	v.probs = append(v.probs, Problem{Text: fmt.Sprintf("%s %s %s", noun, clip(id), text)})
}

func (v *validation) row(noun, id, fault string) {
	if v.ids[noun+" "+id] {
		v.say(noun, id, "stands twice; keep one")
	}
	v.ids[noun+" "+id] = true
	if fault != "" {
		v.say(noun, id, fault)
	}
}

func (v *validation) refers(noun, id, to, target string) {
	if !v.ids[to+" "+target] {
		v.say(noun, id, fmt.Sprintf("names the %s %q, which does not exist", to, clip(target)))
	}
}

// identifier reports whether s is 1–limit characters of [a-z0-9-], with wide also of [A-Z._].
func identifier(s string, limit int, wide bool) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
		case wide && (c >= 'A' && c <= 'Z' || c == '.' || c == '_'):
		default:
			return false
		}
	}
	return true
}

func nameFits(s string, least int) bool {
	n := utf8.RuneCountInString(s)
	return n >= least && n <= 100 && utf8.ValidString(s)
}

func backwards(from, until Date) bool { return !from.IsZero() && !until.IsZero() && until.Before(from) }
