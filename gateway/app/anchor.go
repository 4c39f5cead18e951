package app

import (
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/access"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
)

// anchor is the one moment at which this process looked at the clocks (D4). Every later reading is
// the time since then, by the monotonic clock; the wall clock is only ever a claim with a quality.
type anchor struct {
	boot     wire.BootID
	start    time.Time // with its monotonic reading
	boottime int64     // CLOCK_BOOTTIME at start, ns
	kernel   int64     // CLOCK_MONOTONIC at start, ns: kernel stamps of edges count from its zero

	// offset is estimated server time − wall time in ms; quality the best source so far.
	offset  atomic.Int64
	quality atomic.Uint32
}

func newAnchor(quality access.ClockQuality) (*anchor, error) {
	a := &anchor{start: time.Now()}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return nil, fmt.Errorf("read the boot clock: %w", err)
	}
	a.boottime = ts.Nano()
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("read the monotonic clock: %w", err)
	}
	a.kernel = ts.Nano()
	if _, err := rand.Read(a.boot[:]); err != nil {
		return nil, fmt.Errorf("make a boot id: %w", err)
	}
	a.quality.Store(uint32(quality))
	return a, nil
}

func (a *anchor) now() mono.Time { return mono.Time(time.Since(a.start)) }

// wall is the best wall time at t in UTC ms: this process's clock, moved by the server's offset once
// the server's signed time was heard.
func (a *anchor) wall(t mono.Time) int64 {
	return a.start.UnixMilli() + int64(time.Duration(t)/time.Millisecond) + a.offset.Load()
}

func (a *anchor) clock() access.ClockQuality { return access.ClockQuality(a.quality.Load()) }

// serverTime takes the server's signed time, which arrived at t and answers something sent at sent.
// The server read its clock somewhere between; half the round trip is the best guess.
func (a *anchor) serverTime(serverMS int64, sent, t mono.Time) (stepMS int64) {
	half := int64(t.Sub(sent)/2) / int64(time.Millisecond)
	own := a.start.UnixMilli() + int64(time.Duration(t)/time.Millisecond)
	next := serverMS + half - own
	old := a.offset.Swap(next)
	a.quality.Store(uint32(access.ClockServer))
	return next - old
}

func (a *anchor) moment() controller.Moment {
	t := a.now()
	return controller.Moment{At: t, WallMS: a.wall(t), Clock: a.clock()}
}

// stamp is a moment as it goes onto the wire. The wall time there is this machine's own; the offset
// stands beside it.
func (a *anchor) stamp(m controller.Moment) wire.Stamp {
	off := a.offset.Load()
	return wire.Stamp{
		Boot: a.boot, BoottimeNS: a.boottime + int64(m.At), WallMS: m.WallMS - off, Quality: m.Clock, OffsetMS: off,
	}
}
