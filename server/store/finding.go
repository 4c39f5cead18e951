package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"monban/server/attempt"
)

// Findings lists findings: open ones first, then the severe, then the newest. closed=false leaves
// closed ones out. total counts all that match. The silent alert of a PIN given under duress is not
// among them: see FindingsWithDuress.
func (r Reader) Findings(closed bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	return r.FindingsIn(nil, closed, false, skip, limit)
}

// FindingsWithDuress is Findings for the security officer, the only one who is shown that a PIN was
// given under duress (AD-13, D10).
func (r Reader) FindingsWithDuress(closed bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	return r.FindingsIn(nil, closed, true, skip, limit)
}

// Within is a part of the site. A finding lies in it by its door, else by its gateway, else by its zones (findingZones).
type Within struct{ Doors, Gateways, Zones []string }

// findingsWithin is true of the findings that lie in a part of the site.
const findingsWithin = `(? OR CASE WHEN door <> '' THEN door IN (SELECT value FROM json_each(?))
	WHEN gateway <> '' THEN gateway IN (SELECT value FROM json_each(?))
	ELSE EXISTS (SELECT 1 FROM ` + findingZones + ` WHERE zone IN (SELECT value FROM json_each(?))) END)`

func (w *Within) args() ([]any, error) {
	if w == nil {
		return []any{true, "[]", "[]", "[]"}, nil
	}
	out := []any{false}
	for _, list := range [][]string{w.Doors, w.Gateways, w.Zones} {
		text, err := json.Marshal(slices.Concat([]string{}, list))
		if err != nil {
			return nil, err
		}
		out = append(out, string(text))
	}
	return out, nil
}

// FindingWithin reports whether a finding lies in a part of the site, nil = all of it.
func (r Reader) FindingWithin(idx int64, in *Within) (is bool, err error) {
	args, err := in.args()
	if err != nil || in == nil {
		return err == nil, err
	}
	err = r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE idx = ? AND `+findingsWithin+`)`, append([]any{idx}, args...)...).Scan(&is)
	return is, err
}

// findingsRisen is true of the findings that have gone up to the CISO office, and of what says that some have (VR-3).
const findingsRisen = `(kind = 'items_overdue' OR EXISTS (SELECT 1 FROM finding_act a WHERE a.finding = finding.idx AND a.kind = 'finding_to_ciso'))`

// FindingsIn lists the findings of a part of the site, nil = all of it, with the silent alerts or without.
func (r Reader) FindingsIn(in *Within, closed, duress bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	return r.FindingsWithRisen(in, &Within{}, closed, duress, skip, limit)
}

// FindingsWithRisen is FindingsIn, and beside it what has gone up to the CISO office in another part of the site.
func (r Reader) FindingsWithRisen(in, risen *Within, closed, duress bool, skip, limit int) (list []attempt.Finding, total int, err error) {
	args, err := in.args()
	if err != nil {
		return nil, 0, err
	}
	more, err := risen.args()
	if err != nil {
		return nil, 0, err
	}
	args = slices.Concat([]any{duress}, args, more)
	which := `(? OR kind <> 'duress') AND (` + findingsWithin + ` OR ` + findingsWithin + ` AND ` + findingsRisen + `)`
	if !closed {
		which = `status <> 'closed' AND ` + which // as a text, so that the index of what waits is taken
	}
	if err := r.row(`SELECT count(*) FROM finding WHERE `+which, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count findings: %w", err)
	}
	rows, err := r.query(`SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding
		WHERE `+which+`
		ORDER BY status = 'closed', CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END, idx DESC
		LIMIT ? OFFSET ?`, append(args, limit, skip)...)
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
