package store

import (
	"errors"
	"fmt"
)

// DayView is an account's look at a zone's day: the size of the log then.
type DayView struct {
	Size int64
	AtMS int64 // UTC ms
}

// LookAtDay writes down a look at a zone's day and gives the one that the page is compared with: the last look of an earlier sitting, or the
// first of all; the zero DayView when there was none. A sitting ends when nobody has looked for sittingMS. It only marks what is new on a page:
// that somebody looked stands in the log.
func (tx *Tx) LookAtDay(account, zone, day string, now DayView, sittingMS int64) (before DayView, err error) {
	var last DayView
	err = found(tx.row(`SELECT size, at_ms, last_size, last_ms FROM day_view WHERE account = ? AND zone = ? AND day = ?`, account, zone, day).
		Scan(&before.Size, &before.AtMS, &last.Size, &last.AtMS))
	if errors.Is(err, ErrNotFound) {
		return DayView{}, tx.PutDayView(account, zone, day, now)
	}
	if err != nil {
		return before, fmt.Errorf("last look at a day: %w", err)
	}
	if now.AtMS-last.AtMS >= sittingMS {
		before = last
	}
	return before, tx.putDayView(account, zone, day, before, now)
}

// PutDayView writes down a look that the next one is compared with, whatever the sitting: somebody has signed what they saw.
func (tx *Tx) PutDayView(account, zone, day string, now DayView) error {
	return tx.putDayView(account, zone, day, now, now)
}

func (tx *Tx) putDayView(account, zone, day string, mark, last DayView) error {
	_, err := tx.exec(`INSERT INTO day_view (account, zone, day, size, at_ms, last_size, last_ms) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (account, zone, day) DO UPDATE SET size = excluded.size, at_ms = excluded.at_ms, last_size = excluded.last_size, last_ms = excluded.last_ms`,
		account, zone, day, mark.Size, mark.AtMS, last.Size, last.AtMS)
	if err != nil {
		return fmt.Errorf("note a look at a day: %w", err)
	}
	return nil
}
