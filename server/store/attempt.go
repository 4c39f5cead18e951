package store

import (
	"fmt"

	"monban/server/attempt"
)

// AttemptsOfDay lists the lines of one day (YYYY-MM-DD in the site's zone), newest first, and the
// lines of the day before whose interval crosses midnight (D21).
func (r Reader) AttemptsOfDay(day, before string) ([]attempt.Row, error) {
	rows, err := r.query(`SELECT `+attemptColumns+` FROM attempt WHERE day = ? OR (day = ? AND flags & ? <> 0)
		ORDER BY first_idx DESC`, day, before, int64(attempt.FlagMidnight))
	if err != nil {
		return nil, fmt.Errorf("read attempts of %s: %w", day, err)
	}
	defer rows.Close()
	var out []attempt.Row
	for rows.Next() {
		row, err := scanAttempt(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read attempts of %s: %w", day, err)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}

// CoverageOf lists the dead intervals of gateways that touch [fromMS, toMS).
func (r Reader) CoverageOf(fromMS, toMS int64) ([]attempt.Coverage, error) {
	rows, err := r.query(`SELECT gateway, from_ms, to_ms, state, heard FROM coverage
		WHERE state = 'dead' AND to_ms > ? AND from_ms < ? ORDER BY from_ms`, fromMS, toMS)
	if err != nil {
		return nil, fmt.Errorf("read coverage: %w", err)
	}
	defer rows.Close()
	var out []attempt.Coverage
	for rows.Next() {
		var c attempt.Coverage
		if err := rows.Scan(&c.Gateway, &c.FromMS, &c.ToMS, &c.State, &c.Heard); err != nil {
			return nil, fmt.Errorf("read coverage: %w", err)
		}
		out = append(out, c)
	}
	return out, rows.Err()
}
