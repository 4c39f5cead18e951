package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// querier runs read statements; the query string is the key under which it stays prepared.
type querier interface {
	query(q string, args ...any) (*sql.Rows, error)
	row(q string, args ...any) *sql.Row
}

// Reader is the reading half of a transaction. Its methods work in Tx and ReadTx alike.
type Reader struct {
	q    querier
	keys *keystore.KeyStore

	terms *directory.Terms // nil = the defaults
}

func (r Reader) query(q string, args ...any) (*sql.Rows, error) { return r.q.query(q, args...) }
func (r Reader) row(q string, args ...any) *sql.Row             { return r.q.row(q, args...) }

// Tx is a write transaction. It belongs to the function that Write calls and must not outlive it.
type Tx struct {
	Reader
	s      *Store
	tree   entrylog.Tree // with this transaction's leaves
	chains map[chainKey]chainState
	after  []func()
	undone []func() // what AfterRollback was given
	err    error    // first failed exec: the transaction cannot commit whatever fn returns
	buf    []byte
	hashes []byte
}

// exec runs a statement that writes. A failure fails the whole transaction, also when the caller
// ignores it: half an operation must never commit.
func (tx *Tx) exec(q string, args ...any) (sql.Result, error) {
	res, err := tx.s.conn.exec(q, args...)
	if err != nil && tx.err == nil {
		tx.err = err
	}
	return res, err
}

// AfterCommit has f called once the transaction is on the disk, before Write returns. f runs on the
// goroutine that commits: it must be quick and must not call Write. Nothing is called after a rollback.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// AfterRollback has f called when the transaction came to nothing, before anything else is written: for what was changed in
// memory along with it. The last one given is called first. Nothing is called after a commit.
func (tx *Tx) AfterRollback(f func()) { tx.undone = append(tx.undone, f) }

// ReadTx is a read transaction: one unchanging view of the database.
type ReadTx struct{ Reader }

// Read runs fn on the read pool, in one view of what was committed when it began.
func (s *Store) Read(ctx context.Context, fn func(r *ReadTx) error) error {
	if s.reads != nil {
		select {
		case s.reads <- struct{}{}:
			defer func() { <-s.reads }()
		case <-ctx.Done():
			return fmt.Errorf("begin read: %w", ctx.Err())
		}
	}
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	defer tx.Rollback() // a read has nothing to commit
	return fn(&ReadTx{Reader{q: readConn{s: s, tx: tx, ctx: ctx}, keys: s.opt.Keys, terms: &s.opt.Terms}})
}

// readConn runs statements of one read transaction, prepared once per pool.
type readConn struct {
	s   *Store
	tx  *sql.Tx
	ctx context.Context // of Read; lives as long as this value
}

func (c readConn) stmt(q string) (*sql.Stmt, error) {
	if st, ok := c.s.stmts.Load(q); ok {
		return c.tx.StmtContext(c.ctx, st.(*sql.Stmt)), nil
	}
	c.s.preparing.Lock()
	defer c.s.preparing.Unlock()
	if st, ok := c.s.stmts.Load(q); ok { // another reader was first
		return c.tx.StmtContext(c.ctx, st.(*sql.Stmt)), nil
	}
	st, err := c.s.read.PrepareContext(c.ctx, q)
	if err != nil {
		return nil, err
	}
	c.s.stmts.Store(q, st)
	return c.tx.StmtContext(c.ctx, st), nil
}

func (c readConn) query(q string, args ...any) (*sql.Rows, error) {
	st, err := c.stmt(q)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(c.ctx, args...)
}

func (c readConn) row(q string, args ...any) *sql.Row {
	st, err := c.stmt(q)
	if err != nil { // let the unprepared statement report the error through Scan
		return c.tx.QueryRowContext(c.ctx, q, args...)
	}
	return st.QueryRowContext(c.ctx, args...)
}

// writeConn is the writer's connection with its prepared statements. Only the writer goroutine (and
// Open before it runs) uses it. Statements run without the caller's context: a transaction that
// others share is not broken off half-way.
type writeConn struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
}

func (c *writeConn) stmt(q string) (*sql.Stmt, error) {
	if st := c.stmts[q]; st != nil {
		return st, nil
	}
	st, err := c.conn.PrepareContext(context.Background(), q)
	if err != nil {
		return nil, err
	}
	c.stmts[q] = st
	return st, nil
}

func (c *writeConn) exec(q string, args ...any) (sql.Result, error) {
	st, err := c.stmt(q)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(context.Background(), args...)
}

func (c *writeConn) control(q string) error {
	_, err := c.exec(q)
	return err
}

func (c *writeConn) query(q string, args ...any) (*sql.Rows, error) {
	st, err := c.stmt(q)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(context.Background(), args...)
}

func (c *writeConn) row(q string, args ...any) *sql.Row {
	st, err := c.stmt(q)
	if err != nil { // let the unprepared statement report the error through Scan
		return c.conn.QueryRowContext(context.Background(), q, args...)
	}
	return st.QueryRowContext(context.Background(), args...)
}

func (c *writeConn) close() {
	for _, st := range c.stmts {
		st.Close() // the connection goes with it
	}
	c.conn.Close()
}

// found turns "no rows" into ErrNotFound.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// null gives nil for a zero number, so that it is stored as NULL.
func null(n int64) any {
	if n == 0 {
		return nil
	}
	return n
}

// nullIndex gives nil for a negative leaf index.
func nullIndex(idx int64) any {
	if idx < 0 {
		return nil
	}
	return idx
}
