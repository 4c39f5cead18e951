package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/mattn/go-sqlite3"
)

// maxBatch bounds a group commit: above it latency grows and throughput does not.
const maxBatch = 1000

// op is one Write on its way.
type op struct {
	ctx  context.Context
	fn   func(*Tx) error
	done chan error // buffered
}

// Write runs fn in a transaction and returns nil only after the commit has reached the disk. fn may
// share its transaction with others and may run more than once (doc.go). An error of fn rolls back
// what fn did and is returned as it is.
//
// An error other than fn's own means "unknown" only when it is ErrLatched: then the door that waits
// for this record gets no unlock, and the caller treats the write as not done.
func (s *Store) Write(ctx context.Context, fn func(tx *Tx) error) error {
	o := &op{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case <-s.quit:
		return ErrClosed
	default:
	}
	select {
	case s.queue <- o:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.quit:
		return ErrClosed
	}
	select {
	case err := <-o.done:
		return err
	case <-s.stopped: // the writer has ended; it may have answered just before
		select {
		case err := <-o.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// writer is the one goroutine that writes. It takes what is queued and never waits for more.
func (s *Store) writer() {
	defer close(s.stopped)
	batch := make([]*op, 0, maxBatch)
	for {
		select {
		case o := <-s.queue:
			batch = append(batch[:0], o)
		case <-s.ended: // the last checkpoint has been stored; nothing else may come
			for {
				select {
				case o := <-s.queue:
					s.runBatch([]*op{o})
				default:
					return
				}
			}
		}
	more:
		for len(batch) < maxBatch {
			select {
			case o := <-s.queue:
				batch = append(batch, o)
			default:
				break more
			}
		}
		s.runBatch(batch)
		clear(batch)
	}
}

// runBatch commits the operations together; when one fails they run again one by one, so that the
// others do not suffer for it.
func (s *Store) runBatch(batch []*op) {
	if s.latched != nil {
		for _, o := range batch {
			o.done <- ErrLatched
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
		o.done <- err
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
	tx := &Tx{Reader: Reader{q: s.conn, keys: s.opt.Keys}, s: s, tree: s.tree, chains: map[chainKey]chainState{}}
	for _, o := range batch {
		if err := o.fn(tx); err != nil {
			return s.rollback(err)
		}
		if tx.err != nil {
			return s.rollback(tx.err)
		}
	}
	if err := tx.flushChains(); err != nil {
		return s.rollback(err)
	}
	// crash point 1: nothing is committed; the gateway repeats, the asker times out
	if err := s.conn.control("COMMIT"); err != nil {
		// crash point 2: the commit may or may not be on the disk; rollback finds out
		return s.rollback(fmt.Errorf("commit: %w", err))
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
