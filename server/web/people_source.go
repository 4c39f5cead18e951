package web

import (
	"context"
	"strings"

	"monban/firmware/access"
)

// People is the directory of persons as its pages show and change it. What changes rights goes through the directory's own
// service: what only takes away is in force when the method returns, what adds at level 2 or 3 waits for a second person
// (D27). Each change writes its leaves in the same transaction; act.Reason is never "".
//
// A refusal of what was typed is a FormFault. ErrNotFound for a row that is not there.
type People interface {
	// FindPeople lists who fits, by id.
	FindPeople(ctx context.Context, q PeopleQuery) (PeopleFound, error)
	// PersonFile gives all that the directory has about somebody. ErrNotFound.
	PersonFile(ctx context.Context, id string) (PersonFile, error)
	// PersonLines gives the newest lines of the log of the last days that are this person's, at doors where see is true for
	// the zone that was entered or left; a nil see shows none.
	PersonLines(ctx context.Context, id string, limit int, see func(access.ZoneID) bool) ([]Attempt, error)
	// SavePerson adds (fresh) or changes a person. With try nothing is done and the effect is what would be.
	SavePerson(ctx context.Context, p PersonInput, fresh, try bool, act Action) (Effect, error)
	// SetPersonActive suspends a person as a whole, or lifts that.
	SetPersonActive(ctx context.Context, id string, active bool, act Action) (Effect, error)
	// AddCard gives a person a card. The number becomes a reference and is nowhere afterwards.
	AddCard(ctx context.Context, c CardInput, act Action) (Effect, error)
	// SetPIN sets a card's PIN and, unless "", its duress PIN; an empty pin takes both away. No error repeats a digit.
	SetPIN(ctx context.Context, person, card, pin, duress string, act Action) (Effect, error)
	// Forgive declares that somebody is outside, whose exit was not recorded (AD-9). ErrNotFound.
	Forgive(ctx context.Context, person string, act Action) error
	// LiftPIN ends the lockout of a card after too many wrong PINs (AD-13). ErrNotFound.
	LiftPIN(ctx context.Context, person, card string, act Action) error
	// ExportPeople writes those who fit as CSV and the leaf of it; use is a registered purpose of use (PR-1).
	ExportPeople(ctx context.Context, q PeopleQuery, use string, shiftJIS bool, act Action) ([]byte, error)
	// Unwritable lists, of those who fit, the names that Shift_JIS cannot write: 〓 would stand there.
	Unwritable(ctx context.Context, q PeopleQuery) ([]string, error)
}

// PeopleQuery selects people. The zero value selects all.
type PeopleQuery struct {
	Text     string // part of a name in any form, kana, romaji, section, company or number
	Section  string // section or company, exactly
	Category string
	State    string // "", active, inactive
	Within   int    // something of theirs ends within so many days; 0 = does not matter
	Skip     int
	Limit    int // 0 = all
}

// PeopleFound is a page of people.
type PeopleFound struct {
	People   []PersonLine
	Total    int
	Sections []string // all there are, for a list of choices
}

// PersonLine is one line of the list.
type PersonLine struct {
	RegPerson
	Cards int
	Next  Ending // what ends next
}

// Ending is something that ends: person, card, grant, contract or training. The zero value is nothing.
type Ending struct {
	What string
	Name string // which one
	Day  string // YYYY-MM-DD, the last on which it holds
}

// PersonFile is all that the directory has about one person.
type PersonFile struct {
	RegPerson
	ContractFrom, ContractUntil string
	Guest                       bool // of a running visit: not in the directory itself
	Protected                   bool // has a right to a zone of level 2 or 3: a card, or a longer validity, waits for a second person
	Cards                       []CardFile
	Groups                      []RegGroup
	Contracts                   []RegContract
	Rights                      []PersonRight
	Endings                     []Ending // the next ones, soonest first
}

// CardFile is a card with what waits about it.
type CardFile struct {
	RegCard
	Lent     string // label of a lent badge or temporary card; "" = the person's own
	Recovery bool   // opens a door in an emergency (AD-18)
	Asked    bool   // to be made good again was asked for
}

// PersonRight is one reason why somebody may enter a zone, or may not any more: grant → zone → schedule → validity.
type PersonRight struct {
	Grant    string // its id
	By       string // own, group, visit, emergency
	Group    string // name of the group
	Zone     access.ZoneID
	ZoneName string
	Level    int
	Schedule string
	Hours    []RegWindow
	From     string // first day, "" = always was
	Until    string
	Holds    bool
	Why      string // in one word why not: not_yet, ended, suspended, uncertified, inactive, contract
	Basis    string
}

// PersonInput is what a form says about a person.
type PersonInput struct {
	RegPerson
	ContractFrom, ContractUntil string
}

// CardInput is a card as somebody types it in. It is never shown, logged or kept.
type CardInput struct {
	ID, Person            string
	Format, Assurance     string
	Facility, Number      string // decimal digits
	ValidFrom, ValidUntil string
	PIN                   string // "" = none
}

// String hides the number and the PIN from whoever prints it.
func (c CardInput) String() string { return "card " + c.ID }

// GoString likewise.
func (c CardInput) GoString() string { return c.String() }

// Effect is what became of a change, or would.
type Effect struct {
	Applied  []RegChange // in force
	Waiting  []RegChange // waits for a second person as Proposal
	Proposal string
	Overlaps []string // other grants of the same person for the same zone on the same days
}

// Nothing reports whether nothing changes.
func (e Effect) Nothing() bool { return len(e.Applied)+len(e.Waiting) == 0 }

// RegChange is one row that changes.
type RegChange struct {
	Op     string // add, change, remove
	Noun   string // person, card, grant, zone, …
	ID     string
	Name   string          // what people call it, "" = as the id
	Zones  []access.ZoneID // whose rights it concerns, none = not those of a zone
	Fields []RegField
}

// RegField is one value that changes; Was and Is are stable words, or names where a row is meant.
type RegField struct{ Name, Was, Is string }

// FormFault says which fields of a form cannot be used. Word is a member of the section people_fault.
type FormFault []FieldFault

// FieldFault is one field; Field "" means the form as a whole.
type FieldFault struct{ Field, Word string }

// Error implements error. It repeats no value.
func (f FormFault) Error() string {
	words := make([]string, 0, len(f))
	for _, x := range f {
		words = append(words, x.Field+": "+x.Word)
	}
	return "form: " + strings.Join(words, ", ")
}
