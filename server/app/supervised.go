package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"monban/server/store"
)

// supervise tells the service manager that the server serves, and then, while WatchdogSec= of the unit asks for it, that the
// writer of the log still takes turns: every answer to a door waits for one. A turn that fails is a turn; one that never comes
// back is a hang, nobody is told any more, and the process is started anew. Doors decide for themselves meanwhile.
func (a *App) supervise(ctx context.Context) {
	supervise(ctx, a.log, func(ctx context.Context) error {
		return a.site.Store.Write(ctx, func(*store.Tx) error { return nil })
	})
}

func supervise(ctx context.Context, log *slog.Logger, turn func(context.Context) error) {
	say := func(word string) {
		if _, err := daemon.SdNotify(false, word); err != nil {
			log.LogAttrs(ctx, slog.LevelError, "the service manager was not told", slog.String("what", word), slog.Any("err", err))
		}
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		log.LogAttrs(ctx, slog.LevelError, "watchdog of the service manager", slog.Any("err", err))
	}
	say(daemon.SdNotifyReady)
	defer say(daemon.SdNotifyStopping)
	if every <= 0 {
		<-ctx.Done()
		return
	}
	t := time.NewTicker(every / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := turn(ctx); errors.Is(err, context.Canceled) {
			continue // the end is wanted
		}
		say(daemon.SdNotifyWatchdog)
	}
}
