package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/server/visit"
)

// More is what was found again and is counted instead of told.
type More struct {
	Kind, Gateway, Door, Detail string
	Severity                    string
	Count                       int
	Cause                       int64 // leaf of the last one, -1 = none
	AtMS                        int64 // when it happened, UTC ms
	SinceMS                     int64 // the server's clock at the first one counted
	DueMS                       int64 // when it is told
}

const moreColumns = `kind, gateway, door, detail, severity, count, cause, at_ms, since_ms, due_ms`

func scanMore(scan func(...any) error) (m More, err error) {
	err = scan(&m.Kind, &m.Gateway, &m.Door, &m.Detail, &m.Severity, &m.Count, &m.Cause, &m.AtMS, &m.SinceMS, &m.DueMS)
	return m, err
}

// Counted gives what is counted of a kind at a place; ok is false when nothing is.
func (r Reader) Counted(kind, gateway, door, detail string) (m More, ok bool, err error) {
	m, err = scanMore(r.row(`SELECT `+moreColumns+` FROM finding_more WHERE kind = ? AND gateway = ? AND door = ? AND detail = ?`, kind, gateway, door, detail).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return More{}, false, nil
	}
	if err != nil {
		return More{}, false, fmt.Errorf("read what is counted of %s: %w", kind, err)
	}
	return m, true, nil
}

// clockPlay is by how much a moment of the server's own clock may lie after now; one further ahead was written by a clock that was wrong.
const clockPlay = 60_000

// CountedUntil lists what is to be told at nowMS, sorted; with it what was counted while the clock was ahead.
func (r Reader) CountedUntil(nowMS int64) (out []More, err error) {
	rows, err := r.query(`SELECT `+moreColumns+` FROM finding_more WHERE due_ms <= ? OR since_ms > ? ORDER BY kind, gateway, door, detail`, nowMS, nowMS+clockPlay)
	if err != nil {
		return nil, fmt.Errorf("read what is counted: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMore(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read what is counted: %w", err)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// PutCounted writes what is counted of a kind at a place; with Count 0 the row goes.
func (tx *Tx) PutCounted(m More) (err error) {
	if m.Count == 0 {
		_, err = tx.exec(`DELETE FROM finding_more WHERE kind = ? AND gateway = ? AND door = ? AND detail = ?`, m.Kind, m.Gateway, m.Door, m.Detail)
	} else {
		_, err = tx.exec(`INSERT INTO finding_more (`+moreColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (kind, gateway, door, detail) DO UPDATE SET severity = excluded.severity, count = excluded.count, cause = excluded.cause,
			at_ms = excluded.at_ms, since_ms = excluded.since_ms, due_ms = excluded.due_ms`,
			m.Kind, m.Gateway, m.Door, m.Detail, m.Severity, m.Count, m.Cause, m.AtMS, m.SinceMS, m.DueMS)
	}
	if err != nil {
		return fmt.Errorf("count %s: %w", m.Kind, err)
	}
	return nil
}

// ToldAt counts, up to most, the findings of a kind at a place that happened in (fromMS, toMS], open or not.
func (r Reader) ToldAt(kind, gateway, door string, fromMS, toMS int64, most int) (n int, err error) {
	err = r.row(`SELECT count(*) FROM (SELECT 1 FROM finding INDEXED BY finding_place
		WHERE kind = ? AND gateway = ? AND door = ? AND at_ms > ? AND at_ms <= ? LIMIT ?)`, kind, gateway, door, fromMS, toMS, most).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("look for findings %s: %w", kind, err)
	}
	return n, nil
}

// As grave as: a severity that is none of the three counts as high, as the rules read it.
const asGrave = `CASE severity WHEN 'low' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END >= CASE ? WHEN 'low' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END`

// ToldAsGrave counts, up to most, the findings of a kind at a place that are at least of a severity and happened in
// (fromMS, toMS], open or not.
func (r Reader) ToldAsGrave(kind, gateway, door, severity string, fromMS, toMS int64, most int) (n int, err error) {
	err = r.row(`SELECT count(*) FROM (SELECT 1 FROM finding INDEXED BY finding_place
		WHERE kind = ? AND gateway = ? AND door = ? AND at_ms > ? AND at_ms <= ? AND `+asGrave+` LIMIT ?)`,
		kind, gateway, door, fromMS, toMS, severity, most).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("look for findings %s: %w", kind, err)
	}
	return n, nil
}

// ToldOn reports whether there is a finding of a kind, place and detail, at least of a severity, that happened in [fromMS, toMS),
// open or not.
func (r Reader) ToldOn(kind, gateway, door, detail, severity string, fromMS, toMS int64) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding INDEXED BY finding_place
		WHERE kind = ? AND gateway = ? AND door = ? AND at_ms >= ? AND at_ms < ? AND detail = ? AND `+asGrave+`)`,
		kind, gateway, door, fromMS, toMS, detail, severity).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// ToldOf reports whether there is a finding of a kind about an attempt, open or not.
func (r Reader) ToldOf(kind string, id [16]byte) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding INDEXED BY finding_attempt WHERE attempt = ? AND kind = ?)`, id[:], kind).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// Habits tells of a person when they passed a door first, UTC ms, 0 = never before beforeMS, and whether they entered by this
// door in [fromMS, beforeMS).
func (r Reader) Habits(person, door string, fromMS, beforeMS int64) (firstMS int64, used bool, err error) {
	for ref := range r.PersonRefs(person) {
		var first sql.NullInt64
		err := r.row(`SELECT min(passed_ms) FROM attempt INDEXED BY attempt_person
			WHERE person_ref = ? AND passage IN ('entry', 'exit') AND passed_ms < ?`, []byte(ref), beforeMS).Scan(&first)
		if err != nil {
			return 0, false, fmt.Errorf("first passage: %w", err)
		}
		if first.Valid && (firstMS == 0 || first.Int64 < firstMS) {
			firstMS = first.Int64
		}
		var n int // mostly the first row that is looked at: people use the same doors
		err = r.row(`SELECT EXISTS (SELECT 1 FROM attempt INDEXED BY attempt_person WHERE person_ref = ? AND passage IN ('entry', 'exit')
			AND passed_ms >= ? AND passed_ms < ? AND door = ? AND passage = 'entry' ORDER BY passed_ms DESC)`, []byte(ref), fromMS, beforeMS, door).Scan(&n)
		if err != nil {
			return 0, false, fmt.Errorf("use of a door: %w", err)
		}
		used = used || n == 1
	}
	return firstMS, used, nil
}

// longestVisit is the longest window that a site can set.
const longestVisit = 7 * 24 * 3_600_000

// WorkCovers reports whether a person's being in a zone belongs to approved work (VE-9).
func (r Reader) WorkCovers(e visit.Passage) (bool, error) {
	return r.anyVisit(e.AtMS, func(v *visit.Visit) bool { return v.Covers(e) })
}

// WorkPlanned reports whether approved work goes on in one of the zones at a moment, UTC ms (OP-1).
func (r Reader) WorkPlanned(zones []access.ZoneID, atMS int64) (bool, error) {
	return r.anyVisit(atMS, func(v *visit.Visit) bool { return v.Plans(zones, atMS) })
}

// anyVisit reports whether a visit that may hold a moment, UTC ms, is as asked.
func (r Reader) anyVisit(atMS int64, is func(*visit.Visit) bool) (bool, error) {
	const early = 3_600_000 // who attends comes before the window
	rows, err := r.MattersBetween(visit.KindVisit, atMS-longestVisit, atMS+early)
	if err != nil {
		return false, err
	}
	for _, row := range slices.Backward(rows) {
		text, err := r.MatterText(row.Idx)
		if errors.Is(err, ErrErased) {
			continue
		}
		if err != nil {
			return false, err
		}
		m, err := visit.Decode(row.Kind, text.Doc)
		if err != nil {
			return false, err
		}
		if v, ok := m.(*visit.Visit); ok && is(v) {
			return true, nil
		}
	}
	return false, nil
}
