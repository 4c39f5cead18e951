package downlink

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// message is what arrived for one gateway, not yet opened.
type message struct {
	kind    string
	payload []byte
	at      time.Time // with its monotonic reading
}

// lane works off messages of many gateways with a fixed set of workers: in order and one at a time
// within a gateway, side by side between gateways. There is no goroutine and no timer per gateway,
// and no gateway waits behind another one's queue: a worker takes one message and puts the gateway
// at the end of the line.
//
// A lane is bounded twice, in messages of one gateway and in bytes of all. What does not fit pushes
// out the oldest message of the same gateway; whoever sent it repeats it (I2).
type lane struct {
	depth   int   // messages of one gateway
	most    int64 // bytes of all gateways
	work    func(context.Context, *gateway, message)
	ready   chan *box // each box at most once, so a send never blocks
	bytes   atomic.Int64
	dropped atomic.Uint64
}

// box is one gateway's queue in one lane.
type box struct {
	gw *gateway

	mu   sync.Mutex
	q    []message
	busy bool // in ready, or with a worker
}

func newLane(gateways, depth int, most int64, work func(context.Context, *gateway, message)) *lane {
	return &lane{depth: depth, most: most, work: work, ready: make(chan *box, gateways)}
}

// push files m and returns at once.
func (l *lane) push(b *box, m message) {
	size := int64(len(m.payload))
	b.mu.Lock()
	for len(b.q) > 0 && (len(b.q) >= l.depth || l.bytes.Load()+size > l.most) {
		l.bytes.Add(-int64(len(b.q[0].payload)))
		b.q = b.q[1:]
		l.dropped.Add(1)
	}
	if l.bytes.Load()+size > l.most { // others fill the lane
		b.mu.Unlock()
		l.dropped.Add(1)
		return
	}
	l.bytes.Add(size)
	b.q = append(b.q, m)
	wake := !b.busy
	b.busy = true
	b.mu.Unlock()
	if wake {
		l.ready <- b
	}
}

// worker runs until ctx ends. Its owner is Run.
func (l *lane) worker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case b := <-l.ready:
			if m, ok := b.take(); ok {
				l.bytes.Add(-int64(len(m.payload)))
				l.work(ctx, b.gw, m)
			}
			if b.rest() {
				l.ready <- b
			}
		}
	}
}

func (b *box) take() (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.q) == 0 { // pushed out meanwhile
		return message{}, false
	}
	m := b.q[0]
	b.q[0] = message{} // let the payload go
	b.q = b.q[1:]
	return m, true
}

// rest ends the worker's turn and reports whether the gateway has to line up again.
func (b *box) rest() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy = len(b.q) > 0
	return b.busy
}
