package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// StoredLeaf is a leaf with its index.
type StoredLeaf struct {
	Idx int64
	entrylog.Leaf
}

// LogSize is the number of leaves.
func (r Reader) LogSize() (int64, error) {
	var size int64
	err := r.row(`SELECT coalesce(max(idx) + 1, 0) FROM log_leaf`).Scan(&size)
	if err != nil {
		return 0, fmt.Errorf("read log size: %w", err)
	}
	return size, nil
}

// Leaf reads one leaf.
func (r Reader) Leaf(idx int64) (entrylog.Leaf, error) {
	var l entrylog.Leaf
	err := r.row(`SELECT kind, body FROM log_leaf WHERE idx = ?`, idx).Scan(&l.Kind, &l.Body)
	return l, found(err)
}

// Leaves reads at most limit leaves from index from on, in order, without those whose bodies were disposed of.
func (r Reader) Leaves(from int64, limit int) ([]StoredLeaf, error) {
	rows, err := r.query(`SELECT idx, kind, body FROM log_leaf WHERE idx >= ? AND substr(body, 1, 11) <> x'7b2264726f70706564223a' ORDER BY idx LIMIT ?`, from, limit)
	if err != nil {
		return nil, fmt.Errorf("read leaves: %w", err)
	}
	defer rows.Close()
	var out []StoredLeaf
	for rows.Next() {
		var l StoredLeaf
		if err := rows.Scan(&l.Idx, &l.Kind, &l.Body); err != nil {
			return nil, fmt.Errorf("read leaves: %w", err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// ActionLeaves reads at most limit action leaves from index from on, in order: people's acts are few among the records.
func (r Reader) ActionLeaves(from int64, limit int) ([]StoredLeaf, error) {
	rows, err := r.query(`SELECT idx, kind, body FROM log_leaf WHERE kind = 'action' AND idx >= ? ORDER BY idx LIMIT ?`, from, limit)
	if err != nil {
		return nil, fmt.Errorf("read actions: %w", err)
	}
	defer rows.Close()
	var out []StoredLeaf
	for rows.Next() {
		var l StoredLeaf
		if err := rows.Scan(&l.Idx, &l.Kind, &l.Body); err != nil {
			return nil, fmt.Errorf("read actions: %w", err)
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// hashes reads the stored hashes of one leaf.
func (r Reader) hashes(idx int64) ([]byte, error) {
	var b []byte
	err := r.row(`SELECT hashes FROM log_leaf WHERE idx = ?`, idx).Scan(&b)
	return b, found(err)
}

// ErrErased says that an opening can no longer be read: its key was destroyed by a disposal run.
var ErrErased = errors.New("opening was erased")

// ErrKeyMissing says that an opening cannot be read since its key is not there, though no leaf says that it was destroyed. It is an ErrErased too: who only
// wants to read has to do without it either way. Nobody may be told that it was erased.
var ErrKeyMissing error = keyMissing{}

type keyMissing struct{}

func (keyMissing) Error() string {
	return "opening cannot be read: its key is not in the key store, and no disposal destroyed it"
}

func (keyMissing) Is(target error) bool { return target == ErrErased }

// Opening decrypts the opening of a leaf and checks it against the leaf's commitment. ErrNotFound
// when the leaf has none, ErrErased when its key was destroyed, ErrKeyMissing when it is not there for another reason.
func (r Reader) Opening(idx int64) (entrylog.Opening, error) {
	o, _, _, err := r.OpeningRaw(idx)
	return o, err
}

// OpeningRaw is Opening with the canonical bytes and the salt, which a proof for others needs.
func (r Reader) OpeningRaw(idx int64) (o entrylog.Opening, raw []byte, salt [32]byte, err error) {
	var s keystore.Sealed
	var body, ref []byte
	err = r.row(`SELECT l.body, o.fiscal_year, o.class, o.row_key, o.ciphertext, o.person_ref
		FROM opening o JOIN log_leaf l ON l.idx = o.idx WHERE o.idx = ?`, idx).
		Scan(&body, &s.Period.FiscalYear, &s.Period.Class, &s.RowKey, &s.Ciphertext, &ref)
	if errors.Is(err, sql.ErrNoRows) {
		return o, nil, salt, r.whyNone(idx)
	}
	if err != nil {
		return o, nil, salt, found(err)
	}
	s.PersonRef = ref
	return r.open(idx, body, s)
}

const attemptColumns = `first_idx, attempt, last_idx, decision_idx, opening_idx, day, gateway, door, side, outcome, reason, failed,
	decided_by, policy, from_ms, to_ms, received_ms, passage, passed_ms, closed_ms, person_ref, flags`

// scanAttempt reads one row of attemptColumns.
func scanAttempt(scan func(...any) error) (attempt.Row, error) {
	var r attempt.Row
	var id []byte
	var decision, opening, passed, closed sql.NullInt64
	var policy, flags int64
	err := scan(&r.First, &id, &r.Last, &decision, &opening, &r.Day, &r.Gateway, &r.Door, &r.Side, &r.Outcome, &r.Reason, &r.Failed,
		&r.DecidedBy, &policy, &r.FromMS, &r.ToMS, &r.Received, &r.Passage, &passed, &closed, &r.PersonRef, &flags)
	if err != nil {
		return attempt.Row{}, err
	}
	// Absence has one form, NULL; a row that writes it otherwise was not written by this package.
	if decision.Valid && decision.Int64 < 0 || opening.Valid && opening.Int64 < 0 || passed.Valid && passed.Int64 == 0 ||
		closed.Valid && closed.Int64 == 0 || len(id) != len(r.ID) || r.PersonRef != nil && len(r.PersonRef) == 0 {
		return attempt.Row{}, fmt.Errorf("attempt row %d is malformed", r.First)
	}
	copy(r.ID[:], id)
	r.Decision, r.Opening = attempt.NoIndex, attempt.NoIndex
	if decision.Valid {
		r.Decision = decision.Int64
	}
	if opening.Valid {
		r.Opening = opening.Int64
	}
	r.PassedMS, r.ClosedMS = passed.Int64, closed.Int64
	r.Policy, r.Flags = uint64(policy), attempt.Flags(flags)
	return r, nil
}

// AttemptRow reads the line of an attempt; ErrNotFound (bare) when there is none.
func (r Reader) AttemptRow(id [16]byte) (attempt.Row, error) {
	row, err := scanAttempt(r.row(`SELECT `+attemptColumns+` FROM attempt WHERE attempt = ?`, id[:]).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return attempt.Row{}, ErrNotFound
	}
	if err != nil {
		return attempt.Row{}, fmt.Errorf("read attempt: %w", err)
	}
	return row, nil
}

// AttemptLeaves lists the indices of an attempt's leaves in order.
func (r Reader) AttemptLeaves(first int64) ([]int64, error) {
	rows, err := r.query(`SELECT idx FROM attempt_leaf WHERE first_idx = ? ORDER BY idx`, first)
	if err != nil {
		return nil, fmt.Errorf("read leaves of attempt: %w", err)
	}
	defer rows.Close()
	out := []int64{first}
	for rows.Next() {
		var idx int64
		if err := rows.Scan(&idx); err != nil {
			return nil, fmt.Errorf("read leaves of attempt: %w", err)
		}
		out = append(out, idx)
	}
	return out, rows.Err()
}

func (tx *Tx) insertAttempt(r *attempt.Row) (inserted bool, err error) {
	res, err := tx.exec(`INSERT INTO attempt (`+attemptColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (attempt) DO NOTHING`,
		r.First, r.ID[:], r.Last, nullIndex(r.Decision), nullIndex(r.Opening), r.Day, r.Gateway, r.Door, r.Side, r.Outcome, r.Reason, r.Failed,
		r.DecidedBy, int64(r.Policy), r.FromMS, r.ToMS, r.Received, r.Passage, null(r.PassedMS), null(r.ClosedMS), nullBytes(r.PersonRef), int64(r.Flags))
	if err != nil {
		return false, fmt.Errorf("insert attempt: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// updateAttempt writes the row after leaf idx was folded into it.
func (tx *Tx) updateAttempt(r *attempt.Row, idx int64) error {
	_, err := tx.exec(`UPDATE attempt SET last_idx = ?, decision_idx = ?, opening_idx = ?, outcome = ?, reason = ?, failed = ?,
		decided_by = ?, policy = ?, passage = ?, passed_ms = ?, closed_ms = ?, person_ref = ?, flags = ? WHERE first_idx = ?`,
		r.Last, nullIndex(r.Decision), nullIndex(r.Opening), r.Outcome, r.Reason, r.Failed,
		r.DecidedBy, int64(r.Policy), r.Passage, null(r.PassedMS), null(r.ClosedMS), nullBytes(r.PersonRef), int64(r.Flags), r.First)
	if err != nil {
		return fmt.Errorf("update attempt: %w", err)
	}
	if _, err = tx.exec(`INSERT INTO attempt_leaf (first_idx, idx) VALUES (?, ?)`, r.First, idx); err != nil {
		return fmt.Errorf("update attempt: %w", err)
	}
	return nil
}

func nullBytes(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
