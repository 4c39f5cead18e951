package store

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"monban/server/entrylog"
)

// PaperTarget is the target of the leaf of a comparison with paper; its id is ZONE/DAY/MATCHED/LOG_ONLY/PAPER_ONLY. The opening holds what was
// typed, so that the leaf's commitment is the hash of it, which tells nobody's name once the opening is gone.
const PaperTarget = "paper_day"

const paperVerb = "paper_compared"

// PaperCompared is how a zone's day of the log compared with the paper ledger (VR-6).
type PaperCompared struct {
	Idx                         int64 // its action leaf
	Zone, Day                   string
	Matched, LogOnly, PaperOnly int
	Account                     string
	AtMS                        int64 // UTC ms
}

func (c *PaperCompared) target() string {
	return fmt.Sprintf("%s/%s/%d/%d/%d", c.Zone, c.Day, c.Matched, c.LogOnly, c.PaperOnly)
}

// AppendPaperCompared writes a comparison: the action leaf, what was typed in its opening, and the row that finds it again.
func (tx *Tx) AppendPaperCompared(c PaperCompared, from, address, typed string) (int64, error) {
	if strings.Contains(c.Zone, "/") || strings.Contains(c.Day, "/") || min(c.Matched, c.LogOnly, c.PaperOnly) < 0 {
		return 0, fmt.Errorf("comparison with paper %s: malformed", c.target())
	}
	leaf := entrylog.Action{Account: c.Account, Verb: paperVerb, Target: PaperTarget, ID: c.target(), From: from, Result: "ok", AtMS: c.AtMS}
	idx, err := tx.AppendAction(leaf, &entrylog.Opening{Address: address, Text: typed})
	if err != nil {
		return 0, err
	}
	if _, err := tx.exec(`INSERT INTO paper_compared (idx, zone, day) VALUES (?, ?, ?)`, idx, c.Zone, c.Day); err != nil {
		return 0, fmt.Errorf("insert comparison with paper: %w", err)
	}
	return idx, nil
}

// PaperComparisons lists the comparisons of a zone's days from…to (both included), in the order of the log, as their leaves have them. A row
// that its leaf does not bear out is an error.
func (r Reader) PaperComparisons(zone, from, to string) (out []PaperCompared, err error) {
	var list []int64
	rows, err := r.query(`SELECT idx FROM paper_compared WHERE zone = ? AND day >= ? AND day <= ? ORDER BY idx`, zone, from, to)
	if err != nil {
		return nil, fmt.Errorf("read comparisons with paper: %w", err)
	}
	if list, err = indices(rows); err != nil {
		return nil, fmt.Errorf("read comparisons with paper: %w", err)
	}
	for _, idx := range list {
		leaf, err := r.Leaf(idx)
		if err != nil {
			return nil, err
		}
		parsed, err := entrylog.Parse(leaf.Body)
		if err != nil {
			return nil, fmt.Errorf("leaf %d: %w", idx, err)
		}
		a := &parsed.Action
		parts := strings.Split(a.ID, "/")
		c := PaperCompared{Idx: idx, Account: a.Account, AtMS: a.AtMS}
		if len(parts) == 5 {
			c.Zone, c.Day = parts[0], parts[1]
			for i, n := range []*int{&c.Matched, &c.LogOnly, &c.PaperOnly} {
				if *n, err = strconv.Atoi(parts[2+i]); err != nil {
					break
				}
			}
		}
		if leaf.Kind != entrylog.KindAction || a.Verb != paperVerb || a.Target != PaperTarget || c.Zone != zone || c.Day < from || c.Day > to || c.target() != a.ID {
			return nil, fmt.Errorf("comparison with paper: leaf %d is none of %s", idx, zone)
		}
		out = append(out, c)
	}
	return out, nil
}

func indices(rows *sql.Rows) (out []int64, err error) {
	defer rows.Close()
	for rows.Next() {
		var idx int64
		if err := rows.Scan(&idx); err != nil {
			return nil, err
		}
		out = append(out, idx)
	}
	return out, rows.Err()
}
