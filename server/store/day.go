package store

import (
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"monban/server/entrylog"
)

// DayTarget is the target of every action leaf about a zone's day; its id is ZONE/DAY/UPTO.
const DayTarget = "zone_day"

// DayAct is what somebody did with one zone's day, or month, of the log.
type DayAct struct {
	Idx     int64  // its action leaf
	Zone    string //
	Day     string // YYYY-MM-DD, of a month YYYY-MM
	Kind    string // the verb of the leaf
	Upto    int64  // size of the log that the page had shown
	Account string
	AtMS    int64 // UTC ms
}

func (a *DayAct) target() string { return a.Zone + "/" + a.Day + "/" + strconv.FormatInt(a.Upto, 10) }

// dayAct reads an act out of its leaf.
func dayAct(idx int64, l *entrylog.Action) (DayAct, bool) {
	parts := strings.Split(l.ID, "/")
	if l.Target != DayTarget || l.Result == "refused" || len(parts) != 3 {
		return DayAct{}, false
	}
	upto, err := strconv.ParseInt(parts[2], 10, 64)
	a := DayAct{Idx: idx, Zone: parts[0], Day: parts[1], Kind: l.Verb, Upto: upto, Account: l.Account, AtMS: l.AtMS}
	return a, err == nil && a.target() == l.ID
}

// AppendDayAct writes an act: the action leaf, with the reason or remark in its opening, and the row that finds it again.
func (tx *Tx) AppendDayAct(a DayAct, from, address, reason string) (DayAct, error) {
	if strings.Contains(a.Zone, "/") || strings.Contains(a.Day, "/") || a.Upto < 0 {
		return a, fmt.Errorf("day act %s: malformed", a.target())
	}
	leaf := entrylog.Action{
		Account: a.Account, Verb: a.Kind, Target: DayTarget, ID: a.target(), From: from, Result: "ok", Reason: reason != "", AtMS: a.AtMS,
	}
	var err error
	if a.Idx, err = tx.AppendAction(leaf, &entrylog.Opening{Address: address, Text: reason}); err != nil {
		return a, err
	}
	if _, err = tx.exec(`INSERT INTO day_act (idx, zone, day, kind, upto, account, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		a.Idx, a.Zone, a.Day, a.Kind, a.Upto, a.Account, a.AtMS); err != nil {
		return a, fmt.Errorf("insert day act: %w", err)
	}
	return a, nil
}

// DayActs lists the acts on a zone's days from…to (both included), in the order of the log. Months are asked for as months.
func (r Reader) DayActs(zone, from, to string) ([]DayAct, error) {
	rows, err := r.query(`SELECT idx, zone, day, kind, upto, account, at_ms FROM day_act WHERE zone = ? AND day >= ? AND day <= ? AND length(day) = ?
		ORDER BY idx`, zone, from, to, len(from))
	if err != nil {
		return nil, fmt.Errorf("read day acts: %w", err)
	}
	defer rows.Close()
	var out []DayAct
	for rows.Next() {
		_, a, err := scanDayAct(rows)
		if err != nil {
			return nil, fmt.Errorf("read day acts: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

func scanDayAct(rows *sql.Rows) (int64, DayAct, error) {
	var a DayAct
	err := rows.Scan(&a.Idx, &a.Zone, &a.Day, &a.Kind, &a.Upto, &a.Account, &a.AtMS)
	return a.Idx, a, err
}

// DayFinding is a finding on a day.
type DayFinding struct {
	Idx      int64
	Day      string
	Open     bool
	Unsigned bool // it tells that nobody has signed the day
}

// DayFindings lists the findings of the days from…to in a part of the site, oldest first; the silent alert of a PIN given under duress is
// not among them (AD-13).
func (r Reader) DayFindings(from, to string, in *Within) (out []DayFinding, err error) {
	args, err := in.args()
	if err != nil {
		return nil, err
	}
	rows, err := r.query(`SELECT idx, `+findingDay+` AS on_day, status <> 'closed', kind = 'unsigned_day' FROM finding
		WHERE on_day >= ? AND on_day <= ? AND kind <> 'duress' AND `+findingsWithin+` ORDER BY idx`, append([]any{from, to}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("read findings of days: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var f DayFinding
		if err := rows.Scan(&f.Idx, &f.Day, &f.Open, &f.Unsigned); err != nil {
			return nil, fmt.Errorf("read findings of days: %w", err)
		}
		out = append(out, f)
	}
	return out, rows.Err()
}
