package access

import "slices"

// AntiPassback says what a zone does with somebody who is inside already and enters again (AD-9).
// The zero value does not look.
type AntiPassback uint8

// Anti-passback modes.
const (
	AntiPassbackOff   AntiPassback = iota
	AntiPassbackSoft               // granted, with anti_passback in Failed
	AntiPassbackHard               // denied until the exit is known or forgiven
	AntiPassbackTimed              // denied within AntiPassbackMS of the last entry
)

// Escort says who may enter a zone only with somebody who may escort (VE-2).
type Escort uint8

// Who needs an escort; the zero value is nobody.
const (
	EscortNone      Escort = iota
	EscortVisitors         // visitors
	EscortOutsiders        // visitors and contractors
)

// Training says what a zone does with training that is out of date (AD-15).
type Training uint8

// What a zone does with training out of date; the zero value does not look.
const (
	TrainingOff  Training = iota
	TrainingFlag          // granted, with training_expired in Failed
	TrainingDeny
)

var (
	antiPassbackNames = []string{"off", "soft", "hard", "timed"}
	escortNames       = []string{"none", "visitors", "outsiders"}
	trainingNames     = []string{"off", "flag", "deny"}
)

// Defaults of what a zone leaves open.
const (
	DefaultEscortRatio    uint32 = 5       // outsiders of one escort (VE-2)
	DefaultEscortWithinMS int64  = 30_000  // escort and outsider badge within this
	DefaultEscortGraceMS  int64  = 180_000 // an escort may be away this long (VE-10)
)

// Limits of a zone's rules.
const (
	MaxZoneDepth = 4              // a zone and at most three around it
	maxWindowMS  = 3_600_000      // two persons, escort and visitor, grace: an hour
	maxAPBMS     = 7 * 86_400_000 // timed anti-passback: a week
	maxInside    = 1 << 20        // persons in one zone
	maxRatio     = 100            // outsiders of one escort
)

// String gives the stable name; an unknown value reads "hard", which Decide takes it for.
func (a AntiPassback) String() string {
	return nameOf(antiPassbackNames, uint8(a), uint8(AntiPassbackHard))
}

// MarshalText gives the stable name; a value without one is an error.
func (a AntiPassback) MarshalText() ([]byte, error) {
	return marshalName(antiPassbackNames, uint8(a), "anti-passback")
}

// UnmarshalText parses as ParseAntiPassback does.
func (a *AntiPassback) UnmarshalText(b []byte) (err error) {
	*a, err = ParseAntiPassback(string(b))
	return err
}

// ParseAntiPassback reads a stable name; anything else is AntiPassbackHard (what cannot be read must
// not let more people in) and an error.
func ParseAntiPassback(name string) (AntiPassback, error) {
	v, err := parseName(antiPassbackNames, name, "anti-passback", uint8(AntiPassbackHard))
	return AntiPassback(v), err
}

// String gives the stable name; an unknown value reads "outsiders", which Decide takes it for.
func (e Escort) String() string { return nameOf(escortNames, uint8(e), uint8(EscortOutsiders)) }

// MarshalText gives the stable name; a value without one is an error.
func (e Escort) MarshalText() ([]byte, error) { return marshalName(escortNames, uint8(e), "escort") }

// UnmarshalText parses as ParseEscort does.
func (e *Escort) UnmarshalText(b []byte) (err error) { *e, err = ParseEscort(string(b)); return err }

// ParseEscort reads a stable name; anything else is EscortOutsiders and an error.
func ParseEscort(name string) (Escort, error) {
	v, err := parseName(escortNames, name, "escort", uint8(EscortOutsiders))
	return Escort(v), err
}

// String gives the stable name; an unknown value reads "deny", which Decide takes it for.
func (g Training) String() string { return nameOf(trainingNames, uint8(g), uint8(TrainingDeny)) }

// MarshalText gives the stable name; a value without one is an error.
func (g Training) MarshalText() ([]byte, error) {
	return marshalName(trainingNames, uint8(g), "training")
}

// UnmarshalText parses as ParseTraining does.
func (g *Training) UnmarshalText(b []byte) (err error) {
	*g, err = ParseTraining(string(b))
	return err
}

// ParseTraining reads a stable name; anything else is TrainingDeny and an error.
func ParseTraining(name string) (Training, error) {
	v, err := parseName(trainingNames, name, "training", uint8(TrainingDeny))
	return Training(v), err
}

// fillDefaults puts the defaults in for what the zone leaves open.
func (z *Zone) fillDefaults() {
	if z.EscortRatio == 0 {
		z.EscortRatio = DefaultEscortRatio
	}
	if z.EscortWithinMS == 0 {
		z.EscortWithinMS = DefaultEscortWithinMS
	}
	if z.EscortGraceMS == 0 {
		z.EscortGraceMS = DefaultEscortGraceMS
	}
}

// Company reports whether the zone looks at who else is there: whoever badges at its doors is then
// remembered until they have passed or given up.
func (z *Zone) Company() bool {
	return z.TwoPersonMS > 0 || z.Escort != EscortNone || z.MaxInside > 0
}

// countsPeople reports whether a rule of the zone is only right while leaving is seen (D11). Soft
// anti-passback only flags, and the presence check only warns.
func (z *Zone) countsPeople() bool {
	return z.AntiPassback >= AntiPassbackHard || z.MaxInside > 0 || z.Escort != EscortNone
}

// rulesOf checks the zone's rules about who is inside.
func (v *validator) rulesOf(i int, z *Zone) {
	bad := func(format string, args ...any) {
		v.fault("zone %d (%s): "+format, append([]any{i, z.ID}, args...)...)
	}
	if z.AntiPassback > AntiPassbackTimed {
		bad("anti-passback %d is unknown", z.AntiPassback)
	}
	if z.AntiPassback == AntiPassbackTimed && z.AntiPassbackMS <= 0 || z.AntiPassbackMS < 0 || z.AntiPassbackMS > maxAPBMS {
		bad("anti-passback %s with %d ms; timed needs 1 ms to 7 days", z.AntiPassback, z.AntiPassbackMS)
	}
	if z.MaxInside > maxInside || z.MinInside > maxInside || z.MaxInside > 0 && z.MinInside > z.MaxInside {
		bad("at least %d and at most %d inside do not go together (AD-10)", z.MinInside, z.MaxInside)
	}
	if z.MaxInside == 1 && z.TwoPersonMS > 0 {
		bad("two persons to enter and room for one (AD-8, AD-10)")
	}
	if z.TwoPersonMS == 0 && (z.TwoPersonAlways || z.StaffNeeded) {
		bad("two_person_always and staff_needed need two_person_ms (AD-8)")
	}
	if z.Escort > EscortOutsiders {
		bad("escort %d is unknown", z.Escort)
	}
	if z.Training > TrainingDeny {
		bad("training %d is unknown", z.Training)
	}
	if z.EscortRatio > maxRatio {
		bad("%d outsiders of one escort, at most %d", z.EscortRatio, maxRatio)
	}
	for _, w := range []struct {
		what string
		ms   int64
	}{{"two_person_ms", z.TwoPersonMS}, {"escort_within_ms", z.EscortWithinMS}, {"escort_grace_ms", z.EscortGraceMS}} {
		if w.ms < 0 || w.ms > maxWindowMS {
			bad("%s %d is not 0–%d", w.what, w.ms, maxWindowMS)
		}
	}
}

// tree checks that zones lie in one another without a circle, and no deeper than MaxZoneDepth.
func (v *validator) tree() {
	parent := make(map[ZoneID]ZoneID, len(v.rules.Zones))
	for _, z := range v.rules.Zones {
		parent[z.ID] = z.Parent
	}
	for i, z := range v.rules.Zones {
		if z.Parent == "" {
			continue
		}
		if !v.zoneIDs[z.Parent] {
			v.fault("zone %d (%s): parent %q does not exist", i, z.ID, z.Parent)
			continue
		}
		depth := 1
		for at := z.Parent; at != "" && depth <= MaxZoneDepth; at = parent[at] {
			if depth++; at == z.ID {
				depth = MaxZoneDepth + 2
			}
		}
		switch {
		case depth == MaxZoneDepth+2:
			v.fault("zone %d (%s): lies in itself by its parents", i, z.ID)
		case depth > MaxZoneDepth:
			v.fault("zone %d (%s): lies deeper than %d zones, or in a circle", i, z.ID, MaxZoneDepth)
		}
	}
}

// boundary checks that a zone which counts people has an exit reader on its boundary (D11): with
// entries alone a count only grows, and in the end it keeps everybody out. A zone with doors on other
// gateways is checked in the site's rules.
func (v *validator) boundary() {
	up := make(map[ZoneID]ZoneID, len(v.rules.Zones))
	counts := false
	for i := range v.rules.Zones {
		up[v.rules.Zones[i].ID] = v.rules.Zones[i].Parent
		counts = counts || v.rules.Zones[i].countsPeople()
	}
	if !counts {
		return
	}
	within := func(in, zone ZoneID) bool {
		for n := 0; in != "" && n <= MaxZoneDepth; n++ {
			if in == zone {
				return true
			}
			in = up[in]
		}
		return false
	}
	for i := range v.rules.Zones {
		z := &v.rules.Zones[i]
		if z.Shared || !z.countsPeople() {
			continue
		}
		enter, exit := false, false
		for _, d := range v.rules.Doors {
			if !within(d.EnterZone, z.ID) || within(d.ExitZone, z.ID) {
				continue
			}
			enter = enter || slices.Contains(d.Sides, SideEnter)
			exit = exit || slices.Contains(d.Sides, SideExit)
		}
		if enter && !exit {
			v.fault("zone %d (%s): anti-passback %s, a cap or an escort rule needs an exit reader, and no door of it has one (D11)", i, z.ID, z.AntiPassback)
		}
	}
}

// interlocks checks that the two doors of an airlock name each other (DS-9).
func (v *validator) interlocks() {
	var other map[DoorID]DoorID
	for i, d := range v.rules.Doors {
		if d.Interlock == "" {
			continue
		}
		if other == nil {
			other = make(map[DoorID]DoorID, len(v.rules.Doors))
			for _, x := range v.rules.Doors {
				other[x.ID] = x.Interlock
			}
		}
		back, known := other[d.Interlock]
		switch {
		case d.Interlock == d.ID:
			v.fault("door %d (%s): is its own airlock", i, d.ID)
		case !known:
			v.fault("door %d (%s): the other door %q of its airlock does not exist on the same gateway (DS-9)", i, d.ID, d.Interlock)
		case back != d.ID:
			v.fault("door %d (%s): door %q of its airlock does not name it (DS-9)", i, d.ID, d.Interlock)
		}
	}
}
