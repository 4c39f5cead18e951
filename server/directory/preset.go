package directory

import (
	"slices"
	"time"

	"monban/firmware/access"
)

// Control is something that a zone's level asks for (AD-3, A14) and an exception of the zone can set aside.
type Control string

// Controls.
const (
	ControlPIN       Control = "pin_always"
	ControlTwoPerson Control = "two_person"
	ControlEscort    Control = "escort"
	ControlCarryIn   Control = "carry_in"
)

var controls = [...]Control{ControlPIN, ControlTwoPerson, ControlEscort, ControlCarryIn}

// Controls lists them in the order of a zone's page.
func Controls() []Control { return slices.Clone(controls[:]) }

// column is where an import file says what a zone does about a control.
func (c Control) column() string {
	if c == ControlTwoPerson {
		return "two_person_within"
	}
	return string(c)
}

func controlNames() (out []string) {
	for _, c := range controls {
		out = append(out, string(c))
	}
	return out
}

// presetTwoPerson is the window of two persons that level 3 brings.
const presetTwoPerson = time.Minute

// Preset gives the least that a level asks of a zone (AD-3): level 1 one factor; level 2 card and PIN,
// visitors escorted, things declared; level 3 also two persons, contractors escorted, and somebody who
// attends when things are carried in. From level 2 on a right needs a second person's approval (D27). They
// follow what cities publish and are presets, not this city's rules. An unknown level gets those of 3.
func Preset(level int) Zone {
	switch level {
	case 1:
		return Zone{Level: level}
	case 2:
		return Zone{Level: level, PINAlways: true, Escort: EscortVisitors, CarryIn: CarryInDeclared}
	default:
		return Zone{
			Level: level, PINAlways: true, TwoPersonWithin: presetTwoPerson, StaffNeeded: true, Escort: EscortOutsiders, CarryIn: CarryInAttended,
		}
	}
}

// Weaker lists the controls in which a zone asks for less than its level does.
func (z *Zone) Weaker() (out []Control) {
	p := Preset(z.Level)
	for _, c := range controls {
		var weaker bool
		switch c {
		case ControlPIN:
			weaker = p.PINAlways && !z.PINAlways
		case ControlTwoPerson:
			weaker = p.TwoPersonWithin > 0 && z.TwoPersonWithin == 0
		case ControlEscort:
			weaker = z.Escort < p.Escort
		case ControlCarryIn:
			weaker = z.CarryIn < p.CarryIn
		}
		if weaker {
			out = append(out, c)
		}
	}
	return out
}

// tighten gives a zone what its level asks for in one control.
func (z *Zone) tighten(c Control) {
	p := Preset(z.Level)
	switch c {
	case ControlPIN:
		z.PINAlways = true
	case ControlTwoPerson:
		z.TwoPersonWithin, z.StaffNeeded = p.TwoPersonWithin, p.StaffNeeded
		if z.MaxInside == 1 {
			z.MaxInside = 2 // room for the two who are asked for
		}
	case ControlEscort:
		z.Escort = p.Escort
	case ControlCarryIn:
		z.CarryIn = p.CarryIn
	}
}

// raise gives a zone whatever its level asks for and it lacks.
func (z *Zone) raise() {
	for _, c := range z.Weaker() {
		z.tighten(c)
	}
}

// NewZone gives a zone of a level with what the level asks for.
func NewZone(id access.ZoneID, name string, level int) Zone {
	z := Preset(level)
	z.ID, z.Name = id, name
	return z
}

// InForceOn reports whether an exception holds on a day (VR-8): from its first day to its last.
func (x *Exception) InForceOn(day Date) bool { return !day.Before(x.From) && !x.Until.Before(day) }

// Excepted gives the exception that sets a control of a zone aside on a day, nil when there is none.
func (s *Snapshot) Excepted(z access.ZoneID, c Control, day Date) *Exception {
	for i := range s.Exceptions {
		x := &s.Exceptions[i]
		if x.Subject == "zone" && x.SubjectID == string(z) && x.What == string(c) && x.InForceOn(day) {
			return x
		}
	}
	return nil
}

// InForce is the directory as doors have to see it on a day: a zone that asks for less than its level does
// so only under an exception that has not run out (AD-3, VR-8). An escort that cannot be watched, because
// no exit reader sees the zone's exits, cannot be asked for: then nobody who would need one gets in. s is
// not changed.
func (s *Snapshot) InForce(day Date) Snapshot {
	out := *s
	out.Zones = slices.Clone(s.Zones)
	for i := range out.Zones {
		z := &out.Zones[i]
		z.MinAssurance = s.Terms.Least(z)
		for _, c := range z.Weaker() {
			if s.Excepted(z.ID, c, day) != nil {
				continue
			}
			if c == ControlEscort && !s.seesExits(z.ID) {
				z.Barred = Preset(z.Level).Escort
				continue
			}
			z.tighten(c)
		}
	}
	return out
}

// weakening is a control in which a change makes a zone ask for less than its level does.
type weakening struct {
	zone    access.ZoneID
	control Control
}

// weakened lists what a change weakens without an exception that is in force on the day or still to come. What was weak before stays
// as it is: doors no longer go by it once its exception has run out.
func weakened(base, next *Snapshot, day Date) (out []weakening) {
	before := make(map[access.ZoneID]*Zone, len(base.Zones))
	for i := range base.Zones {
		before[base.Zones[i].ID] = &base.Zones[i]
	}
	for i := range next.Zones {
		z := &next.Zones[i]
		var was []Control
		if old := before[z.ID]; old != nil {
			was = old.Weaker()
		}
		for _, c := range z.Weaker() {
			if !slices.Contains(was, c) && !next.willExcept(z.ID, c, day) {
				out = append(out, weakening{z.ID, c})
			}
		}
	}
	return out
}

func (s *Snapshot) willExcept(z access.ZoneID, c Control, day Date) bool {
	return slices.ContainsFunc(s.Exceptions, func(x Exception) bool {
		return x.Subject == "zone" && x.SubjectID == string(z) && x.What == string(c) && !x.Until.Before(day)
	})
}

const needsException = "asks for less than the zone's level does; name an exception in exceptions.csv, with the control %q (AD-3)"

// ExceptionsDue lists the exceptions that end or are to be reviewed within 30 days, and those that ended within
// the last 30 (VR-8).
func (s *Snapshot) ExceptionsDue(today Date) (out []Exception) {
	soon, since := today.AddDays(30), today.AddDays(-30)
	for _, x := range s.Exceptions {
		ends := !soon.Before(x.Until) && !x.Until.Before(since)
		review := !x.Review.IsZero() && !soon.Before(x.Review) && !x.Until.Before(today)
		if ends || review {
			out = append(out, x)
		}
	}
	return out
}
