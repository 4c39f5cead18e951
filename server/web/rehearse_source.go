package web

import (
	"context"
	"time"

	"monban/firmware/access"
)

// Rehearsals try changes that are not in force on past entries, before they are (VR-9). Nothing is written but that it was
// asked.
type Rehearsals interface {
	// Rehearsable lists what can be tried: open proposals, and the account's own drafts of imports.
	Rehearsable(ctx context.Context, account string) ([]RehearsalChoice, error)
	// StartRehearsal begins, with the leaf of act. ErrNotFound for a draft that is gone, ErrStale for a proposal whose rows
	// have changed since, ErrTooMany when too many run.
	StartRehearsal(ctx context.Context, q RehearsalQuery, act Action) (id string, err error)
	// RehearsalByID gives what there is of one of the account's own. ErrNotFound when it is gone: they are kept for half an hour.
	RehearsalByID(ctx context.Context, account, id string) (Rehearsal, error)
}

// RehearsalChoice is something to try.
type RehearsalChoice struct {
	ID     string // "proposal/…" or "import/…"
	Reason string // of a proposal
	Files  string // of a draft
	At     time.Time
	Rows   int
}

// RehearsalQuery says what is tried on which past entries: days YYYY-MM-DD in the site's zone, both included.
type RehearsalQuery struct{ What, From, Until string }

// Rehearsal is what a draft would have changed.
type Rehearsal struct {
	Query RehearsalQuery
	Done  bool
	Fault string // why it ended without an answer, a word: stale, gone, broken; "" = it did not
	Days  int    // of the period, looked at so far
	Of    int

	Compared, AlreadyOtherwise, Unreadable int

	Entries []RehearsalEntry
	More    int // entries that are not in Entries
	Rights  []RehearsalRight
}

// RehearsalEntry is a past decision that would have come out otherwise.
type RehearsalEntry struct {
	Attempt     string
	At          time.Time
	Person      string // number; "" = nobody known
	Name        string
	Door        string // name
	Was, Is     access.Outcome
	WasWhy, Why access.Reason
}

// RehearsalRight is what becomes of one person's right to a zone.
type RehearsalRight struct {
	Person, Name, Zone string
	Effect             string // gains, loses, changes
	Before, After      []string
}
