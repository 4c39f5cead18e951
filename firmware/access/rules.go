package access

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"monban/firmware/calendar"
	"monban/firmware/card"
)

// NoPerson is the PersonNo of a card that belongs to nobody, a spare one for example. Such a card
// is known and always denied.
const NoPerson PersonNo = math.MaxUint32

// Always is the Schedule of a grant that holds at every hour of its validity.
const Always int32 = -1

// Limits of one set of rules. They bound what a decoder may allocate.
const (
	MaxPersons     = 1 << 20
	MaxCredentials = 1 << 20
	MaxGrants      = 1 << 22
	MaxZones       = 1 << 12
	MaxDoors       = 1 << 12
	MaxSchedules   = 1 << 12
	MinRecovery    = 2  // recovery cards of a door that has any: one alone may be lost, ill or on leave
	MaxRecovery    = 4  // each more is one more to watch
	maxIDLen       = 32 // DoorID, ZoneID, site
	maxPersonIDLen = 40
)

// DefaultPINLimit is the number of consecutive wrong PINs that locks a card out of PIN doors (AD-13).
const DefaultPINLimit uint8 = 5

// Category is what a person is to the city hall (AD-2). The zero Category is refused by Compile.
type Category uint8

// Categories.
const (
	CategoryUnset Category = iota
	CategoryStaff
	CategoryContractor
	CategoryVisitor
)

// String gives the stable name; an unknown value reads "unset".
func (c Category) String() string { return nameOf(categoryNames, uint8(c), uint8(CategoryUnset)) }

// MarshalText gives the stable name; a value without one is an error.
func (c Category) MarshalText() ([]byte, error) {
	return marshalName(categoryNames, uint8(c), "category")
}

// UnmarshalText parses as ParseCategory does.
func (c *Category) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCategory(string(b))
	return err
}

// ParseCategory reads a stable name; anything else is CategoryUnset and an error.
func ParseCategory(name string) (Category, error) {
	v, err := parseName(categoryNames, name, "category", uint8(CategoryUnset))
	return Category(v), err
}

// ZoneRule says what becomes of a check of a zone that lacks knowledge (D7). The zero rule denies.
type ZoneRule uint8

// What a zone does when knowledge is missing.
const (
	ZoneRuleDeny         ZoneRule = iota // deny `knowledge_missing`
	ZoneRuleGrantAndFlag                 // the other checks decide; Decision.Missing flags it
)

// String gives the stable name; an unknown value reads "deny".
func (z ZoneRule) String() string { return nameOf(zoneRuleNames, uint8(z), uint8(ZoneRuleDeny)) }

// MarshalText gives the stable name; a value without one is an error.
func (z ZoneRule) MarshalText() ([]byte, error) {
	return marshalName(zoneRuleNames, uint8(z), "offline rule")
}

// UnmarshalText parses as ParseZoneRule does.
func (z *ZoneRule) UnmarshalText(b []byte) (err error) {
	*z, err = ParseZoneRule(string(b))
	return err
}

// ParseZoneRule reads a stable name; anything else is ZoneRuleDeny and an error.
func ParseZoneRule(name string) (ZoneRule, error) {
	v, err := parseName(zoneRuleNames, name, "offline rule", uint8(ZoneRuleDeny))
	return ZoneRule(v), err
}

// Rules is the plain, JSON-able content of the `rules` part of a policy: everything Decide may look
// at that is not moving state. Compile turns it into a Policy; EncodeRules into canonical bytes.
//
// Every validity is half-open, [FromMS, UntilMS) in UTC milliseconds: 2027-04-01 00:00 in the
// site's zone is the first moment at which a right that ends with 31 March does not hold. 0 means
// "no limit on this side", except that a Grant always has an end (AD-6).
type Rules struct {
	Version     uint64              `json:"version"` // of the rules part; grows with every change, from 1
	Site        string              `json:"site"`
	TimeZone    string              `json:"time_zone"` // IANA name; schedules are read in it
	Persons     []Person            `json:"persons"`   // PersonNo is the index
	Credentials []Credential        `json:"credentials"`
	Zones       []Zone              `json:"zones"`
	Doors       []Door              `json:"doors"`
	Grants      []Grant             `json:"grants"`
	Schedules   []calendar.Schedule `json:"schedules"` // Grant.Schedule is the index
	Calendar    calendar.Calendar   `json:"calendar"`
}

// Person is one person without a name: the ID is opaque (a gateway's is a pseudonym, see
// ForGateway) and stays the same from version to version.
type Person struct {
	ID              string   `json:"id"` // 1–40 characters of [A-Za-z0-9_.:-], unique
	Active          bool     `json:"active"`
	Category        Category `json:"category"`
	FromMS          int64    `json:"from_ms,omitempty"`
	UntilMS         int64    `json:"until_ms,omitempty"`
	ContractFromMS  int64    `json:"contract_from_ms,omitempty"`
	ContractUntilMS int64    `json:"contract_until_ms,omitempty"` // both 0: no contract limits this person
	TrainingUntilMS int64    `json:"training_until_ms,omitempty"` // 0: never trained (AD-15)
	Conditions      uint32   `json:"conditions,omitempty"`        // version of the entry conditions acknowledged (VE-6)
	MayEscort       bool     `json:"may_escort,omitempty"`        // may take outsiders in (VE-2)
	// Party is how many persons this person's badge stands for, the holder included (VE-11): an escort
	// with a party of visitors without cards. 0 and 1 mean the holder alone.
	Party uint8 `json:"party,omitempty"`
}

// Credential is one card. Key is its card_ref at the site, a gateway's token of it in a snapshot.
type Credential struct {
	Key       Key              `json:"key"`
	Person    PersonNo         `json:"person"` // index into Persons, or NoPerson
	Status    CredentialStatus `json:"status"`
	Assurance card.Assurance   `json:"assurance"` // what this card can prove (AD-4)
	FromMS    int64            `json:"from_ms,omitempty"`
	UntilMS   int64            `json:"until_ms,omitempty"`
	HasPIN    bool             `json:"has_pin,omitempty"`
	PIN       Key              `json:"pin"`    // pin_ref (D10); all zero without a PIN
	Duress    Key              `json:"duress"` // duress_ref; all zero without one
}

// Zone is one zone and what it asks of those who enter.
type Zone struct {
	ID           ZoneID         `json:"id"`
	Level        uint8          `json:"level"` // 1–3 (AD-3)
	MinAssurance card.Assurance `json:"min_assurance"`
	RequirePIN   bool           `json:"require_pin,omitempty"`
	OfflineRules ZoneRule       `json:"offline_rules"`
	// Shared: some door of this zone is served by another gateway, so a gateway alone does not know
	// who is inside (D7). Set by ForGateway, false in site rules.
	Shared bool `json:"shared,omitempty"`

	// Parent is the zone around this one, "" = none. Whoever is in a zone is in those around it too.
	Parent ZoneID `json:"parent,omitempty"`
	// AntiPassback is what becomes of an entry by somebody who is inside already (AD-9);
	// AntiPassbackMS is how long the timed form refuses it, counted from the last entry.
	AntiPassback   AntiPassback `json:"anti_passback,omitempty"`
	AntiPassbackMS int64        `json:"anti_passback_ms,omitempty"`
	// MaxInside persons may be inside, 0 = any number. Below MinInside, and not empty, is a warning:
	// 2 means never alone (AD-10).
	MaxInside uint32 `json:"max_inside,omitempty"`
	MinInside uint32 `json:"min_inside,omitempty"`
	// TwoPersonMS > 0: two different persons badge at the door within this time to enter the empty
	// zone, with TwoPersonAlways also when somebody is inside. StaffNeeded: one of them is staff (AD-8).
	TwoPersonMS     int64 `json:"two_person_ms,omitempty"`
	TwoPersonAlways bool  `json:"two_person_always,omitempty"`
	StaffNeeded     bool  `json:"staff_needed,omitempty"`
	// Escort: who enters only with an escort inside or at the door (VE-2). EscortRatio outsiders to one
	// escort, 0 = DefaultEscortRatio; both badge within EscortWithinMS, 0 = DefaultEscortWithinMS; an
	// escort may be away EscortGraceMS, 0 = DefaultEscortGraceMS (VE-10).
	Escort         Escort `json:"escort,omitempty"`
	EscortRatio    uint32 `json:"escort_ratio,omitempty"`
	EscortWithinMS int64  `json:"escort_within_ms,omitempty"`
	EscortGraceMS  int64  `json:"escort_grace_ms,omitempty"`
	// Training out of date is flagged or denied (AD-15).
	Training Training `json:"training,omitempty"`
	// Conditions is the version of the entry conditions that one must have acknowledged, 0 = none (VE-6).
	Conditions uint32 `json:"conditions,omitempty"`
}

// Door is one door: which zones it joins and how it behaves without the server.
type Door struct {
	ID          DoorID      `json:"id"`
	EnterZone   ZoneID      `json:"enter_zone"` // the zone behind the door, whose rules count
	ExitZone    ZoneID      `json:"exit_zone"`  // the zone one leaves into; "" = outside
	Sides       []Side      `json:"sides"`      // the sides that have a reader, enter before exit
	OfflineMode OfflineMode `json:"offline_mode"`
	MaxAgeMS    int64       `json:"max_age_ms"` // D12: level 1–2 24 h, level 3 1 h; > 0
	PINLimit    uint8       `json:"pin_limit"`  // 0 = DefaultPINLimit
	// Recovery holds the door's recovery cards (AD-18): none, or MinRecovery to MaxRecovery keys of
	// Credentials that have a PIN.
	Recovery []Key `json:"recovery,omitempty"`
	// GuardsServer: the server stands behind this door. Decide does not look at it; the doctor does.
	GuardsServer bool `json:"guards_server,omitempty"`
	// Interlock is the other door of an airlock, on the same gateway: this one opens only while that one
	// is closed (DS-9). "" = none.
	Interlock DoorID `json:"interlock,omitempty"`
	// Mode comes from the `modes` part (D13) and is not in the bytes of the rules.
	Mode DoorMode `json:"-"`
}

// Grant lets one person into one zone.
type Grant struct {
	Person   PersonNo `json:"person"`
	Zone     ZoneID   `json:"zone"`
	Schedule int32    `json:"schedule"` // index into Rules.Schedules, or Always
	FromMS   int64    `json:"from_ms,omitempty"`
	UntilMS  int64    `json:"until_ms"` // > 0: no grant without an end (AD-6)
	// Emergency: an entry by this grant is flagged, alerted and reported on afterwards; it sets two
	// persons, escort and cap aside, never a check of card, person or PIN (AD-14).
	Emergency bool `json:"emergency,omitempty"`
}

// Validate reports every fault of the rules, each with its row and why. Rows need not be sorted.
func (r *Rules) Validate() error {
	v := validator{rules: r}
	v.head()
	v.zones()
	v.tree()
	v.doors()
	v.boundary()
	v.interlocks()
	v.persons()
	v.credentials()
	v.recovery()
	v.grants()
	v.schedules()
	return errors.Join(v.errs...)
}

// maxFaults bounds the report: a file of a million bad rows must not make a million errors.
const maxFaults = 200

type validator struct {
	rules   *Rules
	errs    []error
	zoneIDs map[ZoneID]bool
}

func (v *validator) fault(format string, args ...any) {
	if len(v.errs) < maxFaults {
		v.errs = append(v.errs, fmt.Errorf(format, args...))
	}
}

func (v *validator) head() {
	r := v.rules
	if r.Version == 0 {
		v.fault("rules: version is 0; versions count from 1")
	}
	if !validID(r.Site) {
		v.fault("rules: site %q is not 1–%d characters of [a-z0-9-]", r.Site, maxIDLen)
	}
	if r.TimeZone == "" {
		v.fault("rules: no time zone")
	}
	for _, c := range []struct {
		what      string
		n, atMost int
	}{
		{"persons", len(r.Persons), MaxPersons}, {"credentials", len(r.Credentials), MaxCredentials},
		{"zones", len(r.Zones), MaxZones}, {"doors", len(r.Doors), MaxDoors},
		{"grants", len(r.Grants), MaxGrants}, {"schedules", len(r.Schedules), MaxSchedules},
	} {
		if c.n > c.atMost {
			v.fault("rules: %d %s, at most %d", c.n, c.what, c.atMost)
		}
	}
}

func (v *validator) zones() {
	v.zoneIDs = make(map[ZoneID]bool, len(v.rules.Zones))
	for i, z := range v.rules.Zones {
		if !validID(string(z.ID)) {
			v.fault("zone %d: id %q is not 1–%d characters of [a-z0-9-]", i, z.ID, maxIDLen)
		}
		if v.zoneIDs[z.ID] {
			v.fault("zone %d: id %q appears twice", i, z.ID)
		}
		v.zoneIDs[z.ID] = true
		if z.Level < 1 || z.Level > 3 {
			v.fault("zone %d (%s): level %d is not 1–3", i, z.ID, z.Level)
		}
		if !z.MinAssurance.Known() || z.MinAssurance == card.AssuranceUnknown {
			v.fault("zone %d (%s): minimum assurance %q is not uid_only, card_auth or mutual_auth", i, z.ID, z.MinAssurance)
		}
		if z.OfflineRules > ZoneRuleGrantAndFlag {
			v.fault("zone %d (%s): offline rule %d is unknown", i, z.ID, z.OfflineRules)
		}
		v.rulesOf(i, &z)
	}
}

func (v *validator) doors() {
	seen := make(map[DoorID]bool, len(v.rules.Doors))
	for i, d := range v.rules.Doors {
		if !validID(string(d.ID)) {
			v.fault("door %d: id %q is not 1–%d characters of [a-z0-9-]", i, d.ID, maxIDLen)
		}
		if seen[d.ID] {
			v.fault("door %d: id %q appears twice", i, d.ID)
		}
		seen[d.ID] = true
		if !v.zoneIDs[d.EnterZone] {
			v.fault("door %d (%s): enter zone %q does not exist", i, d.ID, d.EnterZone)
		}
		if d.ExitZone != "" && !v.zoneIDs[d.ExitZone] {
			v.fault("door %d (%s): exit zone %q does not exist", i, d.ID, d.ExitZone)
		}
		if d.ExitZone == d.EnterZone {
			v.fault("door %d (%s): enters and leaves into the same zone %q", i, d.ID, d.EnterZone)
		}
		if d.OfflineMode > OfflineCachedPIN {
			v.fault("door %d (%s): offline mode %d is unknown", i, d.ID, d.OfflineMode)
		}
		if d.MaxAgeMS <= 0 {
			v.fault("door %d (%s): max_age %d ms is not positive", i, d.ID, d.MaxAgeMS)
		}
		if d.Mode > ModeLockdown {
			v.fault("door %d (%s): mode %d is unknown", i, d.ID, d.Mode)
		}
		if len(d.Sides) == 0 {
			v.fault("door %d (%s): no side has a reader", i, d.ID)
		}
		last := SideUnknown
		for _, s := range d.Sides {
			if s > SideExit || s <= last {
				v.fault("door %d (%s): sides must be enter, exit or both in this order", i, d.ID)
				break
			}
			last = s
		}
	}
}

func (v *validator) persons() {
	seen := make(map[string]int, len(v.rules.Persons))
	for i := range v.rules.Persons {
		p := &v.rules.Persons[i]
		if !validPersonID(p.ID) {
			v.fault("person %d: id is not 1–%d characters of [A-Za-z0-9_.:-]", i, maxPersonIDLen)
		}
		if first, twice := seen[p.ID]; twice {
			v.fault("person %d: same id as person %d", i, first)
		}
		seen[p.ID] = i
		if p.Category == CategoryUnset || p.Category > CategoryVisitor {
			v.fault("person %d: category %d is not staff, contractor or visitor", i, p.Category)
		}
		v.span("person", i, "validity", p.FromMS, p.UntilMS)
		v.span("person", i, "contract", p.ContractFromMS, p.ContractUntilMS)
		v.span("person", i, "training", 0, p.TrainingUntilMS)
		if p.MayEscort && p.Category == CategoryVisitor {
			v.fault("person %d: a visitor cannot be an escort (VE-2)", i)
		}
	}
}

func (v *validator) credentials() {
	seen := make(map[Key]int, len(v.rules.Credentials))
	for i := range v.rules.Credentials {
		c := &v.rules.Credentials[i]
		// Never print a key: with the site key it leads back to a card.
		if c.Key == (Key{}) {
			v.fault("credential %d: key is all zero", i)
		}
		if first, twice := seen[c.Key]; twice {
			v.fault("credential %d: same key as credential %d", i, first)
		}
		seen[c.Key] = i
		if c.Person != NoPerson && uint64(c.Person) >= uint64(len(v.rules.Persons)) {
			v.fault("credential %d: person %d does not exist", i, c.Person)
		}
		if c.Status == CredentialUnset || c.Status > CredentialRevoked {
			v.fault("credential %d: status %d is not active, suspended, lost or revoked", i, c.Status)
		}
		if !c.Assurance.Known() {
			v.fault("credential %d: assurance %d is unknown", i, c.Assurance)
		}
		if c.HasPIN != (c.PIN != Key{}) {
			v.fault("credential %d: has_pin and pin disagree", i)
		}
		if c.Duress != (Key{}) && (!c.HasPIN || c.Duress == c.PIN) {
			v.fault("credential %d: a duress reference needs a PIN that differs from it", i)
		}
		v.span("credential", i, "validity", c.FromMS, c.UntilMS)
	}
}

// recovery: a card that no PIN goes with, or that nobody knows, would be a hope that fails in the
// night it is needed.
func (v *validator) recovery() {
	var hasPIN map[Key]bool
	for i, d := range v.rules.Doors {
		if len(d.Recovery) == 0 {
			continue
		}
		if len(d.Recovery) < MinRecovery || len(d.Recovery) > MaxRecovery {
			v.fault("door %d (%s): %d recovery cards, want none or %d–%d (AD-18)", i, d.ID, len(d.Recovery), MinRecovery, MaxRecovery)
			continue
		}
		if hasPIN == nil {
			hasPIN = make(map[Key]bool, len(v.rules.Credentials))
			for j := range v.rules.Credentials {
				hasPIN[v.rules.Credentials[j].Key] = v.rules.Credentials[j].HasPIN
			}
		}
		for n, k := range d.Recovery {
			pin, known := hasPIN[k]
			switch {
			case !known:
				v.fault("door %d (%s): recovery card %d does not exist", i, d.ID, n)
			case !pin:
				v.fault("door %d (%s): recovery card %d has no PIN (AD-18)", i, d.ID, n)
			}
			if slices.Contains(d.Recovery[:n], k) {
				v.fault("door %d (%s): recovery card %d stands twice", i, d.ID, n)
			}
		}
	}
}

func (v *validator) grants() {
	for i := range v.rules.Grants {
		g := &v.rules.Grants[i]
		if uint64(g.Person) >= uint64(len(v.rules.Persons)) {
			v.fault("grant %d: person %d does not exist", i, g.Person)
		}
		if !v.zoneIDs[g.Zone] {
			v.fault("grant %d: zone %q does not exist", i, g.Zone)
		}
		if g.Schedule < Always || int64(g.Schedule) >= int64(len(v.rules.Schedules)) {
			v.fault("grant %d: schedule %d does not exist", i, g.Schedule)
		}
		if g.UntilMS <= 0 {
			v.fault("grant %d: no end; every grant has one (AD-6)", i)
		}
		v.span("grant", i, "validity", g.FromMS, g.UntilMS)
	}
}

func (v *validator) span(what string, i int, which string, from, until int64) {
	if from < 0 || until < 0 || from > maxMS || until > maxMS {
		v.fault("%s %d: %s [%d, %d) lies outside 1970–9999", what, i, which, from, until)
	} else if until != 0 && until <= from {
		v.fault("%s %d: %s ends (%d) no later than it begins (%d)", what, i, which, until, from)
	}
}

// maxMS is 9999-12-31T23:59:59.999Z: later times are typing errors.
const maxMS = 253402300799999

func validID(id string) bool {
	if id == "" || len(id) > maxIDLen {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func validPersonID(id string) bool {
	if id == "" || len(id) > maxPersonIDLen {
		return false
	}
	for i := range len(id) {
		c := id[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '.', c == ':', c == '-':
		default:
			return false
		}
	}
	return true
}

// inForce reports whether ms lies in [from, until); 0 means no limit on that side.
func inForce(ms, from, until int64) bool {
	return (from == 0 || ms >= from) && (until == 0 || ms < until)
}
