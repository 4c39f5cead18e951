package web

import (
	"context"

	"monban/firmware/access"
)

// Recertifications are the rounds in which somebody says of each person whether the rights are kept (VR-5), and the
// renewal of the rights that end with the fiscal year (AD-19).
type Recertifications interface {
	// Rounds lists all rounds, newest first, and the zones that wait for one.
	Rounds(ctx context.Context) (RoundBook, error)
	// OpenRound begins one; due "" is after the time that the site has set. ErrState when one of the zone is open or was opened today. ErrNotFound.
	OpenRound(ctx context.Context, zone access.ZoneID, due string, act Action) error
	// AnswerRound says keep (true) or remove of people, all or nothing. ErrNotFound for a round or person that is not there.
	AnswerRound(ctx context.Context, id string, answers map[string]bool, act Action) (RuleOutcome, error)
	// Renewals gives what ends with the fiscal year.
	Renewals(ctx context.Context) (RenewalBook, error)
	// Renew continues grants by number. ErrNotFound for one that is not among the renewals any more.
	Renew(ctx context.Context, ids []string, act Action) (RuleOutcome, error)
}

// RoundBook is all about recertification.
type RoundBook struct {
	Rounds []RuleRound
	Due    []RoundWaiting
}

// RuleRound is one round of a zone. Days are YYYY-MM-DD, "" = none.
type RuleRound struct {
	ID                  string
	Zone                access.ZoneID
	ZoneName            string
	Opened, Due, Closed string
	Answers             []RoundAnswer
}

// RoundAnswer is what was said of one person: open, keep, remove or suspended.
type RoundAnswer struct{ Person, Name, Section, Word, Day string }

// RoundWaiting is a zone that waits for a round.
type RoundWaiting struct {
	Zone      access.ZoneID
	ZoneName  string
	Last, Due string
	Open      string // round that is open
}

// RenewalBook is what there is to renew.
type RenewalBook struct {
	Open   bool // from 1 March on
	Until  string
	Grants []RenewalGrant
	Gaps   []RenewalGap
}

// RenewalGrant is a grant that ends and is not continued yet.
type RenewalGrant struct {
	ID, Holder string // a person's name or a group's
	People     int
	Zone       string // name
	ZoneID     access.ZoneID
	Schedule   string // name
	Ends       string
	From, To   string // what it would be continued by
}

// RenewalGap is a zone that fewer than two people could enter on the first day of the new year.
type RenewalGap struct {
	Zone   access.ZoneID
	Name   string
	Day    string
	People []string // names
}
