package app

import (
	"context"
	"log/slog"
	"time"

	"monban/gateway/hal"
	"monban/gateway/watchdog"
	"monban/hardware/board"
)

const (
	// tendEvery is how often a lock's own work is looked at.
	tendEvery = time.Second
	// recordsPatience is how many rounds the writer of records may miss, 5 minutes: the rescue of a large file on an SD
	// card is no loop that hangs, and meanwhile doors deny and leaving is free.
	recordsPatience = int(5 * time.Minute / watchdog.Every)
	// busPatience: a bus is switched off by the kernel's own timeouts before that; its inputs are line faults by then.
	busPatience = 3
)

// watched is what the watchdog sees of this process: the loops, and who is fed while all of them make their turns.
type watched struct {
	watchdog.Group
	locks   []tended
	device  *watchdog.Device  // nil = none
	systemd *watchdog.Systemd // nil = no service manager
	failed  bool              // the configured device could not be had
}

type tended struct {
	lock  hal.Lock
	pulse *watchdog.Pulse
}

// scanned is what the board's drivers call after each round over the bus; nil where nothing is on it.
func (w *watched) scanned(p *board.Profile) func() {
	if len(p.ADCs) == 0 && len(p.Expanders) == 0 {
		return nil
	}
	return w.Pulse("inputs on I²C", busPatience).Beat
}

// lock adds a door's lock; nil is an observed door's.
func (w *watched) lock(door string, l hal.Lock) {
	if l != nil {
		w.locks = append(w.locks, tended{l, w.Pulse("lock "+door, 0)})
	}
}

// arm opens what is fed. A watchdog that cannot be had keeps no door shut: it is told here and by the self-test, and the
// doors are served without it.
func (w *watched) arm(opt Options) {
	fail := func(err error) {
		opt.Log.LogAttrs(context.Background(), slog.LevelError, "watchdog", slog.Any("err", err))
	}
	w.systemd = watchdog.FromEnvironment()
	if c := opt.Config.Watchdog; c.Device != "" && !opt.Sim { // a demo resets no machine
		var err error
		if w.device, err = watchdog.Open(c.Device, c.Timeout.Std()); err != nil {
			w.failed = true
			fail(err)
		}
	}
}

// run tends the locks and holds the rounds until ctx ends. From then on nobody is fed: an end that hangs is a hang.
func (w *watched) run(ctx context.Context, log *slog.Logger) {
	if err := w.systemd.Ready(); err != nil {
		log.LogAttrs(ctx, slog.LevelError, "watchdog", slog.Any("err", err))
	}
	for _, l := range w.locks {
		go l.tend(ctx) // not waited for: one that hangs would hold up the end, and its pulse says so
	}
	feeders := []watchdog.Feeder{w.systemd}
	if w.device != nil {
		feeders = append(feeders, w.device)
	}
	tick := time.NewTicker(watchdog.Every)
	defer tick.Stop()
	watchdog.Run(ctx, &w.Group, tick.C, log, feeders...)
}

// tend is the lock's loop as the watchdog sees it.
func (l tended) tend(ctx context.Context) {
	t := time.NewTicker(tendEvery)
	defer t.Stop()
	for {
		if w, ok := l.lock.(hal.Tender); ok {
			w.Tend()
		}
		l.pulse.Beat()
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// stopping tells systemd that the end is wanted.
func (w *watched) stopping() { _ = w.systemd.Stopping() } // who does not hear it hears the end

// end gives the watchdog up. Only a clean end with every lock secured disarms it; after any other the machine is reset
// unless the next process takes over in time.
func (w *watched) end(clean bool) error {
	switch {
	case w.device == nil:
		return nil
	case clean:
		return w.device.Disarm()
	default:
		return w.device.Leave()
	}
}
