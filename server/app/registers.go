package app

import (
	"log/slog"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/web"
)

// Registers reads the entry registers of an opened site as its pages do, for programs that hold them against something else. now is
// the moment by which a register is read.
func (s *Site) Registers(pub *policypub.Publisher, now func() time.Time) web.Registers {
	return &pages{
		store: s.Store, health: newHealth(now()), now: now, log: slog.New(slog.DiscardHandler),
		directory: func() directory.Snapshot { return *pub.Site().Directory() },
	}
}
