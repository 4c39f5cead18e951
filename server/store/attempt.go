package store

import (
	"fmt"
	"strings"

	"monban/server/attempt"
	"monban/server/entrylog"
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

// Passed lists the lines of the days from…to (YYYY-MM-DD, both included) whose door was passed on a badge, in the order
// of passing.
func (r Reader) Passed(from, to string) ([]attempt.Row, error) {
	return r.attempts(`SELECT `+attemptColumns+` FROM attempt WHERE day >= ? AND day <= ? AND passage IN ('entry', 'exit')
		ORDER BY passed_ms, first_idx`, from, to)
}

// OfPerson lists the lines of the days from…to that are a person's, in the order of the log. Lines of a time whose key was
// destroyed are nobody's any more. Of other people's lines none is kept: the days may be ten years.
func (r Reader) OfPerson(person, from, to string) (out []attempt.Row, err error) {
	args := []any{from, to}
	for ref := range r.PersonRefs(person) {
		args = append(args, []byte(ref))
	}
	if len(args) == 2 {
		return nil, nil
	}
	return r.attempts(`SELECT `+attemptColumns+` FROM attempt INDEXED BY attempt_day WHERE day >= ? AND day <= ?
		AND person_ref IN (?`+strings.Repeat(", ?", len(args)-3)+`) ORDER BY first_idx`, args...)
}

// NewestPersonAttempt gives the last line that is somebody's. It returns ErrNotFound when there is none.
func (r Reader) NewestPersonAttempt() (attempt.Row, error) {
	list, err := r.attempts(`SELECT ` + attemptColumns + ` FROM attempt WHERE person_ref IS NOT NULL ORDER BY first_idx DESC LIMIT 1`)
	if err != nil {
		return attempt.Row{}, err
	}
	if len(list) == 0 {
		return attempt.Row{}, ErrNotFound
	}
	return list[0], nil
}

// PersonRefs gives every reference under which the lines of a person stand, one for each fiscal year with a key.
func (r Reader) PersonRefs(person string) map[string]bool {
	out := map[string]bool{}
	for _, ref := range r.keys.PersonRefs(person, entrylog.ClassRegister) {
		out[string(ref)] = true
	}
	return out
}

func (r Reader) attempts(q string, args ...any) (out []attempt.Row, err error) {
	rows, err := r.query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("read attempts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		row, err := scanAttempt(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read attempts: %w", err)
		}
		out = append(out, row)
	}
	return out, rows.Err()
}
