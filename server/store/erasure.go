package store

import (
	"errors"
	"fmt"
)

// States of a request.
const (
	RequestRestricted = "restricted" // pages do not show the record's person until it is decided
	RequestErased     = "erased"
	RequestLifted     = "lifted" // decided that it stays
)

// ErasureRequest is a person's request about one record of an attempt (PR-3).
type ErasureRequest struct {
	ID        string
	Attempt   [16]byte
	State     string
	Decision  string // machine word
	AskedBy   string // account
	AskedMS   int64  // UTC ms
	AskedIdx  int64  // leaf; its opening says why
	DecidedBy string // another account
	DecidedMS int64
}

const erasureColumns = `id, attempt, state, decision, asked_by, asked_ms, asked_idx, decided_by, decided_ms`

func scanErasure(scan func(...any) error) (q ErasureRequest, err error) {
	var id []byte
	err = scan(&q.ID, &id, &q.State, &q.Decision, &q.AskedBy, &q.AskedMS, &q.AskedIdx, &q.DecidedBy, &q.DecidedMS)
	copy(q.Attempt[:], id)
	return q, found(err)
}

// ErasureRequest reads one; ErrNotFound.
func (r Reader) ErasureRequest(id string) (ErasureRequest, error) {
	return scanErasure(r.row(`SELECT `+erasureColumns+` FROM erasure_request WHERE id = ?`, id).Scan)
}

// ErasureRequests lists all, the open ones first.
func (r Reader) ErasureRequests() ([]ErasureRequest, error) {
	rows, err := r.query(`SELECT ` + erasureColumns + ` FROM erasure_request ORDER BY state <> 'restricted', asked_ms DESC, id`)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	defer rows.Close()
	var out []ErasureRequest
	for rows.Next() {
		q, err := scanErasure(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read requests: %w", err)
		}
		out = append(out, q)
	}
	return out, rows.Err()
}

// Restricted reports whether a leaf's opening is not to be used while a request is open.
func (r Reader) Restricted(idx int64) (bool, error) {
	var n int
	err := r.row(`SELECT count(*) FROM restricted_leaf WHERE idx = ?`, idx).Scan(&n)
	return n > 0, err
}

// PutErasureRequest writes a request; the caller writes the leaf. While it is open the leaves of the attempt are restricted.
func (tx *Tx) PutErasureRequest(q ErasureRequest) error {
	_, err := tx.exec(`INSERT INTO erasure_request (`+erasureColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state, decision = excluded.decision, asked_by = excluded.asked_by, asked_ms = excluded.asked_ms, asked_idx = excluded.asked_idx,
			decided_by = excluded.decided_by, decided_ms = excluded.decided_ms`,
		q.ID, q.Attempt[:], q.State, q.Decision, q.AskedBy, q.AskedMS, q.AskedIdx, q.DecidedBy, q.DecidedMS)
	if err != nil {
		return fmt.Errorf("write request: %w", unique(err))
	}
	if _, err := tx.exec(`DELETE FROM restricted_leaf WHERE request = ?`, q.ID); err != nil || q.State != RequestRestricted {
		return err
	}
	leaves, err := tx.openingsOf(q.Attempt)
	if err != nil {
		return err
	}
	for _, idx := range leaves {
		if _, err := tx.exec(`INSERT INTO restricted_leaf (idx, request) VALUES (?, ?) ON CONFLICT (idx) DO NOTHING`, idx, q.ID); err != nil {
			return err
		}
	}
	return nil
}

// EraseAttempt erases every opening of an attempt on a decision; see EraseOpening.
func (tx *Tx) EraseAttempt(attempt [16]byte, decision string, nowMS int64) error {
	leaves, err := tx.openingsOf(attempt)
	if err == nil && len(leaves) == 0 {
		err = ErrErased
	}
	for _, idx := range leaves {
		if err == nil {
			_, err = tx.EraseOpening(idx, decision, false, nowMS)
		}
	}
	return err
}

// openingsOf lists the leaves of an attempt that have openings.
func (r Reader) openingsOf(attempt [16]byte) (out []int64, err error) {
	row, err := r.AttemptRow(attempt)
	if err != nil {
		return nil, err
	}
	leaves, err := r.AttemptLeaves(row.First)
	if err != nil {
		return nil, err
	}
	for _, idx := range leaves {
		var n int
		if err := r.row(`SELECT count(*) FROM opening WHERE idx = ?`, idx).Scan(&n); err != nil {
			return nil, err
		}
		if n > 0 {
			out = append(out, idx)
		}
	}
	return out, nil
}

// AttemptErased gives the decision by which openings of an attempt were erased; ErrNotFound when none was.
func (r Reader) AttemptErased(first int64) (decision string, err error) {
	leaves, err := r.AttemptLeaves(first)
	if err != nil {
		return "", err
	}
	for _, idx := range leaves {
		if decision, err = r.ErasedBy(idx); !errors.Is(err, ErrNotFound) {
			return decision, err
		}
	}
	return "", ErrNotFound
}
