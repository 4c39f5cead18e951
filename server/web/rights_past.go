package web

import (
	"time"

	"monban/firmware/access"
)

// RightsInventory is who had which right on a day, as the log tells it (RR-8).
type RightsInventory struct {
	Rights []HeldRight
	Unread int // changes whose content nobody can read any more
	// Differs names the rows of the present directory that are not as the whole log tells: empty, unless somebody changed them
	// behind the program's back.
	Differs []string
}

// HeldRight is a right of one person on the day. Words for people are in the language of the context.
type HeldRight struct {
	Person, Name, Section, Category string // name "" = not in the directory any more
	Grant                           string
	Group                           string // name, "" = the person's own
	Zone                            access.ZoneID
	ZoneName, Schedule              string
	From, Until                     string // days YYYY-MM-DD, From "" = always was
	State                           string // now, later, suspended, inactive
	Basis                           string // application it rests on
	Given                           RightGiven
}

// RightGiven is how a right came to be: its grant, or the entry into the group where that came later.
type RightGiven struct {
	Leaf, Asked  int64 // leaves of the log, Asked 0 = not proposed
	At           time.Time
	By, Proposer string // names of accounts; Proposer "" = one person did it
	Proposal     string
	Reason       string
	Joined       bool // it is the entry into the group
}
