package store

import "fmt"

// Awaited is something that is not judged yet: records of another gateway may still come, or an escort may follow.
type Awaited struct {
	Attempt             [16]byte
	Kind                string // of the finding that it would be
	Gateway, Door, Zone string
	AtMS                int64 // when it happened, UTC ms
	Leaf                int64 // that says so
}

// PutAwaited notes something that is not judged yet.
func (tx *Tx) PutAwaited(a Awaited) error {
	_, err := tx.exec(`INSERT INTO awaited (attempt, kind, gateway, door, zone, at_ms, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (attempt, kind) DO UPDATE SET gateway = excluded.gateway, door = excluded.door, zone = excluded.zone,
		at_ms = excluded.at_ms, leaf = excluded.leaf`, a.Attempt[:], a.Kind, a.Gateway, a.Door, a.Zone, a.AtMS, a.Leaf)
	if err != nil {
		return fmt.Errorf("note what waits: %w", err)
	}
	return nil
}

// DropAwaited takes back the note: it is judged.
func (tx *Tx) DropAwaited(kind string, id [16]byte) error {
	if _, err := tx.exec(`DELETE FROM awaited WHERE attempt = ? AND kind = ?`, id[:], kind); err != nil {
		return fmt.Errorf("take back what waits: %w", err)
	}
	return nil
}

// AllAwaited lists what is not judged yet, in the order of the log.
func (r Reader) AllAwaited() (out []Awaited, err error) {
	rows, err := r.query(`SELECT attempt, kind, gateway, door, zone, at_ms, leaf FROM awaited ORDER BY leaf, kind`)
	if err != nil {
		return nil, fmt.Errorf("read what waits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var a Awaited
		var id []byte
		if err := rows.Scan(&id, &a.Kind, &a.Gateway, &a.Door, &a.Zone, &a.AtMS, &a.Leaf); err != nil {
			return nil, fmt.Errorf("read what waits: %w", err)
		}
		copy(a.Attempt[:], id)
		out = append(out, a)
	}
	return out, rows.Err()
}
