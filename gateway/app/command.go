package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// command takes a verified command to its door. One for a door that is not here is recorded and moves
// nothing.
func (a *App) command(c link.Commanded) {
	for i, d := range a.opt.Config.Doors {
		if access.DoorID(d.ID) == c.Command.Door {
			a.doors[i].Command(c.Command, c.Until)
			return
		}
	}
	a.outbox.Append(outbox.Entry{
		Record: wire.Record{
			Event: door.EventDenied, Attempt: door.Attempt(c.Command.ID), By: access.ByServer, Reason: access.ReasonUnknownDoor,
			Stamp: a.anchor.stamp(a.anchor.moment()),
		},
		Done: func(outbox.Result) {}, // not recorded is not done: the server reports the command as unanswered
	})
}

// selfTest names the parts of the gateway itself that are not as they should be.
func (a *App) selfTest() (bad []string) {
	s := a.outbox.Stat()
	if s.Latched || s.Level >= outbox.LevelCritical {
		bad = append(bad, "outbox")
	}
	if a.watched.failed {
		bad = append(bad, "watchdog")
	}
	if a.anchor.clock() < access.ClockRTC {
		bad = append(bad, "clock")
	}
	if a.policies.Held().Manifest == 0 {
		bad = append(bad, "policy")
	}
	return bad
}

// latch is a controller.Latch: a file that is there while its door is released by the fire panel and not
// re-armed. A file of its own, not a row of the outbox: a full or damaged outbox must not forget a fire release.
type latch struct{ path string }

// Unarmed implements controller.Latch.
func (l latch) Unarmed() (bool, error) {
	_, err := os.Stat(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("fire release of a door: %w", err)
	}
	return true, nil
}

// SetUnarmed implements controller.Latch. It returns once the change is on the disk.
func (l latch) SetUnarmed(on bool) error {
	if err := l.change(on); err != nil {
		return fmt.Errorf("fire release of a door: %w", err)
	}
	return nil
}

func (l latch) change(on bool) error {
	if on {
		f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	} else if err := os.Remove(l.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(l.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
