package web

import (
	"context"
	"errors"
)

// Imports reads CSV files into the directory, after a look at what they would do. A draft is kept for half an hour, in
// memory only, since a file of cards holds numbers; it is the account's own.
type Imports interface {
	// DraftImport looks at files. With problems nothing is kept and ID is "".
	DraftImport(ctx context.Context, account string, files []ImportFile) (ImportDraft, error)
	// ImportByID looks again at a draft. ErrNotFound when it is gone, or another account's.
	ImportByID(ctx context.Context, account, id string) (ImportDraft, error)
	// ApplyImport does it, all or nothing, and drops the draft. act.Reason is never "". Problems are those that came up since.
	ApplyImport(ctx context.Context, id string, act Action) (RuleOutcome, error)
}

// ErrTooMany says that no more drafts can be kept now.
var ErrTooMany = errors.New("too many drafts")

// ImportFile is one file as it came. Kind "" is to be guessed.
type ImportFile struct {
	Name, Kind string
	Data       []byte
}

// ImportDraft is what files would do.
type ImportDraft struct {
	ID       string
	Files    []ImportLook
	Outcome  RuleOutcome // as of a dry run: Problems is empty
	Problems []RuleProblem
}

// ImportLook is what was made out of one file.
type ImportLook struct {
	Name, Kind, Encoding string // Kind and Encoding "" when they could not be told
	Rows                 int
	Head                 []string
	Sample               [][]string // first rows; none of a file of cards
}

// ImportKinds lists the kinds of files in reading order, by the names of their files.
var ImportKinds = []string{
	"conditions", "zones", "gateways", "schedules", "closed_days", "people", "groups", "contracts", "cards", "doors", "exceptions", "grants", "inventory", "biometrics", "transfers",
}
