package app

import (
	"context"
	"log/slog"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/store"
	"monban/server/web"
)

// Registers reads the entry registers of an opened site as its pages do, for programs that hold them against something else. now is
// the moment by which a register is read.
func (s *Site) Registers(pub *policypub.Publisher, now func() time.Time) web.Registers {
	return &pages{
		store: s.Store, health: newHealth(now()), now: now, log: slog.New(slog.DiscardHandler), begins: newZoneBegins(),
		directory: func() directory.Snapshot { return *pub.Site().Directory() },
	}
}

// Visits gives the counter's service of an opened site, for programs that stand at it: what pages do with visits, badges, keys and the rest.
func (s *Site) Visits(pub *policypub.Publisher, now func() time.Time) *Visits {
	return newVisits(pub, s.Store, now, slog.New(slog.DiscardHandler))
}

// Sweep is the counter's job of each minute: it ends what is over by itself and tells, once each, of what is overdue.
func (v *Visits) Sweep(ctx context.Context) error { return v.sweep(ctx) }

// MarkOwn notes which changes gave something to the person behind one of the accounts that made them, as the pages' service does (VR-1).
func (s *Site) MarkOwn(tx *store.Tx, changes []directory.Change, accounts ...string) error {
	return markOwn(tx, changes, accounts...)
}
