package web

import (
	"context"
	"errors"
	"time"
)

// ErrHeld says that a legal hold blocks what was asked for.
var ErrHeld = errors.New("is under a legal hold")

// ErrOpenCases says that something of the class and year is still open.
var ErrOpenCases = errors.New("has something that is still open")

// ErrBadRetention says that a class, year, period or day is not one, or that a reason is missing.
var ErrBadRetention = errors.New("retention: malformed")

// Retention is how long what is kept, what is due, holds, and disposal on the word of two persons (EV-8, EV-9, RA-2).
type Retention interface {
	// RetentionBook gives all that the page shows.
	RetentionBook(ctx context.Context) (RetentionBook, error)
	// DisposalRun gives one run for its printed record; ErrNotFound.
	DisposalRun(ctx context.Context, id string) (RetentionRun, error)
	// SetRetention gives a class another period; ErrBadRetention.
	SetRetention(ctx context.Context, class string, years int, act Action) error
	// AskDisposal asks for a run; ErrNotAllowed before its time, ErrHeld, ErrOpenCases, ErrExists when one waits, ErrNotFound.
	AskDisposal(ctx context.Context, class string, year int, act Action) error
	// DecideDisposal is the second person, or somebody's no; ErrHeld, ErrOpenCases, ErrSamePerson, ErrTooLate, ErrNotFound.
	DecideDisposal(ctx context.Context, id string, approve bool, act Action) error
	// PlaceHold stops disposal; ErrBadRetention. class "" = every one.
	PlaceHold(ctx context.Context, class string, from, to int, until string, act Action) error
	// ReleaseHold asks for a hold's end, or as another person ends it; ErrSamePerson, ErrTooLate, ErrNotFound.
	ReleaseHold(ctx context.Context, id string, act Action) error
}

// RetentionBook is what there is, what is due and what blocks it.
type RetentionBook struct {
	Rules []RetentionRule
	Items []RetentionItem
	Runs  []RetentionRun
	Holds []RetentionHold
}

// RetentionRule is how many fiscal years a class is kept; 0 = for ever.
type RetentionRule struct {
	Class string
	Years int
}

// RetentionItem is one class and fiscal year that there is something of.
type RetentionItem struct {
	Class string
	Year  int
	Count int64
	DueOn string // YYYY-MM-DD, "" = never
	Due   bool
	Open  int64 // findings, incidents and other matters of it that nobody has closed: it waits for them
	Holds []string
	Asked bool // a run is under way
}

// RetentionRun is one disposal run.
type RetentionRun struct {
	ID, Class  string
	Year       int
	State      string // asked, approved, started, done, withdrawn; void = asked or approved, but by a typed name
	Count      int64  // leaves, or people, when it was asked for
	Rows       int64  // that went
	Asked      time.Time
	AskedBy    string // as pages call the account
	Approved   time.Time
	ApprovedBy string
	Started    int64 // leaf, -1 = not yet
	Done       int64
	DoneAt     time.Time
	Asker      string // account
}

// RetentionHold is a legal hold.
type RetentionHold struct {
	ID, Class    string
	FromFY, ToFY int
	Until        string
	State        string // held, release_asked, released
	By           string
	Why          string
}
