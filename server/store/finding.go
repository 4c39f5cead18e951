package store

import (
	"errors"
	"fmt"

	"monban/server/attempt"
)

// Findings lists findings: open ones first, then the severe, then the newest. closed=false leaves
// closed ones out. total counts all that match. The silent alert of a PIN given under duress is not
// among them: see FindingsWithDuress.
func (r Reader) Findings(closed bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	return r.findings(closed, false, skip, limit)
}

// FindingsWithDuress is Findings for the security officer, the only one who is shown that a PIN was
// given under duress (AD-13, D10).
func (r Reader) FindingsWithDuress(closed bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	return r.findings(closed, true, skip, limit)
}

func (r Reader) findings(closed, duress bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	if err := r.row(`SELECT count(*) FROM finding WHERE (? OR status <> 'closed') AND (? OR kind <> 'duress')`, closed, duress).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count findings: %w", err)
	}
	rows, err := r.query(`SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding
		WHERE (? OR status <> 'closed') AND (? OR kind <> 'duress')
		ORDER BY status = 'closed', CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, idx DESC
		LIMIT ? OFFSET ?`, closed, duress, limit, skip)
	if err != nil {
		return nil, 0, fmt.Errorf("read findings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		_, f, err := scanFinding(rows)
		if err != nil {
			return nil, 0, fmt.Errorf("read findings: %w", err)
		}
		list = append(list, f)
	}
	return list, total, rows.Err()
}

// Finding reads one finding; ErrNotFound.
func (r Reader) Finding(idx int64) (f attempt.Finding, err error) {
	rows, err := r.query(`SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding WHERE idx = ?`, idx)
	if err != nil {
		return f, fmt.Errorf("read finding %d: %w", idx, err)
	}
	defer rows.Close()
	if !rows.Next() {
		return f, errors.Join(rows.Err(), ErrNotFound)
	}
	_, f, err = scanFinding(rows)
	return f, err
}
