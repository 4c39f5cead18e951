package store

import (
	"database/sql"
	"fmt"
	"strings"

	"monban/server/attempt"
)

// cursor walks the rows of one table in the order of an index into the log.
type cursor[T any] struct {
	rows *sql.Rows
	scan func(*sql.Rows) (int64, T, error)
	ok   bool // idx and row hold the row the cursor stands on
	idx  int64
	row  T
}

// openCursor begins a walk over what query selects, in the given order. Where the check goes on from a state it begins at the row that the
// cursor stood on then; else there is no condition, so that no row hides from it whatever its index is.
func openCursor[T any](c *check, query, order string, scan func(*sql.Rows) (int64, T, error), at ...any) (*cursor[T], error) {
	if c.from == 0 {
		at = nil
	} else {
		query += ` WHERE (` + order + `) >= (?` + strings.Repeat(`, ?`, len(at)-1) + `)`
	}
	rows, err := c.tx.QueryContext(c.ctx, query+` ORDER BY `+order, at...)
	if err != nil {
		return nil, err
	}
	cur := &cursor[T]{rows: rows, scan: scan}
	return cur, cur.advance()
}

func (c *cursor[T]) advance() (err error) {
	if c.ok = c.rows.Next(); !c.ok {
		return c.rows.Err()
	}
	c.idx, c.row, err = c.scan(c.rows)
	return err
}

// take moves to idx. Rows before it belong to no leaf and go to stray. found says that there is a
// row at idx; it is then passed over.
func (c *cursor[T]) take(idx int64, stray func(int64, T)) (row T, found bool, err error) {
	for c.ok && c.idx < idx {
		stray(c.idx, c.row)
		if err := c.advance(); err != nil {
			return row, false, err
		}
	}
	if !c.ok || c.idx != idx {
		return row, false, nil
	}
	row = c.row
	return row, true, c.advance()
}

// drain gives everything that is left to stray.
func (c *cursor[T]) drain(stray func(int64, T)) error {
	for c.ok {
		stray(c.idx, c.row)
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) openCursors() (err error) {
	rowKey := ""
	if c.keys != nil {
		rowKey = ", o.row_key, o.ciphertext"
	}
	query := `SELECT l.idx, l.kind, l.body, l.hashes, o.idx, o.fiscal_year, o.class, o.person_ref` + rowKey + ` FROM log_leaf l LEFT JOIN opening o ON o.idx = l.idx`
	var from []any
	if c.from > 0 {
		query, from = query+` WHERE l.idx >= ?`, []any{c.from}
	}
	if c.leaves, err = c.tx.QueryContext(c.ctx, query+` ORDER BY l.idx`, from...); err != nil {
		return err
	}
	if c.checkpoints, err = openCursor(c, `SELECT size, note FROM checkpoint`, `size`,
		func(r *sql.Rows) (size int64, n string, err error) { err = r.Scan(&size, &n); return }, c.at.Checkpoints); err != nil {
		return err
	}
	if c.attempts, err = openCursor(c, `SELECT `+attemptColumns+` FROM attempt`, `first_idx`,
		func(r *sql.Rows) (int64, attempt.Row, error) {
			row, err := scanAttempt(r.Scan)
			return row.First, row, err
		}, c.at.Attempts); err != nil {
		return err
	}
	if c.following, err = openCursor(c, `SELECT first_idx, idx FROM attempt_leaf`, `first_idx, idx`,
		func(r *sql.Rows) (first, idx int64, err error) { err = r.Scan(&first, &idx); return }, c.at.Following, c.at.FollowingLeaf); err != nil {
		return err
	}
	if c.findings, err = openCursor(c, `SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding`, `idx`, scanFinding, c.at.Findings); err != nil {
		return err
	}
	if c.quarantine, err = openCursor(c, `SELECT idx, gateway, epoch, seq, body FROM quarantine`, `idx`,
		func(r *sql.Rows) (idx int64, q quarantined, err error) {
			err = r.Scan(&idx, &q.gateway, &q.epoch, &q.seq, &q.body)
			return
		}, c.at.Quarantine); err != nil {
		return err
	}
	if c.coverage, err = openCursor(c, `SELECT idx, gateway, from_ms, to_ms, state, heard FROM coverage`, `idx`,
		func(r *sql.Rows) (idx int64, v attempt.Coverage, err error) {
			var heard int64
			err = r.Scan(&idx, &v.Gateway, &v.FromMS, &v.ToMS, &v.State, &heard)
			v.Idx, v.Heard = idx, uint64(heard)
			return
		}, c.at.Coverage); err != nil {
		return err
	}
	if err = c.openActs(); err != nil {
		return err
	}
	c.policies, err = openCursor(c, `SELECT idx, gateway, part, version, sum, bytes FROM policy_version`, `idx`,
		func(r *sql.Rows) (idx int64, p policyRow, err error) {
			err = r.Scan(&idx, &p.gateway, &p.part, &p.version, &p.sum, &p.bytes)
			return
		}, c.at.Policies)
	return err
}

func scanFinding(r *sql.Rows) (int64, attempt.Finding, error) {
	var f attempt.Finding
	var id []byte
	var cause sql.NullInt64
	err := r.Scan(&f.Idx, &f.Kind, &f.Severity, &f.Gateway, &f.Door, &id, &cause, &f.Detail, &f.AtMS, &f.Day, &f.Status, &f.StatusIdx)
	if err != nil {
		return 0, f, err
	}
	if id != nil && len(id) != len(f.Attempt) || cause.Valid && cause.Int64 < 0 {
		return f.Idx, f, fmt.Errorf("finding row %d is malformed", f.Idx)
	}
	copy(f.Attempt[:], id)
	if id != nil && f.Attempt == [16]byte{} {
		return f.Idx, f, fmt.Errorf("finding row %d is malformed", f.Idx)
	}
	f.Cause = attempt.NoIndex
	if cause.Valid {
		f.Cause = cause.Int64
	}
	return f.Idx, f, nil
}

func (c *check) close() {
	for _, r := range []*sql.Rows{c.leaves, rowsOf(c.checkpoints), rowsOf(c.attempts), rowsOf(c.following), rowsOf(c.findings),
		rowsOf(c.quarantine), rowsOf(c.coverage), rowsOf(c.policies), rowsOf(c.days), rowsOf(c.cases), rowsOf(c.zoneActs), rowsOf(c.cosigned), rowsOf(c.stamps)} {
		if r != nil {
			r.Close() // every error has shown in Err
		}
	}
}

func rowsOf[T any](c *cursor[T]) *sql.Rows {
	if c == nil {
		return nil
	}
	return c.rows
}
