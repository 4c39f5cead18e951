package store

import (
	"context"
	"fmt"

	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/keystore"
)

// ReadFile runs fn in one view of a database file that a server may be using: nothing of it is written, and what the server writes
// meanwhile is not seen. keys may be nil: openings are then not readable. The server's log of changes (WAL) grows while fn runs.
func ReadFile(ctx context.Context, path string, keys *keystore.KeyStore, terms directory.Terms, fn func(r *ReadTx) error) error {
	s := &Store{path: path, read: openPool(path, true, 3), opt: Options{Keys: keys, Terms: terms}}
	defer s.closePools() // read-only
	if err := s.Read(ctx, fn); err != nil {
		return fmt.Errorf("database %s: %w", path, oneLine(err))
	}
	return nil
}

// LeafAt gives the first leaf whose server time is at or after a time, UTC ms; the log's size when there is none. The clock of a
// server runs forward; where it was set back, a leaf near it may be given.
func (r Reader) LeafAt(ms int64) (int64, error) {
	size, err := r.LogSize()
	if err != nil {
		return 0, err
	}
	lo, hi := int64(0), size
	for lo < hi {
		mid := lo + (hi-lo)/2
		leaf, err := r.Leaf(mid)
		if err != nil {
			return 0, err
		}
		if _, gone := entrylog.DroppedBy(leaf.Body); gone {
			lo = mid + 1 // what was disposed of is old
			continue
		}
		p, err := entrylog.Parse(leaf.Body)
		if err != nil {
			return 0, fmt.Errorf("leaf %d: %w", mid, err)
		}
		if p.AtMS() < ms {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, nil
}

// DayLeaves gives the range from ≤ index < to that holds all leaves of the lines of the days first…last (YYYY-MM-DD, both included);
// 0, 0 when there are no lines.
func (r Reader) DayLeaves(first, last string) (from, to int64, err error) {
	err = r.row(`SELECT coalesce(min(first_idx), 0), coalesce(max(last_idx) + 1, 0) FROM attempt WHERE day >= ? AND day <= ?`, first, last).Scan(&from, &to)
	if err != nil {
		return 0, 0, fmt.Errorf("leaves of %s to %s: %w", first, last, err)
	}
	return from, to, nil
}

// EachPolicy gives the compiled policies that came into force with leaves from ≤ index < to, but for who is where ("state"), one
// after the other.
func (r Reader) EachPolicy(from, to int64, fn func(gateway, part string, p PolicyVersion) error) error {
	rows, err := r.query(`SELECT idx, gateway, part, version, sum, bytes FROM policy_version WHERE idx >= ? AND idx < ? AND part <> 'state' ORDER BY idx`, from, to)
	if err != nil {
		return fmt.Errorf("read policies: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p PolicyVersion
		var gateway, part string
		if err := rows.Scan(&p.Idx, &gateway, &part, &p.Version, &p.Sum, &p.Bytes); err != nil {
			return fmt.Errorf("read policies: %w", err)
		}
		if err := fn(gateway, part, p); err != nil {
			return err
		}
	}
	return rows.Err()
}
