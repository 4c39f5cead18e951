package web

import (
	"context"
	"time"

	"monban/firmware/access"
)

// APIToken is what lets a program use the API in the name of an account (RA-1). The token itself is nowhere: only
// its hash.
type APIToken struct {
	ID      string   // opaque, made here: 26 characters of base 32
	Hash    [32]byte // SHA-256 of the token as it is sent
	Account string
	Name    string  // what it is for, as typed; 1–64 characters
	Roles   RoleSet // the most it may do; in force are those that the account has too. 0 lets nobody in.
	Orders  bool    // may ask for and agree to remote commands; made with a fresh proof of identity, ends soon
	Created time.Time
	Expires time.Time // exclusive
	UsedDay string    // last day of use, YYYY-MM-DD in the site's zone; "" = never
	Revoked time.Time // zero = in force
}

// Tokens keeps the tokens of the API. A token is never deleted, so that the log's ids keep their meaning.
type Tokens interface {
	// TokenByHash finds a token, revoked and expired ones too. ErrNotFound.
	TokenByHash(ctx context.Context, hash [32]byte) (APIToken, error)
	// AccountTokens lists the tokens of an account, newest first.
	AccountTokens(ctx context.Context, account string) ([]APIToken, error)
	// CreateToken stores t and the leaf of act together.
	CreateToken(ctx context.Context, t APIToken, act Action) error
	// RevokeToken ends a token of this account and writes the leaf of act together. ErrNotFound when the account
	// has no such token in force.
	RevokeToken(ctx context.Context, account, id string, act Action) error
	// UseToken notes the day of use and writes the leaf of act together; it does neither when the day is noted
	// already.
	UseToken(ctx context.Context, id, day string, act Action) error
}

// Registry reads people, cards and rules for the API. Lists are whole, of one moment, and sorted by id.
type Registry interface {
	RegistryPeople(ctx context.Context) ([]RegPerson, error)
	// RegistryCards lists the cards of one person.
	RegistryCards(ctx context.Context, person string) ([]RegCard, error)
	RegistryZones(ctx context.Context) ([]RegZone, error)
	RegistrySchedules(ctx context.Context) ([]RegSchedule, error)
	RegistryGrants(ctx context.Context) ([]RegGrant, error)
	RegistryClosedDays(ctx context.Context) ([]RegDay, error)
	RegistryGroups(ctx context.Context) ([]RegGroup, error)
	RegistryContracts(ctx context.Context) ([]RegContract, error)
	RegistryProposals(ctx context.Context) ([]RegProposal, error)
	// RegistryVisits lists the visits of a day (YYYY-MM-DD) in order of their beginning.
	RegistryVisits(ctx context.Context, day string) ([]RegVisit, error)
	// SetCard changes the state of a card; the policy that follows is in force when it returns, and the leaf of the
	// change is part of the same transaction. act.Reason is never "". lastSure is when a card that is stopped was last
	// surely in its holder's hand, zero = not known (AD-17). It gives the card as it is now; waiting says that a second
	// person has to agree first, and that nothing has changed. ErrNotFound. ErrRevoked for a card that is revoked for
	// good. ErrState when the card is not in a state for it. ErrSecondPerson when it was asked for before.
	SetCard(ctx context.Context, card string, to access.CredentialStatus, lastSure time.Time, act Action) (c RegCard, waiting bool, err error)
}

// RegPerson is a person of the directory. Days are YYYY-MM-DD, "" = none.
type RegPerson struct {
	ID, Name, NameReduced, Kana, Romaji string
	Section, Company                    string
	Category, Kind                      string
	Active                              bool
	ValidFrom, ValidUntil               string
	TrainingUntil                       string
	Conditions                          uint32 // version of the entry conditions acknowledged, 0 = none
	MayEscort                           bool
}

// RegCard is a card, by the inventory number on its sleeve. What is inside a card is known to nobody here.
type RegCard struct {
	ID, Person            string
	Masked                string // last digits
	Assurance             string
	Status                access.CredentialStatus
	ValidFrom, ValidUntil string
	PIN                   bool // there is one
}

// RegZone is a controlled zone with its rules.
type RegZone struct {
	ID, Name, Parent string
	Level            int
	MinAssurance     string
	PINAlways        bool
	AntiPassback     string
	MaxInside        uint32 // 0 = any number
	MinInside        uint32
	TwoPersonWithin  time.Duration // 0 = one is enough
	Escort           string
	Training         string
	Conditions       uint32
	Basis            string
}

// RegSchedule is a schedule.
type RegSchedule struct {
	ID, Name string
	Windows  []RegWindow
}

// RegWindow is a span of a day in seconds since midnight; To ≤ From ends on the next day.
type RegWindow struct {
	Days     []string // mon … sun, closed
	From, To int
}

// RegGrant is one right to one zone.
type RegGrant struct {
	ID, Person, Group, Zone, Schedule string
	ValidFrom, ValidUntil             string
	Suspended                         bool
	Basis                             string
}

// RegDay is a day on which the offices are closed.
type RegDay struct{ Day, Name string }

// RegGroup is several people who are given rights together.
type RegGroup struct {
	ID, Name string
	Members  []string
}

// RegContract is what a contractor's people work under.
type RegContract struct {
	ID, Name, Company, Section string
	ValidFrom, ValidUntil      string
	Tier                       int
	Workers                    []string
}

// RegProposal is a change that waits for a second person (D27).
type RegProposal struct {
	ID, Proposer string // account, "" = the command line
	Proposed     time.Time
	Reason       string
	Changes      []string // one line each, in English
}

// RegVisit is a visit with its guests.
type RegVisit struct {
	ID, State, Type, Purpose, System string
	Zones                            []string
	From, Until                      time.Time
	Section, Company, Contract       string
	Attendee                         string // person
	Guests                           []RegGuest
	Owed                             int // things that are still to be done
}

// RegGuest is one guest of a visit.
type RegGuest struct {
	Name, Company, Category string
	Badge                   string // what is printed on it, "" = none lent
	Received, Returned      time.Time
}
