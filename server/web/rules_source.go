package web

import (
	"context"
	"time"

	"monban/firmware/access"
)

// RuleKind is a kind of rows that together say who may enter. The names are those of the import's files.
type RuleKind string

// Kinds of rules that pages edit.
const (
	RuleZones      RuleKind = "zones"
	RuleSchedules  RuleKind = "schedules"
	RuleClosedDays RuleKind = "closed_days"
	RuleGroups     RuleKind = "groups"
	RuleContracts  RuleKind = "contracts"
	RuleExceptions RuleKind = "exceptions"
	RuleConditions RuleKind = "conditions"
)

// Rules is what decides who may enter, for the pages that show and change it. Everything read is of one moment.
type Rules interface {
	// RuleRows lists the rows of a kind in order of their ids.
	RuleRows(ctx context.Context, kind RuleKind) ([]RuleRow, error)
	// RuleZones lists the zones with what hangs on them.
	RuleZones(ctx context.Context) (ZoneBook, error)
	// RuleSchedules lists the schedules with how they act on each of the next days, today first.
	RuleSchedules(ctx context.Context, days int) ([]RuleSchedule, error)
	// EditRules makes a change, or with dry says what it would do. What a second person has to agree to is in no case in
	// force when it returns (D27). Wrong values are no error: they are Problems of the outcome, and nothing has
	// changed. act.Reason is never "" unless dry is set. ErrNotFound for a row to remove that is not there.
	EditRules(ctx context.Context, e RuleEdit, dry bool, act Action) (RuleOutcome, error)
}

// RuleRow is a row: values by column of its import file, in the files' own words; times of length as Go writes them.
type RuleRow struct {
	ID     string
	Name   string // in the reader's language
	Values map[string]string
}

// ZoneBook is every zone, and what each level asks of one at least (AD-3).
type ZoneBook struct {
	Zones   []RuleZone
	Presets [4]map[string]string // by level; of 0 nil
}

// RuleZone is a zone with its doors.
type RuleZone struct {
	RuleRow
	Parent access.ZoneID
	Level  int
	Doors  []RuleDoor
	Weaker []RuleWeaker
	Fit    RuleFit
}

// RuleDoor is a door that leads into the zone.
type RuleDoor struct {
	ID, Name   string
	From       string // name of the zone on the other side, "" = outside
	ExitReader bool
	Controlled bool
	Exit       string // how an exit is sensed: none, reader, button, handle
	Mode       access.DoorMode
	Interlock  string // name of the other door of an airlock, "" = none
}

// RuleWeaker is something in which a zone asks for less than its level.
type RuleWeaker struct {
	Control   string // pin_always, two_person, escort, carry_in
	Exception string // of today that allows it; "" = none, and doors ask for it all the same
	Until     string // its last day
}

// RuleFit says how far the cards of the people with rights in a zone do for it (AD-4).
type RuleFit struct {
	Zone, Name                  string
	People, NoCard, Weak, NoPIN int
}

// Refused is how many of them the zone refuses.
func (f RuleFit) Refused() int { return f.NoCard + f.Weak + f.NoPIN }

// RuleSchedule is a schedule. Windows of a date name no days.
type RuleSchedule struct {
	RuleRow
	Windows     []RegWindow
	From, Until string // first and last day, "" = no limit
	Dates       []RuleDate
	Grants      int // that are given for its hours
	Days        []RuleDay
}

// RuleDate are the hours of one date, in place of the week's; none = nobody enters.
type RuleDate struct {
	Day     string
	Windows []RegWindow
}

// RuleDay is one day as a schedule acts on it, by the code that decides at the doors. Times are seconds since midnight
// by the clock; a night that goes on shows on both days.
type RuleDay struct {
	Day    string
	Closed string // what the closed day is called, "" = none
	Dated  bool   // a date of the schedule says so
	Beyond bool   // before the first or after the last day of the schedule
	Spans  []RuleSpan
}

// RuleSpan is [From, To).
type RuleSpan struct{ From, To int }

// RuleEdit is a change: rows as the form has them, or one row that goes.
type RuleEdit struct {
	Kind   RuleKind
	Rows   []map[string]string
	Remove string // id; Rows is nil then
}

// RuleOutcome is what became of a change, or would.
type RuleOutcome struct {
	Changes  []RuleChange
	Proposal string // "" when nothing waits for a second person; of a dry run too
	Warnings []RuleText
	Problems []RuleProblem
	Fits     []RuleFit // of the zones that were changed, as they would be
	Days     []RuleDay // of a schedule that was changed: how it would act
}

// RuleChange is one row that changes.
type RuleChange struct {
	Op, Noun, ID string // add, change or remove
	Fields       []RuleField
	Waits        bool // for a second person
}

// RuleField is one value before and after.
type RuleField struct{ Name, Was, Is string }

// RuleText is a sentence about a row.
type RuleText struct{ Noun, ID, Text string }

// RuleProblem is something wrong with what was typed.
type RuleProblem struct {
	File   string
	Row    int    // of a form, from 0; of a file the line, from 1; -1 = none
	Column string // "" = the whole
	Text   string
}

// ruleReason is how long a reason may be.
const ruleReason = 300

// seconds of a length of time as its column has it; ok is false for any other text.
func lengthOf(s string) (d time.Duration, ok bool) {
	d, err := time.ParseDuration(s)
	return d, err == nil
}
