package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// op is one Write on its way.
type op struct {
	ctx    context.Context
	fn     func(*Tx) error
	solo   func() error // in place of fn: has the connection to itself, outside a transaction
	urgent bool
	alone  bool         // shares no transaction: solo, or it has failed in a shared one
	told   chan verdict // capacity 1: each message is taken before the next can come
	no     uint64       // place in the order of arrival
}

// verdict is what an op's goroutine waits for: how the op came out, or that it is its turn.
type verdict struct {
	err  error
	turn bool
}

// turns is where ops wait for the connection. Whoever finds it free commits on its own goroutine, for
// itself and all who came meanwhile, and then gives the turn to the first of those who came later: at
// a quiet door nobody has to be woken for a commit, at a busy one the commits grow. Urgent ops go before
// the others, and into the transaction that is open.
type turns struct {
	mu      sync.Mutex
	urgent  []*op
	again   []*op // urgent ops that failed in a shared transaction: each has a turn for itself, before any of the others
	waiting []*op
	came    uint64        // ops so far
	taken   bool          // somebody has the turn
	skipped bool          // the turn before took urgent ops only, though others waited
	row     int           // turns of again since the last of the others
	closing bool          // Close has begun: only the last checkpoint may still come
	closed  bool          // nothing may come
	empty   chan struct{} // made by Close, closed when the turn comes back with nobody waiting
	hurry   atomic.Bool   // urgent is not empty
}

// urgentFirst orders ops for a transaction.
func urgentFirst(a, b *op) int {
	switch {
	case a.urgent == b.urgent:
		return 0
	case a.urgent:
		return -1
	}
	return 1
}

func byArrival(a, b *op) int { return cmp.Compare(a.no, b.no) }

// enter lines o up and returns its outcome.
func (s *Store) enter(o *op, last bool) error {
	if s.opt.Trial && !last {
		return ErrTrial
	}
	l := &s.turns
	l.mu.Lock()
	if l.closed || l.closing && !last {
		l.mu.Unlock()
		return ErrClosed
	}
	mine := s.arrive(o)
	l.mu.Unlock()
	for {
		if mine {
			s.commitWaiting()
		}
		v := <-o.told
		if !v.turn {
			return v.err
		}
		mine = true // also a second time, when urgent ops filled the transaction of the first
	}
}

// arrive files o and reports whether it has the turn. l.mu is held.
func (s *Store) arrive(o *op) (mine bool) {
	l := &s.turns
	l.came++
	o.no = l.came
	if o.urgent {
		l.urgent = append(l.urgent, o)
		l.hurry.Store(true)
	} else {
		l.waiting = append(l.waiting, o)
	}
	mine = !l.taken
	l.taken = true
	return mine
}

// commitWaiting is one turn: it commits what waits, urgent ops first, and gives the turn away. What found no room waits on.
func (s *Store) commitWaiting() {
	run := s.takeTurn()
	ended := false
	defer func() {
		if !ended { // fn ended its goroutine: what the open transaction holds is unknown
			s.latch(errors.New("a write ended in the middle of its transaction"))
			for _, o := range slices.Concat(run.ops, run.left) {
				select {
				case o.told <- verdict{err: ErrLatched}:
				default: // it had its answer
				}
			}
		}
		s.passTurn()
	}()
	s.runBatch(&run)
	s.putBack(run.left)
	ended = true
}

// takeTurn is what one turn begins with. Urgent ops have every other turn for themselves: their commit is small, and no storm of them
// keeps the others out for ever (I2). An op that is alone has a turn for itself.
func (s *Store) takeTurn() (run group) {
	l := &s.turns
	l.mu.Lock()
	defer l.mu.Unlock()
	owed := l.skipped && (len(l.again) > 0 || len(l.waiting) > 0)
	l.skipped = false
	switch {
	case len(l.urgent) > 0 && !owed:
		l.skipped = len(l.again) > 0 || len(l.waiting) > 0
		run.ops = l.takeUrgent(nil)
		return run
	case len(l.again) > 0 && (l.row < mostFailed || len(l.waiting) == 0):
		l.row++
		run.ops = []*op{l.again[0]}
		l.again = slices.Delete(l.again, 0, 1)
		return run
	}
	l.row = 0
	n := 1
	if !l.waiting[0].alone {
		run.ops = l.takeUrgent(nil)
		n = min(len(l.waiting), max(maxBatch-len(run.ops), 1))
		if i := slices.IndexFunc(l.waiting[:n], func(o *op) bool { return o.alone }); i > 0 {
			n = i
		}
	}
	run.ops = append(run.ops, l.waiting[:n]...)
	l.waiting = slices.Delete(l.waiting, 0, n)
	return run
}

// joining moves the urgent ops that wait behind list, at most to a batch.
func (l *turns) joining(list []*op) []*op {
	if !l.hurry.Load() {
		return list
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.takeUrgent(list)
}

// takeUrgent is joining with l.mu held.
func (l *turns) takeUrgent(list []*op) []*op {
	n := min(len(l.urgent), max(maxBatch-len(list), 0))
	list = append(list, l.urgent[:n]...)
	l.urgent = slices.Delete(l.urgent, 0, n)
	l.hurry.Store(len(l.urgent) > 0)
	return list
}

// putBack lines up again what a turn did not commit, each where it stood before, by its arrival: urgent ones stay urgent.
func (s *Store) putBack(list []*op) {
	if len(list) == 0 {
		return
	}
	l := &s.turns
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range list {
		switch {
		case !o.urgent:
			l.waiting = append(l.waiting, o)
		case o.alone:
			l.again = append(l.again, o)
		default:
			l.urgent = append(l.urgent, o)
		}
	}
	for _, queue := range [][]*op{l.urgent, l.again, l.waiting} {
		slices.SortStableFunc(queue, byArrival)
	}
	l.hurry.Store(len(l.urgent) > 0)
}

// passTurn gives the turn to the first who waits.
func (s *Store) passTurn() {
	l := &s.turns
	l.mu.Lock()
	defer l.mu.Unlock()
	var first *op
	switch {
	case len(l.urgent) > 0:
		first = l.urgent[0]
	case len(l.again) > 0:
		first = l.again[0]
	case len(l.waiting) > 0:
		first = l.waiting[0]
	default:
		l.taken = false
		if l.empty != nil {
			close(l.empty)
			l.empty, l.closed = nil, true
		}
		return
	}
	first.told <- verdict{turn: true}
}

// shut ends the queue: it returns when the last op that was let in has its outcome.
func (s *Store) shut() {
	l := &s.turns
	l.mu.Lock()
	if !l.taken {
		l.closed = true
		l.mu.Unlock()
		return
	}
	empty := make(chan struct{})
	l.empty = empty
	l.mu.Unlock()
	<-empty
}
