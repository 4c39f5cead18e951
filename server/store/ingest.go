package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/server/attempt"
	"monban/server/entrylog"
)

// PolicyHead gives the newest version of a policy part and the SHA-256 of its bytes; version 0 when
// there is none yet. gateway "" is the site policy.
func (r Reader) PolicyHead(gateway, part string) (version uint64, sum entrylog.Hash, err error) {
	var b []byte
	var v int64
	err = r.row(`SELECT version, sum FROM policy_version WHERE gateway = ? AND part = ? ORDER BY version DESC LIMIT 1`, gateway, part).Scan(&v, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, sum, nil
	}
	if err != nil {
		return 0, sum, fmt.Errorf("read policy head of %q %s: %w", gateway, part, err)
	}
	copy(sum[:], b)
	return uint64(v), sum, nil
}

// OpenFinding reports whether a finding of this kind, gateway, door and detail is still to be looked
// at: the same thing is not told twice while nobody has looked.
func (r Reader) OpenFinding(kind, gateway, door, detail string) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE status <> 'closed' AND kind = ? AND gateway = ? AND door = ? AND detail = ?)`,
		kind, gateway, door, detail).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// ForkedAt reports whether the chain of an epoch was ever found to fork. Closing the finding changes
// nothing: the epoch stays unacknowledged, the gateway has to begin another.
func (r Reader) ForkedAt(gateway string, epoch [16]byte) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = 'chain_fork' AND gateway = ? AND substr(detail, 1, 33) = ?)`,
		gateway, entrylog.HexText(epoch[:])+"/").Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for forks of %s: %w", gateway, err)
	}
	return n == 1, nil
}

// Quarantined reports whether these very bytes are already kept in quarantine.
func (r Reader) Quarantined(gateway string, epoch [16]byte, seq uint64, body []byte) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM quarantine WHERE gateway = ? AND epoch = ? AND seq = ? AND body = ?)`,
		gateway, epoch[:], int64(seq), body).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look into quarantine of %s: %w", gateway, err)
	}
	return n == 1, nil
}

// OtherEpoch reports whether a gateway has records of another epoch than this one.
func (r Reader) OtherEpoch(gateway string, epoch [16]byte) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM gateway_chain WHERE gateway = ? AND epoch <> ?)`, gateway, epoch[:]).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read epochs of %s: %w", gateway, err)
	}
	return n == 1, nil
}

// scanAttempts reads all rows of attemptColumns.
func scanAttempts(rows *sql.Rows) (out []attempt.Row, err error) {
	defer rows.Close() // after Err below there is nothing left to report
	for rows.Next() {
		row, err := scanAttempt(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read attempts: %w", err)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// Unrecorded lists decisions of the server received on the given days before beforeMS that no record
// of the gateway has followed, and that no finding names as such.
func (r Reader) Unrecorded(days [2]string, beforeMS int64) ([]attempt.Row, error) {
	rows, err := r.query(`SELECT `+attemptColumns+` FROM attempt
		WHERE day IN (?, ?) AND decision_idx IS NOT NULL AND received_ms < ? AND NOT EXISTS (
			SELECT 1 FROM attempt_leaf a JOIN log_leaf l ON l.idx = a.idx WHERE a.first_idx = attempt.first_idx AND l.kind = 'record')
		AND NOT EXISTS (SELECT 1 FROM log_leaf l WHERE l.idx = attempt.first_idx AND l.kind = 'record')
		AND NOT EXISTS (SELECT 1 FROM finding f WHERE f.attempt = attempt.attempt AND f.kind = 'decision_without_record')
		ORDER BY first_idx`, days[0], days[1], beforeMS)
	if err != nil {
		return nil, fmt.Errorf("read decisions without record: %w", err)
	}
	return scanAttempts(rows)
}

// LastRecord gives the leaf that moved a gateway's watermarks last, of whichever epoch; ErrNotFound
// when it has none.
func (r Reader) LastRecord(gateway string) (idx int64, err error) {
	var last sql.NullInt64
	if err := r.row(`SELECT max(idx) FROM gateway_chain WHERE gateway = ?`, gateway).Scan(&last); err != nil {
		return 0, fmt.Errorf("read last record of %s: %w", gateway, err)
	}
	if !last.Valid {
		return 0, ErrNotFound
	}
	return last.Int64, nil
}
