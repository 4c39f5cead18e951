package world

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/card"
	"monban/firmware/link"
)

// windows are pairs of stretches in which doors were asked: without the flood and with it (D29).
type windows struct{ idle, busy []tally }

// doorWindows asks in turn without and with the flood of perTick records a tick and gateway, so many decisions a window. The disk, the processors
// and whatever else the machine does are the same for both windows of a pair. People come when they come: who asks only when the one before has
// the answer would wait once for each burst of records, however long it is, and p95 would not see it.
func doorWindows(t *testing.T, members []*member, perTick int, refs []card.Ref) windows {
	t.Helper()
	var out windows
	count := envInt(t, "MONBAN_FLOOD_DECISIONS", 50)
	window := func() (y tally) {
		var mu sync.Mutex
		var all sync.WaitGroup
		for n := range count {
			all.Add(1)
			members[n%len(members)].ask(refs[n%len(refs)], func(took time.Duration, answered bool) {
				mu.Lock()
				y.add(took, answered)
				mu.Unlock()
				all.Done()
			})
			time.Sleep(time.Millisecond + rand.N(4*time.Millisecond))
		}
		all.Wait()
		return y
	}
	for pair := range envInt(t, "MONBAN_FLOOD_WINDOWS", 2) {
		out.idle = append(out.idle, window())
		end := make(chan struct{})
		var makers sync.WaitGroup
		for i, m := range members {
			makers.Go(func() {
				time.Sleep(apart(i, len(members)))
				tick := time.NewTicker(100 * time.Millisecond)
				defer tick.Stop()
				for n := pair << 40; ; n += perTick {
					for k := range perTick {
						m.noise(t, n+k)
					}
					select {
					case <-tick.C:
					case <-end:
						return
					}
				}
			})
		}
		time.Sleep(300 * time.Millisecond) // until the flood is under way; where it is not, the window is only easier
		out.busy = append(out.busy, window())
		close(end)
		makers.Wait()
		for _, m := range members {
			waitFor(t, string(m.id)+" has sent everything", func() bool { return m.box.Stat().Pending == 0 })
		}
	}
	most := noticed
	if count < enoughAsked { // over in 0.2 s: one stall of the machine is all of such a window
		most = link.AskTimeout
	}
	for i := range out.busy {
		if p95 := out.busy[i].quantile(0.95); p95 > most || out.busy[i].lost > 0 {
			t.Errorf("D29: with the flood p95 of a door's decision is %v, and %d were not in time", p95, out.busy[i].lost)
		}
	}
	return out
}

const (
	// noticed is how long somebody at a door does not notice (D29), five times the goal of ADR 0089 for a flood: 40 ms.
	noticed = 200 * time.Millisecond
	// busyRate is records a second at which a door still is to wait at most twice as long as at a quiet server (D29, ADR 0089).
	busyRate = 1000
	// mostTimes is that goal with the room that D29 gives on a machine that is not quiet, from enoughPairs pairs of windows on.
	mostTimes, enoughPairs = 2 * 1.3, 5
	// enoughAsked is how many decisions a window has whose p95 is held against noticed (D29).
	enoughAsked = 500
	// small is a wait of which no ratio is asserted: on a fast disk the quiet door's is a single millisecond.
	small = 10 * time.Millisecond
)

// apart is how long a gateway begins after the first one: they do not know of each other, and their batches do not leave at one moment.
func apart(i, of int) time.Duration {
	return 100 * time.Millisecond * time.Duration(i) / time.Duration(of)
}

// busyP95 is the median over the pairs of p95 with the flood.
func (w *windows) busyP95() time.Duration {
	var list []time.Duration
	for i := range w.busy {
		list = append(list, w.busy[i].quantile(0.95))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// ratio is the median over the pairs of p95 with the flood to p95 without it.
func (w *windows) ratio() float64 {
	var list []float64
	for i := range w.idle {
		list = append(list, float64(w.busy[i].quantile(0.95))/float64(max(w.idle[i].quantile(0.95), 1)))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

func (w *windows) String() string {
	var b strings.Builder
	var longest time.Duration
	lost := 0
	for i := range w.idle {
		longest = max(longest, w.busy[i].quantile(1))
		lost += w.busy[i].lost
		fmt.Fprintf(&b, "%v→%v ", w.idle[i].quantile(0.95).Round(10*time.Microsecond), w.busy[i].quantile(0.95).Round(10*time.Microsecond))
	}
	return fmt.Sprintf("p95 %s(median of %d pairs %.2f times), longest with the flood %v, %d not in time", b.String(), len(w.idle), w.ratio(),
		longest.Round(100*time.Microsecond), lost)
}
