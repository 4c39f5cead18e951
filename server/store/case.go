package store

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"monban/server/entrylog"
)

// FindingAct is what somebody did with a finding.
type FindingAct struct {
	Idx     int64 // its action leaf
	Finding int64 // leaf of the finding
	Kind    string
	Account string
	AtMS    int64 // UTC ms

	// In the opening; empty when it is erased.
	To   string // account that it was given to
	Text string // note, cause or reason
}

// findingAct reads an act out of its leaf.
func findingAct(idx int64, l *entrylog.Action) (FindingAct, bool) {
	if l.Target != "finding" || l.Result == "refused" || !strings.HasPrefix(l.Verb, "finding_") {
		return FindingAct{}, false
	}
	finding, err := strconv.ParseInt(l.ID, 10, 64)
	return FindingAct{Idx: idx, Finding: finding, Kind: l.Verb, Account: l.Account, AtMS: l.AtMS}, err == nil
}

// AppendFindingAct writes an act: the action leaf with To and Text in its opening, the finding's status, and the row that finds it
// again. ErrNotFound when there is no such finding.
func (tx *Tx) AppendFindingAct(a FindingAct, from, address string) (FindingAct, error) {
	if _, err := tx.Finding(a.Finding); err != nil {
		return a, err
	}
	leaf := entrylog.Action{
		Account: a.Account, Verb: a.Kind, Target: "finding", ID: strconv.FormatInt(a.Finding, 10), From: from, Result: "ok", Reason: a.Text != "", AtMS: a.AtMS,
	}
	var err error
	if a.Idx, err = tx.AppendAction(leaf, &entrylog.Opening{Address: address, Text: a.Text, Target: a.To}); err != nil {
		return a, err
	}
	return a, nil
}

// insertFindingAct adds the row of an action leaf that is about a finding.
func (tx *Tx) insertFindingAct(idx int64, l *entrylog.Action) error {
	a, ok := findingAct(idx, l)
	if !ok {
		return nil
	}
	if _, err := tx.exec(`INSERT INTO finding_act (idx, finding, kind, account, at_ms) VALUES (?, ?, ?, ?, ?)`, a.Idx, a.Finding, a.Kind, a.Account, a.AtMS); err != nil {
		return fmt.Errorf("insert act on finding: %w", err)
	}
	return nil
}

// FindingActs lists the acts on a finding in the order of the log.
func (r Reader) FindingActs(finding int64) ([]FindingAct, error) {
	rows, err := r.query(`SELECT idx, finding, kind, account, at_ms FROM finding_act WHERE finding = ? ORDER BY idx`, finding)
	if err != nil {
		return nil, fmt.Errorf("read acts on finding %d: %w", finding, err)
	}
	defer rows.Close()
	var out []FindingAct
	for rows.Next() {
		_, a, err := scanFindingAct(rows)
		if err != nil {
			return nil, fmt.Errorf("read acts on finding %d: %w", finding, err)
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range out {
		o, err := r.Opening(out[i].Idx)
		if errors.Is(err, ErrErased) || errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[i].To, out[i].Text = o.Target, o.Text
	}
	return out, nil
}

func scanFindingAct(rows *sql.Rows) (int64, FindingAct, error) {
	var a FindingAct
	err := rows.Scan(&a.Idx, &a.Finding, &a.Kind, &a.Account, &a.AtMS)
	return a.Idx, a, err
}
