package web

import (
	"context"
	"time"
)

// Verification shows how the entry log stands and lets an auditor check it (EV-1, EV-4, EV-5).
type Verification interface {
	// Standing says how the log stands now.
	Standing(ctx context.Context) (LogStanding, error)
	// StartCheck has the whole log checked in the background; it ends by itself. ErrBusy while one runs.
	StartCheck(ctx context.Context, act Action) error
	// ProveLeaf gives the proof of one record as a file, with its opening when names is set. The leaf of it is committed before, the
	// file's hash after. ErrNotFound when there is no such record or it was disposed of, FormFault without a reason.
	ProveLeaf(ctx context.Context, leaf int64, names bool, act Action) (data []byte, err error)
}

// LogStanding is how the log stands.
type LogStanding struct {
	Size       int64  // leaves
	Signed     int64  // leaves that the newest checkpoint covers
	Checkpoint string // signed note, "" = none
	Refused    bool   // nothing is signed any more: the log is in doubt
	Witnesses  []WitnessStanding
	Stamps     []StampStanding // the newest first
	Check      LogCheck
}

// WitnessStanding is how far one witness has followed the log.
type WitnessStanding struct {
	Name string
	Own  bool // a gateway of this site
	Size int64
	At   time.Time // of receipt
}

// StampStanding is a time stamp of another house on a checkpoint (EV-10).
type StampStanding struct {
	Size      int64     // entries of the checkpoint
	At        time.Time // in the stamp, by the authority's clock
	Received  time.Time // by this server's
	Authority string
}

// CheckState is how far a check of the log is. The zero value: none was made since the server began.
type CheckState string

// States of a LogCheck.
const (
	CheckNone    CheckState = ""
	CheckRunning CheckState = "running"
	CheckClean   CheckState = "clean"
	CheckFound   CheckState = "found"
	CheckFailed  CheckState = "failed" // could not be carried out
)

// LogCheck is the newest check that was started on the page.
type LogCheck struct {
	State        CheckState
	Began, Ended time.Time
	Done, Of     int64 // leaves
	Leaves       int64
	Checkpoints  int64
	Openings     int64
	Erased       int64
	Findings     int
	First        string // the first bad record, or why it could not be checked
}

// Kinds of actions of the page.
const (
	ActionLogChecked ActionKind = "log_check_started"
	ActionProofMade  ActionKind = "proof_exported"
)
