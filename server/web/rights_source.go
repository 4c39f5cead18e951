package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
)

// Refusals of a decision about what waits for a second person.
var (
	ErrStale = errors.New("the directory has changed since it was proposed")
)

// Rights is who may enter where and when, as pages show and change it, and what waits for a second person (D27). Refusals are as
// those of People; ErrSamePerson where the one who asked would agree, also by another account of the same person.
type Rights interface {
	// FindGrants gives the holders who fit, by name of group and number of person, with their grants in the zones that see is true for; a
	// nil see shows none.
	FindGrants(ctx context.Context, q GrantQuery, see func(access.ZoneID) bool) (GrantsFound, error)
	// RightsAsOf gives who had which right at the end of a day, as the log tells; zone "" = all (RR-8). Rights that had ended are not
	// among them. It reads every act on the directory since the first leaf.
	RightsAsOf(ctx context.Context, zone access.ZoneID, day calendar.Date) (RightsInventory, error)
	// GrantByID: ErrNotFound.
	GrantByID(ctx context.Context, id string) (GrantLine, error)
	// SaveGrant gives a grant, or with an ID changes schedule, days and basis of that one. Without an end it ends with the fiscal year or
	// the contract (AD-6). With try nothing is done and the effect is what would be.
	SaveGrant(ctx context.Context, g RegGrant, try bool, act Action) (Effect, error)
	// EndGrant takes a grant away, at once.
	EndGrant(ctx context.Context, id string, act Action) (Effect, error)

	// ListProposals gives what waits, newest first; me is the account that asks.
	ListProposals(ctx context.Context, me string) ([]ProposalLine, error)
	// ProposalByID gives one with what it would change. ErrNotFound; one that is decided has no changes any more.
	ProposalByID(ctx context.Context, id, me string) (ProposalFile, error)
	// ConfirmProposal is the second person: it is in force when this returns. ErrNotFound, ErrSamePerson, ErrTooLate, ErrStale.
	ConfirmProposal(ctx context.Context, id string, act Action) error
	// WithdrawProposal ends it without effect. ErrNotFound, ErrTooLate.
	WithdrawProposal(ctx context.Context, id string, act Action) error
}

// GrantQuery selects grants. The zero value selects all.
type GrantQuery struct {
	Text     string // as PeopleQuery's, or part of a group's name
	Zone     access.ZoneID
	Schedule string
	Within   int    // ends within so many days
	State    string // "", now, later, over
	Skip     int
	Limit    int // of holders; 0 = all
}

// GrantsFound is a page of holders, and all that filters and forms choose from.
type GrantsFound struct {
	Holders   []GrantHolder
	Total     int
	Zones     []ZoneLevel // those that may be seen
	Schedules []RegSchedule
	Groups    []RegGroup
}

// ZoneLevel is a zone to choose.
type ZoneLevel struct {
	ID    access.ZoneID
	Name  string
	Level int
}

// GrantHolder is somebody, or a group, with grants.
type GrantHolder struct {
	ID, Name, Section string
	Group             bool
	Members           int
	Grants            []GrantLine
}

// GrantLine is a grant in words.
type GrantLine struct {
	RegGrant
	Holder       string // name
	ZoneName     string
	Level        int
	ScheduleName string
	State        string // now, later, over, suspended
}

// ProposalLine is what waits for a second person.
type ProposalLine struct {
	ID         string
	Proposer   string // account, "" = the command line
	ByName     string // full name, "" likewise
	At         time.Time
	Until      time.Time // after that it can no longer be confirmed
	Reason     string
	Changes    []RegChange
	Mine       bool // the account that asks, or another one of the same person, proposed it
	Overlooked int  // changes that are not listed, for there are too many
}

// ProposalFile is one with whom it would let in and whom not.
type ProposalFile struct {
	ProposalLine
	Stale   bool // the directory has changed since: it cannot be confirmed
	Decided bool // it is over
	Rights  []RightEffect
	More    int // rights that are not listed
}

// RightEffect says what a proposal does to one person's right to a zone: gains, loses, changes, or keeps (by a card or a longer validity).
type RightEffect struct {
	Person, PersonName string
	Zone               access.ZoneID
	ZoneName           string
	Level              int
	Effect             string
}
