package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"

	"github.com/mattn/go-sqlite3"
)

// maxBatch bounds a group commit: above it latency grows and throughput does not.
const maxBatch = 1000

// op is one Write on its way.
type op struct {
	ctx  context.Context
	fn   func(*Tx) error
	solo func() error // in place of fn: has the connection to itself, outside a transaction
	told chan verdict // capacity 1: each message is taken before the next can come
}

// verdict is what an op's goroutine waits for: how the op came out, or that it is its turn.
type verdict struct {
	err  error
	turn bool
}

// turns is where ops wait for the connection. Whoever finds it free commits on its own goroutine, for
// itself and all who came meanwhile, and then gives the turn to the first of those who came later: at
// a quiet door nobody has to be woken for a commit, at a busy one the commits grow.
type turns struct {
	mu      sync.Mutex
	waiting []*op
	taken   bool          // somebody has the turn
	closing bool          // Close has begun: only the last checkpoint may still come
	closed  bool          // nothing may come
	empty   chan struct{} // made by Close, closed when the turn comes back with nobody waiting
}

// Write runs fn in a transaction and returns nil only after the commit has reached the disk. fn may
// share its transaction with others, may run more than once and on another caller's goroutine
// (doc.go). An error of fn rolls back what fn did and is returned as it is.
//
// An error other than fn's own means "unknown" only when it is ErrLatched: then the door that waits
// for this record gets no unlock, and the caller treats the write as not done.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	return s.enter(&op{ctx: ctx, fn: fn, told: make(chan verdict, 1)}, false)
}

// submit is Write for the store's own use: it also works while Close waits for it.
func (s *Store) submit(ctx context.Context, fn func(*Tx) error) error {
	return s.enter(&op{ctx: ctx, fn: fn, told: make(chan verdict, 1)}, true)
}

// alone runs fn in a turn of its own, with nothing else being written.
func (s *Store) alone(ctx context.Context, fn func() error) error {
	return s.enter(&op{ctx: ctx, solo: fn, told: make(chan verdict, 1)}, false)
}

// enter lines o up and returns its outcome.
func (s *Store) enter(o *op, last bool) error {
	l := &s.turns
	l.mu.Lock()
	if l.closed || l.closing && !last {
		l.mu.Unlock()
		return ErrClosed
	}
	l.waiting = append(l.waiting, o)
	mine := !l.taken
	l.taken = true
	l.mu.Unlock()
	if !mine {
		if v := <-o.told; !v.turn {
			return v.err
		}
	}
	s.commitWaiting()
	return (<-o.told).err
}

// commitWaiting is one turn: it commits what waits, the caller's op first, and gives the turn away.
func (s *Store) commitWaiting() {
	l := &s.turns
	l.mu.Lock()
	n := min(len(l.waiting), maxBatch)
	batch := append([]*op(nil), l.waiting[:n]...)
	rest := copy(l.waiting, l.waiting[n:])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
	l.mu.Unlock()
	ended := false
	defer func() {
		if !ended { // fn ended its goroutine: what the open transaction holds is unknown
			s.latch(errors.New("a write ended in the middle of its transaction"))
			for _, o := range batch {
				select {
				case o.told <- verdict{err: ErrLatched}:
				default: // it had its answer
				}
			}
		}
		s.passTurn()
	}()
	s.runBatch(batch)
	ended = true
}

// passTurn gives the turn to the first who waits.
func (s *Store) passTurn() {
	l := &s.turns
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) > 0 {
		l.waiting[0].told <- verdict{turn: true}
		return
	}
	l.taken = false
	if l.empty != nil {
		close(l.empty)
		l.empty, l.closed = nil, true
	}
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

// runBatch commits the operations together; when one fails they run again one by one, so that the
// others do not suffer for it.
func (s *Store) runBatch(batch []*op) {
	if s.latched != nil {
		for _, o := range batch {
			o.told <- verdict{err: ErrLatched}
		}
		return
	}
	if len(batch) == 1 && batch[0].solo != nil {
		err := batch[0].solo()
		if ioError(err) {
			s.latch(err)
			err = errors.Join(ErrLatched, err)
		}
		batch[0].told <- verdict{err: err}
		return
	}
	if slices.ContainsFunc(batch, func(o *op) bool { return o.solo != nil }) {
		for _, o := range batch {
			s.runBatch([]*op{o})
		}
		return
	}
	err := s.runOnce(batch)
	if err != nil && len(batch) > 1 && s.latched == nil {
		for _, o := range batch {
			s.runBatch([]*op{o})
		}
		return
	}
	for _, o := range batch {
		o.told <- verdict{err: err}
	}
}

// runOnce runs a batch in one transaction. On any error nothing of it is left.
func (s *Store) runOnce(batch []*op) error {
	if len(batch) == 1 && batch[0].ctx.Err() != nil {
		return batch[0].ctx.Err() // the caller has gone before anything was done
	}
	if err := s.conn.control("BEGIN IMMEDIATE"); err != nil {
		return s.failedBegin(err)
	}
	tx := &Tx{Reader: Reader{q: s.conn, keys: s.opt.Keys, terms: &s.opt.Terms}, s: s, tree: s.tree, chains: map[chainKey]chainState{}}
	undo := func(err error) error {
		err = s.rollback(err)
		for _, f := range slices.Backward(tx.undone) {
			f()
		}
		return err
	}
	for _, o := range batch {
		if err := call(o.fn, tx); err != nil {
			return undo(err)
		}
		if tx.err != nil {
			return undo(tx.err)
		}
	}
	if err := tx.flushChains(); err != nil {
		return undo(err)
	}
	// crash point 1: nothing is committed; the gateway repeats, the asker times out
	if err := s.conn.control("COMMIT"); err != nil {
		// crash point 2: the commit may or may not be on the disk; rollback finds out
		return undo(fmt.Errorf("commit: %w", err))
	}
	// crash point 3: committed, nobody told; the gateway repeats and finds its records there
	grown := tx.tree.Size() != s.tree.Size()
	s.tree = tx.tree
	for k, c := range tx.chains {
		s.chains[k] = c
	}
	if grown {
		s.publishHead()
		select {
		case s.dirty <- struct{}{}:
		default:
		}
	}
	for _, f := range tx.after {
		f()
	}
	return nil
}

// call turns a panic of one op into its error, so that those who share its transaction go on.
func call(fn func(*Tx) error, tx *Tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("BUG: panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return fn(tx)
}

func (s *Store) failedBegin(err error) error {
	if ioError(err) {
		s.latch(err)
		return errors.Join(ErrLatched, err)
	}
	return fmt.Errorf("begin: %w", err)
}

// rollback undoes the transaction and makes sure that the file stands where the tree in memory
// stands. If that cannot be shown, the writer latches.
func (s *Store) rollback(cause error) error {
	if ioError(cause) {
		s.latch(cause)
		return errors.Join(ErrLatched, cause)
	}
	// SQLite has rolled back by itself after some errors; then ROLLBACK says that nothing is open.
	undo := s.conn.control("ROLLBACK")
	r := Reader{q: s.conn}
	size, err := r.LogSize()
	if err != nil || size != s.tree.Size() {
		s.latch(errors.Join(cause, undo, err))
		return errors.Join(ErrLatched, cause)
	}
	return cause
}

// latch stops all writing: after an I/O error SQLite carries on as if nothing had been, and what it
// then says about the past may be wrong. Doors decide on their own until the store is open again.
func (s *Store) latch(cause error) {
	if s.latched != nil {
		return
	}
	s.latched = cause
	close(s.failed)
	s.opt.Logger.LogAttrs(context.Background(), slog.LevelError, "store latched, nothing is written any more",
		slog.String("database", s.path), slog.String("error", cause.Error()))
}

// ioError reports whether SQLite or the disk can no longer be trusted. A full disk is not among
// them: it fails cleanly, and rollback checks that it did.
func ioError(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return errors.Is(err, sql.ErrConnDone)
	}
	switch e.Code {
	case sqlite3.ErrIoErr, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrCantOpen, sqlite3.ErrReadonly,
		sqlite3.ErrProtocol, sqlite3.ErrNomem, sqlite3.ErrInternal, sqlite3.ErrMisuse:
		return true
	}
	return false
}
