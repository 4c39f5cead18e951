package web

import (
	"context"

	"monban/firmware/access"
	"monban/server/visit"
)

// Outages are times in which doors are not as always: out of service and in paper mode (OP-8), in a drill (OP-6), the whole site in a
// disaster (OP-7). None of them changes what a door does, records or is found. A refusal is a *visit.Error.
type Outages interface {
	// ListOutages gives the doors that are out of service now or that were in the last 62 days, newest first.
	ListOutages(ctx context.Context) ([]visit.Outage, error)
	BeginOutage(ctx context.Context, x visit.Outage, by visit.Actor) error
	EndOutage(ctx context.Context, id, note string, by visit.Actor) error
	// PaperEntries gives the typed lines that nobody has compared, and those of the last 62 days, newest first.
	PaperEntries(ctx context.Context) ([]visit.PaperEntry, error)
	// TypePaper types a line in; its times lie where records of the door are missing: its gateway was silent, or the door out of service.
	TypePaper(ctx context.Context, x visit.PaperEntry, by visit.Actor) error
	ComparePaper(ctx context.Context, id string, by visit.Actor) error
	// Drills gives those that run or are to come; Disaster the one that runs, nil = none.
	Drills(ctx context.Context) ([]visit.Drill, error)
	Disaster(ctx context.Context) (*visit.Drill, error)
	BeginDrill(ctx context.Context, x visit.Drill, by visit.Actor) error
	EndDrill(ctx context.Context, id string, by visit.Actor) error
}

// DoorOut is a door out of service as a day's page tells it.
type DoorOut struct {
	Door   access.DoorID
	Name   string
	Ticket string
	Owner  string // only with names
	Outage visit.Outage
}
