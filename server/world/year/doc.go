// Package year makes a simulated stretch of a city hall's life, up to a year, and with it an answer sheet: who really passed
// which door when, and what a reviewer has to be shown. Both come from one seed, and both from the world's truth.
//
// The world moves bodies. People have habits: they arrive, have lunch, go to meetings, forget to badge out behind a colleague,
// take the wrong card out of the purse, hold a door for a trolley. Cables are pulled, power fails, contacts miss an opening. What the
// world does to doors, readers, cables and cards is a list of Acts; what the product makes of them is the product's affair. The
// sheet is written while the bodies move, never from what a door reported, and the package imports no rule of the product: a test
// holds it to that.
package year

import (
	"time"

	"monban/firmware/calendar"
)

// Plan is what is made.
type Plan struct {
	Seed  uint64
	First calendar.Date // first day
	Days  int
	Staff int // people who work in the office
	// Cases and Near are how many seeded cases and near misses each kind gets. Both 0: an ordinary stretch without attacks.
	Cases, Near int
}

// Year is one made stretch.
type Year struct {
	Plan  Plan
	Zone  *time.Location
	Files map[string]string // the site as CSV files, by file name
	Doors []Doorway
	Acts  []Act // in the order of time
	Sheet Sheet
	// Guests are people whom only a visit knows, by their names; Badges what lies in the counter's drawer.
	Guests map[string]string // name → person
	Badges []Badge
	// Looked are zones into which whatever is brought is looked at, Asked those whose entries have to have a purpose.
	Looked, Asked []string
}

// Badge is a card of the counter, lent to visitors or, with Temporary, to people who have forgotten their own.
type Badge struct {
	Card
	Temporary bool
}

// Doorway is where a door leads; "" is outside every zone.
type Doorway struct {
	ID, Gateway  string
	Inner, Outer string
}

// Deed is what somebody or something does. The zero value is none.
type Deed uint8

// Deeds. On says that a state begins, off that it ends.
const (
	_         Deed = iota
	Read           // Card is held to the reader of the side; PIN is keyed in with it
	Open           // the leaf opens, if the lock lets it or it is Forced
	Close          // the leaf closes
	Press          // the handle inside is pressed
	Chatter        // the contact bounces for a moment; the leaf does not move
	Cable          // On: the gateway's link is whole again; off: it is cut
	Power          // the gateway's power
	Mains          // its mains, while a battery carries it
	Battery        // its battery; off is low
	Clock          // its clock was put right by a long way
	Tamper         // a cover
	Line           // On: the contact's line is whole; off: cut
	Reader         // On: the reader answers; off: it does not
	Fire           // the fire panel's line
	Rearm          // somebody puts a door back into service
	Strike         // On: the lock obeys; off: it does not
	SetCard        // the office sets a card's status to Word
	SetHolder      // the office sets a person active (On) or not
	Transfer       // the office moves a person to section Word
	Grant          // the office gives a person a right to zone Word, around the clock; By is whose account writes it
	Counter        // what Errand says is done at the counter or on the office's pages
)

// Act is one thing that is done to the site.
type Act struct {
	AtMS    int64 // UTC ms
	Do      Deed
	Door    string
	Gateway string
	Card    string // id of a card; one that the site does not know begins with "x"
	Person  string
	PIN     string
	Word    string
	Out     bool // at the inner side of the door
	On      bool
	Forced  bool // the leaf opens whatever the lock says
	Denied  bool // of Read: the world knows that the door must stay shut
	By      string
	Errand  *Errand // of Counter
}

// Card is what is inside a card.
type Card struct {
	ID, Person string
	Facility   uint64
	Number     uint64
	PIN        string
}

// Passage is a body that went through a door.
type Passage struct {
	AtMS   int64 // the leaf was open
	Person string
	Door   string
	Out    bool
	Own    bool   // on a card of their own; else behind somebody, on another's card, or by a key, a forced door, a handle
	As     string // whose card it was on; "" = on none
	Unseen bool   // the contact saw nothing of the opening
}

// Case is a situation of the sheet.
type Case struct {
	Kind         string // name of a kind of finding
	Door         string // "" = of the gateway
	Gateway      string
	FromMS, ToMS int64 // a finding of it tells a time in here
	Verdict      Verdict
	Seeded       bool   // made for the sheet; else it happened in the ordinary course of things
	Tells        string // what happened, for the report
	Ref          string // what it is about at the counter; "" = nothing there
}

// Verdict is what the sheet says of a situation.
type Verdict uint8

// Verdicts.
const (
	Must    Verdict = iota + 1 // a reviewer has to be shown it
	May                        // a consequence that may be told as well
	MustNot                    // a near miss
)

// Sheet is the answer sheet.
type Sheet struct {
	Passages []Passage // in the order of time
	Cases    []Case
	doors    map[string]Doorway
}
