package web

import (
	"context"
	"io"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
)

// Kinds of packs: words of the files themselves.
const (
	PackOfDay    = "day"
	PackOfPerson = "person"
	PackForAudit = "audit"
)

// Kinds of actions of packs.
const (
	ActionPackMade  ActionKind = "pack_exported"
	ActionPackTaken ActionKind = "pack_downloaded" // Target = the pack's hash
)

// Packs makes packs one after the other and keeps them for a while for whoever asked (RR-5, PR-3).
type Packs interface {
	// StartPack queues a pack and gives the job's id; the job survives a restart. That it is begun is a leaf before it is made, its hash one
	// after. FormFault for a use that is no registered purpose, without a reason, and for a person whom the directory does not know; ErrBusy
	// when too many wait.
	StartPack(ctx context.Context, ask PackAsk, act Action) (id string, err error)
	// PackJobs lists what an account asked for, newest first; what is too old is gone.
	PackJobs(ctx context.Context, account string) ([]PackJob, error)
	// OpenPack gives a pack that is made to whoever asked for it; ErrNotFound for anybody else. That it was taken is a leaf before.
	OpenPack(ctx context.Context, id string, act Action) (io.ReadCloser, PackJob, error)
}

// PackAsk is what is asked for.
type PackAsk struct {
	Kind     string
	From, To calendar.Date      // both included
	Person   directory.PersonID // of a PackOfPerson
	Names    bool               // with openings as far as they may be shown; a PackOfPerson always has the person's own
	Use      string             // registered purpose of use (PR-1)
}

// PackState is how far a job is. The zero value is none.
type PackState string

// States of a PackJob.
const (
	PackWaiting PackState = "waiting"
	PackRunning PackState = "running"
	PackDone    PackState = "done"
	PackFailed  PackState = "failed"
)

// PackJob is one pack that somebody asked for.
type PackJob struct {
	ID           string
	Kind         string
	First, Last  string // YYYY-MM-DD
	Person       string
	Names        bool
	State        PackState
	Asked, Ended time.Time
	Sum          string // SHA-256 of its MANIFEST, as the log holds it
	Size         int64  // bytes
	Fault        string // why it could not be made
	Part, Parts  int    // done, of; 0, 0 = not known
}
