package store

import (
	"errors"
	"fmt"
)

// DayView is an account's last look at a zone's day: the size of the log then.
type DayView struct {
	Size int64
	AtMS int64 // UTC ms
}

// SwapDayView writes down a look at a zone's day and gives the one before; the zero DayView when there was none. It only marks what is new
// on a page: that somebody looked stands in the log.
func (tx *Tx) SwapDayView(account, zone, day string, now DayView) (before DayView, err error) {
	err = found(tx.row(`SELECT size, at_ms FROM day_view WHERE account = ? AND zone = ? AND day = ?`, account, zone, day).Scan(&before.Size, &before.AtMS))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return before, fmt.Errorf("last look at a day: %w", err)
	}
	if _, err = tx.exec(`INSERT INTO day_view (account, zone, day, size, at_ms) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account, zone, day) DO UPDATE SET size = excluded.size, at_ms = excluded.at_ms`, account, zone, day, now.Size, now.AtMS); err != nil {
		return before, fmt.Errorf("note a look at a day: %w", err)
	}
	return before, nil
}
