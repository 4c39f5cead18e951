package app

import (
	"context"
	"strings"
	"time"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/hal"
	"monban/gateway/outbox"
)

// powerEvery is how often the power supply is looked at: a dip that is shorter is no event.
const powerEvery = time.Second

// watchPower notes when the mains goes and comes back and when the battery runs low (DS-8), and tells how
// both stand for the status board (OP-1). A line that cannot be read is taken for the bad news, with what is
// wrong with it; the board shows it as unknown. No door moves.
func watchPower(ctx context.Context, p hal.Power, note func(door.Event, string), tell func(wire.Power)) {
	w := newPowerWatch(p, note, tell)
	t := time.NewTicker(powerEvery)
	defer t.Stop()
	for w.look(); ; w.look() {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

type powerLine struct {
	in        hal.Input
	bad, good door.Event
	words     [2]string // what the board calls well and bad
	isBad     bool
}

func newPowerWatch(p hal.Power, note func(door.Event, string), tell func(wire.Power)) *powerWatch {
	return &powerWatch{note: note, tell: tell, lines: [2]powerLine{
		{in: p.Mains, bad: door.EventMainsLost, good: door.EventMainsBack, words: [2]string{"yes", "no"}},
		{in: p.Battery, bad: door.EventBatteryLow, good: door.EventBatteryOK, words: [2]string{"ok", "low"}},
	}}
}

type powerWatch struct {
	lines [2]powerLine // mains, battery
	note  func(door.Event, string)
	tell  func(wire.Power)
	told  wire.Power
}

// look reads both lines and notes what has changed; at the first look all is taken to have been well.
func (w *powerWatch) look() {
	now := [2]string{"none", "none"}
	defer func() {
		p := wire.Power{Mains: now[0], Battery: now[1]}
		if (w.lines[0].in != nil || w.lines[1].in != nil) && p != w.told { // where nothing is sensed, nothing is said
			w.told = p
			w.tell(p)
		}
	}()
	for i := range w.lines {
		l := &w.lines[i]
		if l.in == nil {
			continue
		}
		level, err := l.in.Level()
		if err != nil {
			level = hal.LevelUnknown
		}
		bad := level != hal.LevelRest
		switch {
		case level.Faulty():
			now[i] = "unknown"
		case bad:
			now[i] = l.words[1]
		default:
			now[i] = l.words[0]
		}
		if bad == l.isBad {
			continue
		}
		l.isBad = bad
		switch {
		case !bad:
			w.note(l.good, "")
		case level.Faulty():
			w.note(l.bad, "line."+level.String())
		default:
			w.note(l.bad, "")
		}
	}
}

// endDepth is how many of the newest records are searched for how the last process ended: what follows
// a shutdown is a handful.
const endDepth = 64

// lastEnd says from the outbox how the process before this one ended (DS-8). It is called before this
// one records anything.
func lastEnd(o *outbox.Outbox) string {
	s := o.Stat()
	first := s.Tail
	if s.Head >= endDepth {
		first = max(first, s.Head-endDepth+1)
	}
	last := door.BootFirst
	if first > 1 {
		last = door.BootUnclean // much was recorded, and no end among the newest
	}
	for first <= s.Head {
		ev, err := o.Load(s.Epoch, first, endDepth)
		if err != nil || len(ev.Records) == 0 {
			return door.BootUnclean // cannot be told: the worse is assumed
		}
		for _, c := range ev.Records {
			r, err := wire.ParseRecord(c.Body)
			if err != nil {
				return door.BootUnclean
			}
			switch {
			case r.Event == door.EventShutdown:
				last = door.BootClean
			case r.Event == door.EventBoot, r.Event == door.EventEpoch && strings.Contains(r.Detail, "."): // it names the one before
				last = door.BootUnclean // a process began, or records had to begin anew, and no end so far
			}
		}
		first += uint64(len(ev.Records))
	}
	return last
}
