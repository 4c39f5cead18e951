package store

import (
	"cmp"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"monban/server/attempt"
)

// Lines lists every line of the days from…to (YYYY-MM-DD, both included), in the order of the log.
func (r Reader) Lines(from, to string) ([]attempt.Row, error) {
	return r.attempts(`SELECT `+attemptColumns+` FROM attempt WHERE day >= ? AND day <= ? ORDER BY first_idx`, from, to)
}

// PassedAfter lists up to limit passages of a person after a moment, UTC ms, in the order of passing. Those of a time whose key was
// destroyed are nobody's any more.
func (r Reader) PassedAfter(person string, ms int64, limit int) ([]attempt.Row, error) {
	return r.passagesOf(person, `passed_ms > ? ORDER BY passed_ms, first_idx`, ms, limit, false)
}

// PassedBefore lists up to limit passages of a person before a moment, UTC ms: the last ones, in the order of passing.
func (r Reader) PassedBefore(person string, ms int64, limit int) ([]attempt.Row, error) {
	return r.passagesOf(person, `passed_ms < ? ORDER BY passed_ms DESC, first_idx DESC`, ms, limit, true)
}

// passagesOf keeps the last of what it finds, or the first.
func (r Reader) passagesOf(person, where string, ms int64, limit int, last bool) (out []attempt.Row, err error) {
	for ref := range r.PersonRefs(person) { // one for each fiscal year: an entry on 31 March may have its exit on 1 April
		rows, err := r.attempts(`SELECT `+attemptColumns+` FROM attempt INDEXED BY attempt_person WHERE person_ref = ? AND passage IN ('entry', 'exit')
			AND `+where+` LIMIT ?`, []byte(ref), ms, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	slices.SortFunc(out, func(a, b attempt.Row) int {
		return cmp.Or(cmp.Compare(a.PassedMS, b.PassedMS), cmp.Compare(a.First, b.First))
	})
	if over := len(out) - limit; over > 0 && last { // each year had its own last ones
		out = out[over:]
	}
	return out[:min(len(out), max(limit, 0))], nil
}

// Reach is from when on which passages of a person are looked for, UTC ms.
type Reach struct {
	Person string
	MS     int64
}

// PassedAround gives, of many people at once, what PassedBefore gives of those in before and PassedAfter of those in after.
func (r Reader) PassedAround(before, after []Reach, limit int) (out []attempt.Row, err error) {
	for _, x := range []struct {
		list  []Reach
		order string
	}{{before, "passed_ms < j.value ->> 1 ORDER BY passed_ms DESC, first_idx DESC"}, {after, "passed_ms > j.value ->> 1 ORDER BY passed_ms, first_idx"}} {
		pairs := [][2]any{}
		for _, p := range x.list {
			for ref := range r.PersonRefs(p.Person) {
				pairs = append(pairs, [2]any{hex.EncodeToString([]byte(ref)), p.MS})
			}
		}
		if len(pairs) == 0 {
			continue
		}
		list, err := json.Marshal(pairs)
		if err != nil {
			return nil, fmt.Errorf("read passages: %w", err)
		}
		rows, err := r.attempts(`SELECT `+attemptColumns+` FROM json_each(?) AS j CROSS JOIN attempt ON first_idx IN (
			SELECT first_idx FROM attempt INDEXED BY attempt_person
			WHERE person_ref = unhex(j.value ->> 0) AND passage IN ('entry', 'exit') AND person_ref IS NOT NULL AND `+x.order+` LIMIT ?)`, string(list), limit)
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// LastPassages gives each person's last passage at or before a moment, UTC ms, in the order of passing.
func (r Reader) LastPassages(atMS int64) ([]attempt.Row, error) {
	// The references are found one after the other in the index, so that the length of the log does not count.
	return r.attempts(`WITH RECURSIVE person (ref) AS (
		SELECT min(person_ref) FROM attempt INDEXED BY attempt_person WHERE passage IN ('entry', 'exit') AND person_ref IS NOT NULL
		UNION ALL
		SELECT (SELECT min(person_ref) FROM attempt INDEXED BY attempt_person
			WHERE passage IN ('entry', 'exit') AND person_ref IS NOT NULL AND person_ref > person.ref)
		FROM person WHERE ref IS NOT NULL)
	SELECT `+attemptColumns+` FROM attempt WHERE first_idx IN (
		SELECT (SELECT first_idx FROM attempt INDEXED BY attempt_person
			WHERE person_ref = person.ref AND passage IN ('entry', 'exit') AND person_ref IS NOT NULL AND passed_ms <= ?
			ORDER BY passed_ms DESC, first_idx DESC LIMIT 1)
		FROM person WHERE ref IS NOT NULL)
	ORDER BY passed_ms, first_idx`, atMS)
}

// FirstDay is the day of the oldest line; "" while there is none.
func (r Reader) FirstDay() (day string, err error) {
	var first sql.NullString
	err = r.row(`SELECT min(day) FROM attempt`).Scan(&first)
	return first.String, err
}

// UnknownDoorBefore reports whether a gateway recorded at a door, before a leaf, that was not one of its own.
func (r Reader) UnknownDoorBefore(door string, leaf int64) (before bool, err error) {
	err = r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = 'unknown_door' AND door = ? AND idx < ?)`, door, leaf).Scan(&before)
	if err != nil {
		return false, fmt.Errorf("look for records of door %s: %w", door, err)
	}
	return before, nil
}

// FirstDayAt is the day of the oldest line at one of the doors before a day, of the lines that began with leaf from or a later one; "" when there
// is none. Each day is looked up by the leaf: of a door that came late the lines of the years before are not walked.
func (r Reader) FirstDayAt(doors []string, before string, from int64) (day string, err error) {
	list, err := json.Marshal(append([]string{}, doors...))
	if err != nil {
		return "", fmt.Errorf("first line: %w", err)
	}
	err = found(r.row(`WITH RECURSIVE days (day) AS (
			SELECT min(day) FROM attempt
			UNION ALL SELECT (SELECT min(day) FROM attempt INDEXED BY attempt_day WHERE attempt.day > days.day) FROM days WHERE days.day < ?)
		SELECT day FROM days WHERE day < ? AND EXISTS (
			SELECT 1 FROM attempt INDEXED BY attempt_day WHERE attempt.day = days.day AND first_idx >= ? AND door IN (SELECT value FROM json_each(?)))
		LIMIT 1`, before, before, from, string(list)).Scan(&day))
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	return day, err
}
