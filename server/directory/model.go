// Package directory is the administrator's model of a site: people and their cards, zones, doors
// and gateways, grants, schedules and closed days.
//
// It is plain data with rules: Validate says everything that is wrong, Import reads CSV files, and
// the change functions write one action leaf for each change in the transaction that makes it. It
// never holds a card number or a PIN: those become references (card_ref, pin_ref) while a file is
// being read, and are forgotten. Names are stored as typed and never normalised, because Unicode
// normalisation changes how people's names are written (神 U+FA19 would become 神).
package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// PersonID is the city's own number of a person, for example a staff number: 1–32 characters of
// [A-Za-z0-9._-].
type PersonID string

// CardID is the inventory number written on a card's sleeve, never the number inside the card:
// 1–32 characters of [A-Za-z0-9._-].
type CardID string

// ScheduleID names a schedule, 1–32 characters of [a-z0-9-].
type ScheduleID string

// GrantID names a grant, 1–100 characters. Import makes it from person, zone and schedule.
type GrantID string

// Category is what a person is to the city (AD-2). The zero Category is refused by Validate.
type Category string

// Categories.
const (
	Staff      Category = "staff"
	Contractor Category = "contractor"
	Visitor    Category = "visitor"
)

// Person is somebody who may be given rights.
type Person struct {
	ID PersonID
	// Name is how the person writes it, any Unicode, with variation selectors; 1–100 characters.
	Name string
	// NameReduced (縮退) stands in where Name cannot be shown; "" = none needed.
	NameReduced string
	Kana        string // furigana, "" = unknown
	Romaji      string // Latin letters for the English pages, "" = unknown
	Section     string // 所属
	Company     string // of a contractor or visitor; "" for staff
	Category    Category
	Kind        PersonKind // within the category
	Active      bool
	ValidFrom   Date // first day, none = always was
	ValidUntil  Date // last day, none = until further notice
	// ContractFrom and ContractUntil bound a contractor's contract (A9). A contractor without
	// ContractUntil is refused by Validate.
	ContractFrom  Date
	ContractUntil Date
	TrainingUntil Date   // last day on which the training counts (AD-15), none = not trained
	Conditions    uint32 // version of the entry conditions acknowledged (VE-6), 0 = none
	MayEscort     bool   // may attend visitors (VE-2)
	// Party is how many enter on this person's badge while a visit runs, the person included (VE-11); 0 = alone. Set by
	// visit.Overlay, never stored.
	Party uint8
}

// Credential is a card of a person, known only by its references.
type Credential struct {
	ID     CardID
	Person PersonID
	// Ref is the card_ref under the site card key (D9); unique within the site.
	Ref        card.Ref
	KeyVersion uint32 // version of the site card key Ref was made with, ≥ 1
	Masked     string // what people see: "****4567"
	Format     string // wiegand format the card is read as, for the inventory
	Assurance  card.Assurance
	Status     access.CredentialStatus
	ValidFrom  Date // first day, none = always was
	ValidUntil Date // last day, none = until further notice
	// PIN and Duress are pin_ref and duress_ref; the zero value is "no PIN" (D10). The server has
	// nothing from which the digits can be had without the site PIN key.
	PIN    card.PINRef
	Duress card.PINRef
	Exact  Span // narrows the days of validity
	Lent   Lent // of a lent badge; set by visit.Overlay, never stored
}

// Lent says what a badge was lent for; it goes with each of its lines in the log.
type Lent struct {
	Badge    string   // what is printed on the badge
	Purpose  string   // of the approved work (RR-7)
	Attendee PersonID // 立会者
}

// Span narrows a validity of whole days to [FromMS, UntilMS), UTC ms; 0 = as the days say. A lent badge or a
// visit's grant has one (VE-9). Set by visit.Overlay, never stored.
type Span struct{ FromMS, UntilMS int64 }

// Zone is a controlled zone (管理区域).
type Zone struct {
	ID     access.ZoneID
	Name   string
	NameEN string // "" = Name
	Level  int    // zone_level 1–3
	// MinAssurance is the least a card must prove here (AD-4).
	MinAssurance card.Assurance
	PINAlways    bool // a PIN on every entry
	// OfflineGrantAndFlag: offline, a check that lacks knowledge flags instead of denying (D7).
	OfflineGrantAndFlag bool
	// Parent is the zone this one lies in, "" = none. Who is in a zone is in its parents too.
	Parent          access.ZoneID
	AntiPassback    AntiPassback
	AntiPassbackFor time.Duration // of PassbackTimed
	MaxInside       uint32        // most people inside at once, 0 = any number (AD-10)
	MinInside       uint32        // a warning when fewer stay behind, 2 = never alone; 0 = none
	TwoPersonWithin time.Duration // > 0: two persons badge within this (AD-8); 0 = one is enough
	TwoPersonAlways bool          // also when somebody is inside already
	StaffNeeded     bool          // one of the two is of the staff
	Escort          Escort        // who enters only with an escort (VE-2)
	EscortRatio     uint32        // outsiders per escort, 0 = 5
	EscortWithin    time.Duration // escort and visitor badge within this, 0 = the core's own
	EscortGrace     time.Duration // after the escort left, 0 = 3 minutes (VE-10)
	Training        Training
	Conditions      uint32 // least version of the entry conditions that must be acknowledged, 0 = none (VE-6)
	CarryIn         CarryIn
	Basis           string // clause of the city's rules that asks for all this (A7)
	// Barred are those whom no grant lets in, for want of an escort that could be watched. Set by InForce,
	// never stored.
	Barred Escort
}

// Door joins two zones and hangs on one gateway.
type Door struct {
	ID      access.DoorID
	Name    string
	NameEN  string
	Gateway access.GatewayID
	Enter   access.ZoneID // zone one comes into at the enter side
	Exit    access.ZoneID // zone one comes into at the exit side; "" = outside every zone
	Kind    door.Kind
	Sensing door.ExitSensing
	Offline access.OfflineMode
	MaxAge  time.Duration // D12; how old a snapshot may be used here, 1 min–168 h
	Mode    access.DoorMode
	// GuardsServer: the server stands behind this door, so that nobody can reach it who is not let in
	// by the gateway alone. Such a door needs recovery cards (AD-18).
	GuardsServer bool
	Recovery     RecoveryCards
	Remote       RemoteUnlock // of a controlled door
	// Interlock is the other door of an airlock, on the same gateway, which names this one; "" = none (DS-9).
	Interlock access.DoorID
}

// RemoteUnlock is how many persons an unlock from afar takes at a door (RA-2, D27). The zero one allows none.
type RemoteUnlock uint8

// Settings of a door.
const (
	RemoteOff RemoteUnlock = iota // never
	RemoteTwo                     // one asks, another agrees; what a new door has
	RemoteOne                     // one is enough, another confirms afterwards
)

// String gives the stable name, that of RemoteOff for an unknown value.
func (u RemoteUnlock) String() string {
	if name := wordOf(remoteUnlocks(), u); name != "" {
		return name
	}
	return "off"
}

// ParseRemoteUnlock reads a stable name; any other text is RemoteOff and an error.
func ParseRemoteUnlock(name string) (RemoteUnlock, error) {
	return parseWord(remoteUnlocks(), name, RemoteOff)
}

// RecoveryCards are the cards that open a door, with their PIN, on the gateway alone in the cases of
// D12 (AD-18): none, or access.MinRecovery to access.MaxRecovery, sorted, the empty ones last. An
// array, so that doors can be compared.
type RecoveryCards [access.MaxRecovery]CardID

// List gives the cards without the empty places.
func (c RecoveryCards) List() []CardID {
	n := 0
	for n < len(c) && c[n] != "" {
		n++
	}
	return slices.Clone(c[:n])
}

// String gives the cards with a blank between them, as the import file has them.
func (c RecoveryCards) String() string {
	var words []string
	for _, id := range c.List() {
		words = append(words, string(id))
	}
	return strings.Join(words, " ")
}

// MakeRecoveryCards sorts ids. More than fit, an empty one or one that stands twice is an error.
func MakeRecoveryCards(ids []CardID) (RecoveryCards, error) {
	var c RecoveryCards
	if len(ids) > len(c) {
		return c, fmt.Errorf("names %d recovery cards, at most %d are allowed", len(ids), len(c))
	}
	ids = slices.Sorted(slices.Values(ids))
	for i, id := range ids {
		if id == "" || i > 0 && id == ids[i-1] {
			return RecoveryCards{}, errors.New("names a recovery card twice, or an empty one")
		}
		c[i] = id
	}
	return c, nil
}

// KeyMode says how a gateway's own keys are kept (D18). It is a declaration: nothing here makes it so.
type KeyMode string

// Key modes.
const (
	KeyFile   KeyMode = "A" // a plain file; the gateway boots alone
	KeyBoard  KeyMode = "B" // wrapped by the board; the gateway boots alone
	KeyChip   KeyMode = "C" // in a secure element; the gateway boots alone
	KeyServer KeyMode = "D" // fetched from the server at boot: without it the doors stay locked after a power cut
)

// Gateway is one box at the doors.
type Gateway struct {
	ID      access.GatewayID
	Name    string
	KeyMode KeyMode // "" = KeyFile
}

// Day is a bit set of days: bit 0 Monday … bit 6 Sunday, bit 7 closed days (holidays, year end, own).
type Day uint8

// Days of a window. A window applies on a closed day only when it names DayClosed.
const (
	DayMonday Day = 1 << iota
	DayTuesday
	DayWednesday
	DayThursday
	DayFriday
	DaySaturday
	DaySunday
	DayClosed
	DayWeekdays = DayMonday | DayTuesday | DayWednesday | DayThursday | DayFriday
	DayEvery    = DayWeekdays | DaySaturday | DaySunday | DayClosed
)

// Window is a span of a day, in seconds since midnight in the site zone: From inclusive, To
// exclusive, 0 ≤ From < 86400, 0 < To ≤ 86400. To ≤ From means that it ends on the next day
// (22:00–05:00); the day that counts is the one on which it begins.
type Window struct {
	Days Day
	From int
	To   int
}

// Schedule says at which hours a grant holds. A schedule without windows never holds.
type Schedule struct {
	ID      ScheduleID
	Name    string
	NameEN  string
	Windows []Window
	// ValidFrom and ValidUntil are the first and last day on which a window begins, for example of a school term; none =
	// no limit. Dates differ from the week, also outside those days; by date, none twice.
	ValidFrom  Date
	ValidUntil Date
	Dates      []DateHours
}

// DateHours are the hours of one date, in place of the week's; without windows nobody enters. The windows name no days.
type DateHours struct {
	Day     Date
	Windows []Window
}

// Always reports whether a schedule covers every hour of every day.
func (s *Schedule) Always() bool {
	every := Window{Days: DayEvery, From: 0, To: 86400}
	return slices.Contains(s.Windows, every) && s.ValidFrom.IsZero() && s.ValidUntil.IsZero() && len(s.Dates) == 0
}

func (h DateHours) equal(o DateHours) bool {
	return h.Day == o.Day && slices.Equal(h.Windows, o.Windows)
}

// Grant lets one person, or each member of a group, into one zone at the hours of a schedule. One of
// several periods of the same person, zone and schedule is a grant of its own (AD-19).
type Grant struct {
	ID         GrantID
	Person     PersonID // "" when Group is set
	Group      GroupID  // "" when Person is set
	Zone       access.ZoneID
	Schedule   ScheduleID
	ValidFrom  Date   // first day, none = always was
	ValidUntil Date   // last day; never none (AD-6)
	Suspended  bool   // not confirmed in a recertification: gives no right until it is (VR-5)
	Basis      string // application or decision it rests on
	Exact      Span   // narrows the days of validity
	Emergency  bool   // of an emergency entry (AD-14): no rule of the zone stands in its way, flagged; never stored
}

// ClosedDay is a day on which the offices are closed: a national holiday, year end, or the city's own.
type ClosedDay struct {
	Day  Date
	Name string
}

// Snapshot is the whole directory at one moment. Each slice is sorted by its identifier.
type Snapshot struct {
	People      []Person
	Credentials []Credential
	Zones       []Zone
	Doors       []Door
	Gateways    []Gateway
	Schedules   []Schedule
	Grants      []Grant
	ClosedDays  []ClosedDay
	Groups      []Group
	Contracts   []Contract
	Exceptions  []Exception
	Conditions  []Conditions // by version
	Items       []Item
	Enrolments  []Enrolment // by person, reader
	Rounds      []Round
	Transfers   []Transfer // by person; those still to come
	Terms       Terms      // of the configuration; not part of what is stored, compared or exported
}
