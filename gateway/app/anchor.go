package app

import (
	"crypto/rand"
	"fmt"
	"sync"
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

	mu sync.Mutex // held while the clock is set
	// offset is estimated server time − wall time in ms; quality the best source so far.
	offset  atomic.Int64
	quality atomic.Uint32
	floor   atomic.Int64 // wall ms that start was not before, by the last trusted time saved; 0 = none
}

// clockBack is how far a clock that calls itself synchronised may stand before the last trusted time,
// ms: it is slewed, and the server's time differs a little from it. Further back it has been set wrong.
const clockBack = 60_000

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

// notBefore says what the last trusted time was that an earlier process saved, UTC ms, 0 = none. Time
// does not go back: a clock that stands before it is moved to it, and is trusted no further if it is
// more than a little behind (D12: quality `floor`).
func (a *anchor) notBefore(trustedMS int64) {
	if trustedMS <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.floor.Store(trustedMS)
	behind := trustedMS - a.wall(0)
	if behind > clockBack {
		a.quality.Store(uint32(min(a.clock(), access.ClockFloor)))
	}
	if behind > 0 {
		a.offset.Add(behind)
	}
}

// least is the time at t that it is at the least, UTC ms: the last trusted time and what has passed
// since start; 0 = nothing is known.
func (a *anchor) least(t mono.Time) int64 {
	floor := a.floor.Load()
	if floor == 0 {
		return 0
	}
	return floor + int64(time.Duration(t)/time.Millisecond)
}

// kernelTime takes the kernel's clock, which reads wallMS at t with quality q, as long as nothing better
// is known: after a power cut the network's time may come before the server's (D12). A time before the
// last trusted one is not taken.
func (a *anchor) kernelTime(wallMS int64, q access.ClockQuality, t mono.Time) (stepMS int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.clock() >= access.ClockRTC || q < access.ClockRTC || q >= access.ClockServer || wallMS < a.least(t)-clockBack {
		return 0
	}
	old := a.wall(t)
	next := max(wallMS, a.least(t))
	a.offset.Add(next - old)
	a.quality.Store(uint32(q))
	return next - old
}

func (a *anchor) clock() access.ClockQuality { return access.ClockQuality(a.quality.Load()) }

// serverTime takes the server's signed time, which arrived at t and answers something sent at sent.
// The server read its clock somewhere between; half the round trip is the best guess.
func (a *anchor) serverTime(serverMS int64, sent, t mono.Time) (stepMS int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	half := int64(t.Sub(sent)/2) / int64(time.Millisecond)
	own := a.start.UnixMilli() + int64(time.Duration(t)/time.Millisecond)
	next := serverMS + half - own
	old := a.offset.Swap(next)
	// The server's time is the measure: what was trusted before, if it was later, was wrong.
	a.floor.Store(serverMS + half - int64(time.Duration(t)/time.Millisecond))
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

// occurred is when a record was made, UTC ms: exact for those of this process, also of before its clock was set.
func (a *anchor) occurred(s wire.Stamp) int64 {
	if s.Boot == a.boot {
		return a.wall(mono.Time(s.BoottimeNS - a.boottime))
	}
	return s.WallMS + s.OffsetMS
}
