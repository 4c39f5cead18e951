package store

import (
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// DaySum is one day's lines in numbers.
type DaySum struct {
	Day  string // YYYY-MM-DD
	Rows int
	Last int64    // highest leaf of any of them
	Refs [][]byte // those of the person references asked for that have a line
}

// DayDoors are the doors of a zone, by which of their lines make a row in its register.
type DayDoors struct {
	Into   []string // that lead into it: everything but passages, also what nothing has come of yet, and entries of nobody known
	Back   []string // by whose exits one comes into it, or out of it to where no zone is: exits of nobody known
	Across []string // over its border, also by a zone in it: passages of somebody
}

// DaySums adds up the lines of the days from…to (both included) that make a row, in the order of the days; a day without any is left out. refs
// are the people of whom is asked whether they have one. It reads the lines without carrying them over: a page of two months adds up some
// 100,000.
func (r Reader) DaySums(from, to string, doors DayDoors, refs [][]byte) ([]DaySum, error) {
	texts := make([]string, 0, len(refs))
	for _, ref := range refs {
		texts = append(texts, strings.ToUpper(hex.EncodeToString(ref))) // as hex() writes it
	}
	var lists [4]string
	for i, list := range [][]string{texts, doors.Across, doors.Back, doors.Into} {
		text, err := json.Marshal(append([]string{}, list...))
		if err != nil {
			return nil, fmt.Errorf("add up days: %w", err)
		}
		lists[i] = string(text)
	}
	rows, err := r.query(`SELECT day, count(*), max(last_idx),
			group_concat(DISTINCT CASE WHEN person_ref IS NOT NULL AND hex(person_ref) IN (SELECT value FROM json_each(?)) THEN hex(person_ref) END)
		FROM attempt WHERE day >= ? AND day <= ?
			AND CASE WHEN passage IN ('entry', 'exit') AND person_ref IS NOT NULL THEN door IN (SELECT value FROM json_each(?))
				WHEN passage = 'exit' THEN door IN (SELECT value FROM json_each(?))
				ELSE door IN (SELECT value FROM json_each(?)) END
		GROUP BY day ORDER BY day`, lists[0], from, to, lists[1], lists[2], lists[3])
	if err != nil {
		return nil, fmt.Errorf("add up days: %w", err)
	}
	defer rows.Close()
	var out []DaySum
	for rows.Next() {
		var s DaySum
		var who sql.NullString
		if err := rows.Scan(&s.Day, &s.Rows, &s.Last, &who); err != nil {
			return nil, fmt.Errorf("add up days: %w", err)
		}
		for text := range strings.SplitSeq(who.String, ",") {
			if ref, err := hex.DecodeString(text); err == nil && text != "" {
				s.Refs = append(s.Refs, ref)
			}
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// DayInside is what one person passed on a day between the parts of a zone.
type DayInside struct {
	Day     string
	Ref     []byte // the person's reference
	Rows    int
	Last    int64 // highest leaf of any of the lines
	Opening int64 // of one of them, says who; below 0 = none does
	FirstMS int64 // the first of the passages, UTC ms
	Between bool  // they passed another door between these
	// Door, Passage and PassedMS are their passage before the first, as far as it has the same reference; "" = none.
	Door, Passage string
	PassedMS      int64
}

// DaysInside lists who passed which of the doors, all within one zone, on the days from…to, in the order of the days.
func (r Reader) DaysInside(from, to string, doors []string) ([]DayInside, error) {
	if len(doors) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(doors)
	if err != nil {
		return nil, fmt.Errorf("days inside: %w", err)
	}
	const crossed = `passage IN ('entry', 'exit') AND person_ref IS NOT NULL`
	rows, err := r.query(`WITH inside AS (SELECT day, person_ref, count(*) AS n, max(last_idx) AS last, coalesce(max(opening_idx), -1) AS opening, min(passed_ms) AS first, max(passed_ms) AS final
			FROM attempt INDEXED BY attempt_day WHERE day >= ? AND day <= ? AND `+crossed+` AND passed_ms IS NOT NULL AND door IN (SELECT value FROM json_each(?)) GROUP BY day, person_ref)
		SELECT inside.day, inside.person_ref, n, last, opening, first,
			EXISTS (SELECT 1 FROM attempt AS o INDEXED BY attempt_person WHERE o.person_ref = inside.person_ref AND o.passage IN ('entry', 'exit') AND o.person_ref IS NOT NULL
				AND o.passed_ms > first AND o.passed_ms < final AND o.door NOT IN (SELECT value FROM json_each(?))),
			coalesce(b.door, ''), coalesce(b.passage, ''), coalesce(b.passed_ms, 0)
		FROM inside LEFT JOIN attempt AS b ON b.first_idx = (SELECT p.first_idx FROM attempt AS p INDEXED BY attempt_person
			WHERE p.person_ref = inside.person_ref AND p.passage IN ('entry', 'exit') AND p.person_ref IS NOT NULL AND p.passed_ms < first ORDER BY p.passed_ms DESC, p.first_idx DESC LIMIT 1)
		ORDER BY inside.day`, from, to, string(text), string(text))
	if err != nil {
		return nil, fmt.Errorf("days inside: %w", err)
	}
	defer rows.Close()
	var out []DayInside
	for rows.Next() {
		var d DayInside
		if err := rows.Scan(&d.Day, &d.Ref, &d.Rows, &d.Last, &d.Opening, &d.FirstMS, &d.Between, &d.Door, &d.Passage, &d.PassedMS); err != nil {
			return nil, fmt.Errorf("days inside: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}
