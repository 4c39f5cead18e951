package store

import (
	"errors"
	"fmt"

	"monban/server/attempt"
)

// OpenSince lists the findings that nobody has closed and that happened before beforeMS, UTC ms, in the order of the log.
func (r Reader) OpenSince(beforeMS int64) (out []attempt.Finding, err error) {
	rows, err := r.query(`SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding
		WHERE status <> 'closed' AND at_ms < ? ORDER BY idx`, beforeMS)
	if err != nil {
		return nil, fmt.Errorf("read open findings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		_, f, err := scanFinding(rows)
		if err != nil {
			return nil, fmt.Errorf("read open findings: %w", err)
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// Rise is a finding that has gone up a level while nobody closed it.
type Rise struct {
	Idx     int64 // leaf of the act
	Kind    string
	Finding attempt.Finding
}

// RisesAfter lists the acts of one of two kinds that come after a leaf, in the order of the log, with their findings.
func (r Reader) RisesAfter(idx int64, manager, ciso string, limit int) (out []Rise, err error) {
	rows, err := r.query(`SELECT idx, kind, finding FROM finding_act WHERE idx > ? AND kind IN (?, ?) ORDER BY idx LIMIT ?`, idx, manager, ciso, limit)
	if err != nil {
		return nil, fmt.Errorf("read what has gone up: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var x Rise
		if err := rows.Scan(&x.Idx, &x.Kind, &x.Finding.Idx); err != nil {
			return nil, fmt.Errorf("read what has gone up: %w", err)
		}
		out = append(out, x)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range out {
		switch f, err := r.Finding(out[i].Finding.Idx); {
		case errors.Is(err, ErrNotFound):
			out[i].Finding.Status = attempt.StatusClosed // it is disposed of
		case err != nil:
			return nil, err
		default:
			out[i].Finding = f
		}
	}
	return out, nil
}

// ActKinds lists what was done with a finding, in the order of the log, without the words.
func (r Reader) ActKinds(finding int64) (out []FindingAct, err error) {
	rows, err := r.query(`SELECT idx, finding, kind, account, at_ms FROM finding_act WHERE finding = ? ORDER BY idx`, finding)
	if err != nil {
		return nil, fmt.Errorf("read acts on finding %d: %w", finding, err)
	}
	defer rows.Close()
	for rows.Next() {
		_, a, err := scanFindingAct(rows)
		if err != nil {
			return nil, fmt.Errorf("read acts on finding %d: %w", finding, err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}
