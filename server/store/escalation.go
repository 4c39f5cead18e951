package store

import (
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
