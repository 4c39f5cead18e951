package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/firmware/card"
)

// PINCount is a card's wrong PINs in a row as the server counts them over all gateways, since the last right one or
// reset, and the number of its newest reset, 0 = none. It is durable, so that a lockout outlives a restart (AD-13).
func (r Reader) PINCount(ref card.Ref) (failed uint8, reset int64, err error) {
	err = r.row(`SELECT failed, reset_ms FROM pin_count WHERE card_ref = ?`, ref[:]).Scan(&failed, &reset)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("read wrong PINs: %w", err)
	}
	return failed, reset, nil
}

// SetPINFailed sets the count of wrong PINs; the newest reset stays.
func (tx *Tx) SetPINFailed(ref card.Ref, failed uint8) error {
	_, err := tx.exec(`INSERT INTO pin_count (card_ref, failed, reset_ms) VALUES (?, ?, 0)
		ON CONFLICT (card_ref) DO UPDATE SET failed = excluded.failed`, ref[:], failed)
	if err != nil {
		return fmt.Errorf("count wrong PINs: %w", err)
	}
	return nil
}

// PINReset is the newest reset of a card.
type PINReset struct {
	Ref    card.Ref
	Number int64 // UTC ms of the act; no two acts have the same
}

// PINResets lists the newest reset of each card that has one, the newest first, at most so many.
func (r Reader) PINResets(most int) (out []PINReset, err error) {
	rows, err := r.query(`SELECT card_ref, reset_ms FROM pin_count WHERE reset_ms > 0 ORDER BY reset_ms DESC LIMIT ?`, most)
	if err != nil {
		return nil, fmt.Errorf("read PIN resets: %w", err)
	}
	defer rows.Close() // after Err below there is nothing left to report
	for rows.Next() {
		var ref []byte
		var x PINReset
		if err := rows.Scan(&ref, &x.Number); err != nil {
			return nil, fmt.Errorf("read PIN resets: %w", err)
		}
		copy(x.Ref[:], ref)
		out = append(out, x)
	}
	return out, rows.Err()
}

// resetPIN starts a card's count again. number is later than that of every reset before.
func (tx *Tx) resetPIN(cardID string, number int64) error {
	res, err := tx.exec(`INSERT INTO pin_count (card_ref, failed, reset_ms) SELECT card_ref, 0, ? FROM credential WHERE id = ?
		ON CONFLICT (card_ref) DO UPDATE SET failed = 0, reset_ms = excluded.reset_ms`, number, cardID)
	if err != nil {
		return fmt.Errorf("reset PIN: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("reset PIN: %w", errors.Join(err, ErrNotFound))
	}
	return nil
}

// resetNumber is the number of a reset at atMS.
func (tx *Tx) resetNumber(atMS int64) (int64, error) {
	var last sql.NullInt64
	if err := tx.row(`SELECT max(reset_ms) FROM pin_count`).Scan(&last); err != nil {
		return 0, fmt.Errorf("reset PIN: %w", err)
	}
	return max(atMS, last.Int64+1), nil
}
