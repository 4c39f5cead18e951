// Package watchdog stops feeding the machine's hardware watchdog when a loop that a door hangs on stands still, and
// tells systemd from the same source.
//
// Every loop has a Pulse and beats it after each turn. A round feeds only when every loop has beaten since the round
// before; a loop that may take long (the writer of records) may miss some rounds. It decides nothing, and it never
// mends a loop: a process with a hung loop cannot be trusted to.
//
// What the door does when the watchdog bites: the machine is reset. Its pins float or are pulled low, which means no
// current in the lock's relay, and by the relay contact that the board profile demands that is a locked door; a
// release that was under way ends at that moment. Leaving is mechanical and needs no machine. Doors deny until the
// gateway has started again, which secures every lock first and records a boot that followed no clean end.
package watchdog

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Every is how often a round is held. Loops beat at least each second, so a round of a healthy gateway has all of them.
const Every = 3 * time.Second

// Pulse is one loop's sign of life. A nil Pulse may be beaten: nobody looks at it.
type Pulse struct {
	name     string
	patience int // rounds that may be missed in a row
	beaten   atomic.Bool
	missed   int // owned by Group.Round
}

// Beat says that the loop has made a turn. It never blocks.
func (p *Pulse) Beat() {
	if p != nil {
		p.beaten.Store(true)
	}
}

// Group is all loops of one process. The zero Group has none and is never fed.
type Group struct {
	mu     sync.Mutex
	pulses []*Pulse
	still  atomic.Pointer[string]
}

// Still names the loops that stood still in the last round of Run, "" = none or no round yet.
func (g *Group) Still() string {
	if p := g.still.Load(); p != nil {
		return *p
	}
	return ""
}

// Pulse adds a loop, which may miss patience rounds in a row (≥ 0). Call it before Run.
func (g *Group) Pulse(name string, patience int) *Pulse {
	p := &Pulse{name: name, patience: patience}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pulses = append(g.pulses, p)
	return p
}

// Round begins a new round and names the loops that stood still in the one that ended. none is true of a group
// without loops: that is no healthy process but one that forgot to register them.
func (g *Group) Round() (still []string, none bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pulses {
		if p.beaten.Swap(false) {
			p.missed = 0
			continue
		}
		if p.missed++; p.missed > p.patience {
			still = append(still, p.name)
		}
	}
	return still, len(g.pulses) == 0
}

// Feeder is what wants a sign of life: the hardware watchdog, systemd.
type Feeder interface {
	// Feed says that all is well until the next round.
	Feed() error
}

// Run holds a round every tick until ctx ends, and feeds when all loops have beaten. What is starved is told once a
// stretch; whether the machine is reset is the watchdog's business, not ours.
func Run(ctx context.Context, g *Group, tick <-chan time.Time, log *slog.Logger, feeders ...Feeder) {
	starved := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		still, none := g.Round()
		if none {
			still = []string{"no loop is watched"}
		}
		if now := strings.Join(still, ", "); now != starved {
			starved = now
			g.still.Store(&now)
			if now != "" {
				log.LogAttrs(ctx, slog.LevelError, "the watchdog is not fed: a loop stands still; the machine is reset if it goes on", slog.String("loops", now))
			}
		}
		if len(still) > 0 {
			continue
		}
		for _, f := range feeders {
			if err := f.Feed(); err != nil {
				log.LogAttrs(ctx, slog.LevelError, "watchdog", slog.Any("err", err))
			}
		}
	}
}
