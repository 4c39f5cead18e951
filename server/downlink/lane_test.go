package downlink

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// One gateway at a time, in order; many gateways side by side; every message once.
func TestLaneOrderAndExclusion(t *testing.T) {
	t.Parallel()
	const gateways, each = 50, 200
	var busy [gateways]atomic.Int32
	next := make([]int, gateways) // next[i] is only touched by the worker that has gateway i
	var done sync.WaitGroup
	done.Add(gateways * each)
	l := newLane(gateways, each, 1<<30, func(_ context.Context, g *gateway, m message) {
		defer done.Done()
		var i, n int
		if _, err := fmt.Sscan(string(m.payload), &i, &n); err != nil {
			t.Error(err)
		}
		if busy[i].Add(1) != 1 {
			t.Errorf("gateway %d is worked off twice at a time", i)
		}
		if next[i] != n {
			t.Errorf("gateway %d: %d after %d", i, n, next[i]-1)
		}
		next[i] = n + 1
		busy[i].Add(-1)
	})
	ctx, cancel := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() { l.worker(ctx) })
	}
	var pushers sync.WaitGroup
	for i := range gateways {
		b := &box{gw: &gateway{}}
		pushers.Go(func() {
			for n := range each {
				l.push(b, message{payload: fmt.Appendf(nil, "%d %d", i, n)})
			}
		})
	}
	pushers.Wait()
	done.Wait()
	cancel()
	workers.Wait()
	if l.dropped.Load() != 0 || l.bytes.Load() != 0 {
		t.Errorf("dropped %d, bytes %d", l.dropped.Load(), l.bytes.Load())
	}
}

// Without workers: the bounds, the oldest goes first, and one gateway's flood costs no other a
// message that fits.
func TestLaneBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got []string
		l := newLane(4, 3, 100, func(_ context.Context, _ *gateway, m message) { got = append(got, string(m.payload[:2])) })
		a, b := &box{gw: &gateway{}}, &box{gw: &gateway{}}
		put := func(x *box, name string, size int) {
			l.push(x, message{payload: append([]byte(name), make([]byte, size-2)...)})
		}
		for _, n := range []string{"a1", "a2", "a3", "a4"} {
			put(a, n, 10) // the fourth pushes out the first
		}
		put(b, "b1", 60)
		put(b, "b2", 60) // does not fit beside b1, pushes it out
		put(a, "a5", 40) // depth, then bytes: pushes out a2, a3, a4; 60 + 40 fit
		put(a, "a6", 200)
		if l.bytes.Load() != 60 || l.dropped.Load() != 7 {
			t.Errorf("bytes %d, dropped %d", l.bytes.Load(), l.dropped.Load())
		}
		put(a, "a7", 40)
		ctx, cancel := context.WithCancel(t.Context())
		go l.worker(ctx)
		synctest.Wait()
		cancel()
		if fmt.Sprint(got) != "[a7 b2]" {
			t.Errorf("worked off %v", got)
		}
		if l.bytes.Load() != 0 {
			t.Errorf("%d bytes left", l.bytes.Load())
		}
	})
}
