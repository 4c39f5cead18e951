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

// DaySums adds up the lines of the days from…to (both included) at doors, and the passages at borders, in the order of the days; a day
// without any is left out. refs are the people of whom is asked whether they have one. It reads the lines without carrying them over: a
// page of two months adds up some 100,000.
func (r Reader) DaySums(from, to string, doors, borders []string, refs [][]byte) ([]DaySum, error) {
	texts := make([]string, 0, len(refs))
	for _, ref := range refs {
		texts = append(texts, strings.ToUpper(hex.EncodeToString(ref))) // as hex() writes it
	}
	var lists [3]string
	for i, list := range [][]string{texts, doors, borders} {
		text, err := json.Marshal(append([]string{}, list...))
		if err != nil {
			return nil, fmt.Errorf("add up days: %w", err)
		}
		lists[i] = string(text)
	}
	rows, err := r.query(`SELECT day, count(*), max(last_idx),
			group_concat(DISTINCT CASE WHEN person_ref IS NOT NULL AND hex(person_ref) IN (SELECT value FROM json_each(?)) THEN hex(person_ref) END)
		FROM attempt WHERE day >= ? AND day <= ?
			AND (door IN (SELECT value FROM json_each(?)) OR passage IN ('entry', 'exit') AND door IN (SELECT value FROM json_each(?)))
		GROUP BY day ORDER BY day`, lists[0], from, to, lists[1], lists[2])
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
