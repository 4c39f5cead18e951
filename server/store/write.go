package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"time"

	"github.com/mattn/go-sqlite3"
)

const (
	// maxBatch bounds a group commit: above it latency grows and throughput does not.
	maxBatch = 1000
	// longest is when a transaction takes no more ops, and hurried when it takes no more but urgent ones because one of those is in it: a
	// commit is a third of a millisecond, so shorter transactions would cost throughput and longer ones only make doors wait.
	longest, hurried = 20 * time.Millisecond, time.Millisecond
	// mostFailed is how many ops may fail in one transaction, each of which is set aside, before all that are left of it run one by one.
	mostFailed = 8
)

// Write runs fn in a transaction and returns nil only after the commit has reached the disk. fn may
// share its transaction with others, may run more than once and on another caller's goroutine
// (doc.go). An error of fn rolls back what fn did and is returned as it is.
//
// An error other than fn's own means "unknown" only when it is ErrLatched: then the door that waits
// for this record gets no unlock, and the caller treats the write as not done.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	return s.enter(&op{ctx: ctx, fn: fn, told: make(chan verdict, 1)}, false)
}

// WriteUrgent is Write for what somebody at a door waits for: it goes before every Write that has not begun, and the transaction it is in
// ends soon after. fn takes well under a millisecond.
func (s *Store) WriteUrgent(ctx context.Context, fn func(tx *Tx) error) error {
	return s.enter(&op{ctx: ctx, fn: fn, urgent: true, told: make(chan verdict, 1)}, false)
}

// submit is Write for the store's own use: it also works while Close waits for it.
func (s *Store) submit(ctx context.Context, fn func(*Tx) error) error {
	return s.enter(&op{ctx: ctx, fn: fn, told: make(chan verdict, 1)}, true)
}

// alone runs fn in a turn of its own, with nothing else being written.
func (s *Store) alone(ctx context.Context, fn func() error) error {
	return s.enter(&op{ctx: ctx, solo: fn, alone: true, told: make(chan verdict, 1)}, false)
}

// group is what one transaction is made of.
type group struct {
	ops  []*op // urgent ones in front, so that nobody who waits at a door is cut off
	left []*op // did not get into the transaction, or failed in it
}

// runBatch commits the operations together. One that fails is set aside to run alone in a later turn, and the others run again without it:
// they do not suffer for it, nor does who waits at a door, as every turn looks for urgent ops first.
func (s *Store) runBatch(run *group) {
	tell := func(err error) {
		for _, o := range run.ops {
			o.told <- verdict{err: err}
		}
	}
	if s.latched != nil {
		tell(ErrLatched)
		return
	}
	if len(run.ops) == 1 && run.ops[0].solo != nil {
		err := run.ops[0].solo()
		if ioError(err) {
			s.latch(err)
			err = errors.Join(ErrLatched, err)
		}
		tell(err)
		return
	}
	for failed := 1; ; failed++ {
		bad, err := s.runOnce(run)
		if err == nil || len(run.ops) == 1 || s.latched != nil {
			tell(err)
			return
		}
		if bad < 0 || failed > mostFailed { // nobody knows whose fault it is, or too many have failed
			for _, o := range run.ops {
				o.alone = true
			}
			run.ops, run.left = nil, slices.Concat(run.ops, run.left)
			return
		}
		o := run.ops[bad]
		o.alone = true
		run.ops, run.left = slices.Concat(run.ops[:bad], run.ops[bad+1:]), append(run.left, o)
		slices.SortStableFunc(run.ops, urgentFirst) // those who joined stood behind what ran before them
	}
}

// runOnce runs a batch in one transaction, which urgent ops may join unless its op is alone. On any error nothing of it is left; bad is the
// op that failed, -1 when it was none of them.
func (s *Store) runOnce(run *group) (bad int, err error) {
	open := !run.ops[0].alone
	if len(run.ops) == 1 && run.ops[0].ctx.Err() != nil {
		return 0, run.ops[0].ctx.Err() // the caller has gone before anything was done
	}
	if err := s.conn.control("BEGIN IMMEDIATE"); err != nil {
		return -1, s.failedBegin(err)
	}
	tx := &Tx{Reader: Reader{q: s.conn, keys: s.opt.Keys, terms: &s.opt.Terms}, s: s, tree: s.tree, chains: map[chainKey]chainState{}}
	undo := func(err error) error {
		err = s.rollback(err)
		for _, f := range slices.Backward(tx.undone) {
			f()
		}
		return err
	}
	began, urgent, others := time.Now(), false, 0
	for i := 0; i < len(run.ops); i++ {
		o := run.ops[i]
		if took := time.Since(began); open && !o.urgent && others > 0 && (took > longest || urgent && took > hurried) {
			// Nobody behind an op that is not urgent is: those stand in front, or joined when the ops before had run.
			run.ops, run.left = run.ops[:i:i], append(run.left, run.ops[i:]...)
			break
		}
		if urgent = urgent || o.urgent; !o.urgent {
			others++
		}
		if err := call(o.fn, tx); err != nil {
			return i, undo(err)
		}
		if tx.err != nil {
			return i, undo(tx.err)
		}
		if open && s.turns.hurry.Load() { // before all that wait, and in this commit instead of the next
			joined := s.turns.joining(run.ops[: i+1 : i+1])
			run.ops = append(joined, run.ops[i+1:]...)
		}
	}
	if err := tx.flushChains(); err != nil {
		return -1, undo(err)
	}
	// crash point 1: nothing is committed; the gateway repeats, the asker times out
	if err := s.conn.control("COMMIT"); err != nil {
		// crash point 2: the commit may or may not be on the disk; rollback finds out
		return -1, undo(fmt.Errorf("commit: %w", err))
	}
	// crash point 3: committed, nobody told; the gateway repeats and finds its records there
	grown := tx.tree.Size() != s.tree.Size()
	s.tree = tx.tree
	for k, c := range tx.chains {
		s.chains[k] = c
	}
	if grown {
		s.publishHead()
		s.wake()
	}
	for _, f := range tx.after {
		f()
	}
	return 0, nil
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
