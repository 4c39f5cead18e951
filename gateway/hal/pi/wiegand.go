package pi

import (
	"errors"
	"sync"
	"time"

	"monban/firmware/mono"
	"monban/gateway/hal"
)

// Times of a Wiegand reader.
const (
	idleLook = 200 * time.Millisecond // how often an idle line is looked at
	lowLong  = 2 * time.Millisecond   // a pulse is 100 µs at most: low twice this far apart is a cut, a short or a hand
	batches  = 512                    // on their way to the reader's goroutine: an edge each, so several cards
)

// Wiegand is one reader on two lines. It implements hal.Reader.
type Wiegand struct {
	*indicator
	events Events
	d0     uint32
	clock  clock
	outlet
	stop chan struct{}
	done chan struct{}
	once sync.Once

	// Owned by watch.
	line bool // FaultLine is on
}

var _ hal.Reader = (*Wiegand)(nil)

// newWiegand takes both lines in one request: only so does the kernel number their edges together.
func newWiegand(chip Chip, d0, d1 int, pullUp bool, ind *indicator, clock clock) (*Wiegand, error) {
	opt := EventOptions{Pull: "none"}
	if pullUp {
		opt.Pull = "up"
	}
	ev, err := chip.Events([]int{d0, d1}, opt)
	if err != nil {
		return nil, err
	}
	w := &Wiegand{indicator: ind, events: ev, d0: uint32(d0), clock: clock, outlet: newOutlet(batches),
		stop: make(chan struct{}), done: make(chan struct{})}
	go w.watch()
	return w, nil
}

// watch moves edges and does nothing else: no log, no lock that a disk write could hold. (It allocates each batch, which the
// receiver clears: the kernel has stamped the edges, so a pause here changes nothing.) What is wrong with a train (a hole in
// the numbers, noise) is judged by firmware/wiegand; here it only is not hidden.
func (w *Wiegand) watch() {
	defer close(w.done)
	defer close(w.signals)
	readEvents(w.events, idleLook, w.stop, func(p []byte, err error) error {
		if len(p) >= eventSize {
			w.pass(p)
			return nil
		}
		w.look()
		if err != nil {
			w.setLine(true) // the lines cannot be read: as good as cut. The door has no reader.
		}
		return err
	})
}

// pass hands a batch on. When the receiver is behind, the batch is dropped and told.
func (w *Wiegand) pass(p []byte) {
	edges := make(hal.Edges, 0, len(p)/eventSize)
	for ; len(p) >= eventSize; p = p[eventSize:] {
		e := decodeEvent(p)
		line := hal.D1
		if e.offset == w.d0 {
			line = hal.D0
		}
		edges = append(edges, hal.Edge{Line: line, At: w.clock.kernel(e.stamp), Seq: e.seq})
	}
	w.send(edges)
}

// look tells of a line that stays low.
func (w *Wiegand) look() {
	low := func() bool {
		bits, err := w.events.Levels()
		return err != nil || bits&3 != 3
	}
	bad := low()
	if bad && !w.line {
		time.Sleep(lowLong)
		bad = low()
	}
	w.setLine(bad)
}

func (w *Wiegand) setLine(bad bool) {
	if bad != w.line && w.send(hal.Fault{At: w.clock.now(), Kind: hal.FaultLine, On: bad}) {
		w.line = bad
	}
}

// Close implements hal.Reader.
func (w *Wiegand) Close() error {
	var err error
	w.once.Do(func() {
		close(w.stop)
		err = errors.Join(w.events.Close(), w.indicator.close())
		<-w.done
	})
	return err
}

// clock turns the kernel's CLOCK_MONOTONIC into the process's scale.
type clock struct {
	now    func() mono.Time
	offset int64 // now − CLOCK_MONOTONIC
}

func (c clock) kernel(stamp int64) mono.Time { return mono.Time(stamp + c.offset) }
