package web

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/datarequest"
	"monban/server/visit"
)

// Kinds of actions about requests of the person concerned. The steps themselves are leaves of the matter, with verbs of its own.
const (
	ActionViewDataRequest ActionKind = "view_data_request" // Target = the request; "" = the list
	ActionViewOwnData     ActionKind = "view_own_data"     //
)

// DataRequests are requests for disclosure, correction, and stop of use (PR-3). A refusal is an error of package datarequest.
type DataRequests interface {
	// OwnDataRequests lists those of who asks, by the account or the person behind it, newest first: of the last three years and what is open.
	OwnDataRequests(ctx context.Context, by visit.Actor) ([]DataRequest, error)
	// ListDataRequests gives the open ones, the most urgent first; with all the closed ones of the last three years too, newest first.
	ListDataRequests(ctx context.Context, all bool) ([]DataRequest, error)
	// DataRequestByID: ErrNotFound, also for what was disposed of.
	DataRequestByID(ctx context.Context, id string) (DataRequestDetail, error)
	// BeginDataRequest gives the new id. With a Paper it was received, without one it is asked for by who does so.
	BeginDataRequest(ctx context.Context, x datarequest.Record, by visit.Actor) (string, error)
	// StepDataRequest moves one; done names the leaf's verb.
	StepDataRequest(ctx context.Context, id string, done datarequest.Done, reason string, by visit.Actor, move DataMove) error
	// SuspendEntry suspends the use of one entry for a request, at once (ADR 0059). seen is how many turns the page showed.
	SuspendEntry(ctx context.Context, id string, seen int, entry, reason string, by visit.Actor) error
	// SettleEntry is another person's: the entry's openings are erased, or its suspension ends. ErrSamePerson, ErrHeld, ErrTooLate.
	SettleEntry(ctx context.Context, id string, seen int, held string, erase bool, reason string, by visit.Actor) error
	// KeptYears gives how many fiscal years each class of records is kept; 0 = for ever.
	KeptYears(ctx context.Context) (map[string]int, error)
}

// DataMove moves a request; f is what the log says of it at that moment.
type DataMove func(x *datarequest.Record, f datarequest.Facts, nowMS int64, today calendar.Date) error

// DataRequest is a request as lists show it.
type DataRequest struct {
	datarequest.Record
	Who   string // name of the person; the account's when the directory does not know them
	Waits int    // entries whose use is suspended
}

// DataRequestDetail is one with what stands beside it.
type DataRequestDetail struct {
	DataRequest
	Entry *DataEntry // nil = about none in particular
	Held  []HeldEntry
	Names map[string]string // full names of the accounts in it
}

// DataEntry is the entry that a request is about, as it stands.
type DataEntry struct {
	ID       string // hexadecimal
	At       time.Time
	Day      string // YYYY-MM-DD in the site's zone
	Zone     access.ZoneID
	ZoneName string
	Door     string
	Side     access.Side
	Purpose  string
	Readable bool // false: its person is suspended or erased
	// Appended are the corrections beside it, oldest first.
	Appended []RowCorrection
}

// HeldEntry is an entry whose use was suspended for a request.
type HeldEntry struct {
	ID    string // of the suspension
	Entry string // hexadecimal
	At    time.Time
	Door  string
	State string // restricted, erased, lifted
	By    string // account that suspended it
}
