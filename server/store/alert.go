package store

import (
	"fmt"
	"slices"
	"time"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/review"

	"monban/server/notify/route"
)

// alertCursor is the setting that holds the leaf up to which findings have been looked at.
const alertCursor = "alerts.cursor"

const alertColumns = `id, kind, severity, gateway, door, route, count, told, first_ms, last_ms, last_idx, window_ms, held, level, escalate_ms, acked_ms, acked_by, digest_ms, done, zone`

// Alert is a stored alert and who acknowledged it.
type Alert struct {
	route.Alert
	AckedBy string // account, "" = by taking the case, or nobody
}

func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func msOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func scanAlert(scan func(...any) error) (a Alert, err error) {
	var severity string
	var first, last, window, escalate, acked, digest int64
	err = scan(&a.ID, &a.Kind, &severity, &a.Gateway, &a.Door, &a.Route, &a.Count, &a.Told, &first, &last, &a.LastID, &window, &a.Held, &a.Level, &escalate, &acked, &a.AckedBy, &digest, &a.Done, &a.Zone)
	a.Severity, _ = review.ParseSeverity(severity) // unknown reads high
	a.First, a.Last, a.Window, a.Escalate, a.Acked, a.Digest = timeOf(first), timeOf(last), timeOf(window), timeOf(escalate), timeOf(acked), timeOf(digest)
	return a, found(err)
}

func (r Reader) alerts(q string, args ...any) (out []Alert, err error) {
	rows, err := r.query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		a, err := scanAlert(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read alerts: %w", err)
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// OpenAlerts lists the alerts that are not done, oldest first.
func (r Reader) OpenAlerts() ([]Alert, error) {
	return r.alerts(`SELECT ` + alertColumns + ` FROM alert WHERE done = 0 ORDER BY id`)
}

// AlertsIn lists alerts of a part of the site, nil = all of it, newest first: those that were told and that nobody has
// acknowledged, or all others. duress: those of a PIN under duress too (AD-13).
func (r Reader) AlertsIn(in *Within, waiting, duress bool, skip, limit int) ([]Alert, error) {
	args, err := in.args()
	if err != nil {
		return nil, err
	}
	which := `NOT (held = '' AND acked_ms = 0)`
	if waiting {
		which = `done = 0 AND held = '' AND acked_ms = 0`
	}
	return r.alerts(`SELECT `+alertColumns+` FROM alert WHERE `+which+` AND (? OR kind <> 'duress')
		AND (? OR EXISTS (SELECT 1 FROM finding WHERE idx = alert.id AND `+findingsWithin+`))
		ORDER BY id DESC LIMIT ? OFFSET ?`, slices.Concat([]any{duress, in == nil}, args, []any{limit, skip})...)
}

// Alerts lists alerts, newest first. duress: those of a PIN under duress too (AD-13).
func (r Reader) Alerts(duress bool, limit int) ([]Alert, error) {
	return r.alerts(`SELECT `+alertColumns+` FROM alert WHERE ? OR kind <> 'duress' ORDER BY id DESC LIMIT ?`, duress, limit)
}

// Alert reads one; ErrNotFound.
func (r Reader) Alert(id int64) (Alert, error) {
	return scanAlert(r.row(`SELECT `+alertColumns+` FROM alert WHERE id = ?`, id).Scan)
}

// AlertsDue reports whether there is something for the routing to do at now: a finding above the cursor, an alert whose
// time has come or was set by a clock that was ahead, or one whose case somebody has taken.
func (r Reader) AlertsDue(cursor int64, now time.Time) (due bool, err error) {
	err = r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE idx > ?) OR EXISTS (SELECT 1 FROM alert WHERE done = 0 AND next_ms > 0 AND (next_ms <= ? OR last_ms > ?))
		OR EXISTS (SELECT 1 FROM alert a JOIN finding f ON f.idx = a.id WHERE a.done = 0 AND a.acked_ms = 0 AND a.held = '' AND f.status <> 'open')`,
		cursor, now.UnixMilli(), now.UnixMilli()+clockPlay).Scan(&due)
	return due, err
}

// FindingsAfter lists findings whose leaf comes after idx, in the order of the log.
func (r Reader) FindingsAfter(idx int64, limit int) (list []attempt.Finding, err error) {
	rows, err := r.query(`SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding WHERE idx > ? ORDER BY idx LIMIT ?`, idx, limit)
	if err != nil {
		return nil, fmt.Errorf("read findings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		_, f, err := scanFinding(rows)
		if err != nil {
			return nil, fmt.Errorf("read findings: %w", err)
		}
		list = append(list, f)
	}
	return list, rows.Err()
}

// HandledAlerts lists the alerts that nobody has acknowledged and whose case somebody has taken or closed.
func (r Reader) HandledAlerts() (ids []int64, err error) {
	rows, err := r.query(`SELECT a.id FROM alert a JOIN finding f ON f.idx = a.id WHERE a.done = 0 AND a.acked_ms = 0 AND a.held = '' AND f.status <> 'open'`)
	if err != nil {
		return nil, fmt.Errorf("read alerts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read alerts: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// LastFindingBefore is the newest leaf of a finding from before a moment; -1 when there is none.
func (r Reader) LastFindingBefore(at time.Time) (idx int64, err error) {
	err = r.row(`SELECT coalesce(max(idx), -1) FROM finding WHERE at_ms < ?`, at.UnixMilli()).Scan(&idx)
	return idx, err
}

// AlertCursor is the leaf up to which findings have been routed; ErrNotFound before the first time.
func (r Reader) AlertCursor() (idx int64, err error) {
	err = r.row(`SELECT CAST(value AS INTEGER) FROM setting WHERE key = ?`, alertCursor).Scan(&idx)
	return idx, found(err)
}

// SetAlertCursor moves it.
func (tx *Tx) SetAlertCursor(idx int64) error { return tx.SetSetting(alertCursor, fmt.Sprint(idx)) }

// PutAlert stores an alert as it stands. Who acknowledged it is AcknowledgeAlert's.
func (tx *Tx) PutAlert(a *route.Alert) error {
	_, err := tx.exec(`INSERT INTO alert (`+alertColumns+`, next_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET severity = excluded.severity, count = excluded.count, told = excluded.told, last_ms = excluded.last_ms, last_idx = excluded.last_idx,
		window_ms = excluded.window_ms, held = excluded.held, level = excluded.level, escalate_ms = excluded.escalate_ms, acked_ms = excluded.acked_ms,
		digest_ms = excluded.digest_ms, done = excluded.done, next_ms = excluded.next_ms`,
		a.ID, string(a.Kind), a.Severity.String(), a.Gateway, a.Door, a.Route, a.Count, a.Told, msOf(a.First), msOf(a.Last), a.LastID, msOf(a.Window), string(a.Held),
		a.Level, msOf(a.Escalate), msOf(a.Acked), msOf(a.Digest), a.Done, a.Zone, msOf(a.Next()))
	if err != nil {
		return fmt.Errorf("store alert %d: %w", a.ID, err)
	}
	return nil
}

// AcknowledgeAlert says who has seen an alert; ErrNotFound when there is none that waits.
func (tx *Tx) AcknowledgeAlert(id int64, account string, at time.Time) error {
	res, err := tx.exec(`UPDATE alert SET acked_ms = ?, acked_by = ?, next_ms = CASE WHEN window_ms > 0 THEN window_ms ELSE ? END WHERE id = ? AND acked_ms = 0`,
		at.UnixMilli(), account, at.UnixMilli(), id)
	return changedOne("acknowledge alert", res, err)
}

// AlertSilence is a stored silence.
type AlertSilence struct {
	route.Silence
	Account string
	Reason  string // from the opening; "" when it is erased
}

// InsertSilence writes the silence and its leaf; ID is set here.
func (tx *Tx) InsertSilence(s AlertSilence, leaf entrylog.Action, o *entrylog.Opening) (int64, error) {
	idx, err := tx.AppendAction(leaf, o)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`INSERT INTO alert_silence (idx, kind, gateway, door, from_ms, until_ms, account) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		idx, string(s.Kind), s.Gateway, s.Door, s.From.UnixMilli(), s.Until.UnixMilli(), s.Account)
	if err != nil {
		return 0, fmt.Errorf("insert silence: %w", err)
	}
	return idx, nil
}

// EndSilence ends a silence that is still in force; ErrNotFound when none is.
func (tx *Tx) EndSilence(idx int64, at time.Time) error {
	res, err := tx.exec(`UPDATE alert_silence SET until_ms = ? WHERE idx = ? AND until_ms > ?`, at.UnixMilli(), idx, at.UnixMilli())
	return changedOne("end silence", res, err)
}

// Silences lists at most limit of those that end after a moment, newest first; a negative limit = all.
func (r Reader) Silences(after time.Time, limit int) (out []AlertSilence, err error) {
	rows, err := r.query(`SELECT idx, kind, gateway, door, from_ms, until_ms, account FROM alert_silence WHERE until_ms > ? ORDER BY idx DESC LIMIT ?`, after.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s AlertSilence
		var from, until int64
		if err := rows.Scan(&s.ID, &s.Kind, &s.Gateway, &s.Door, &from, &until, &s.Account); err != nil {
			return nil, fmt.Errorf("read silences: %w", err)
		}
		s.From, s.Until = time.UnixMilli(from), time.UnixMilli(until)
		out = append(out, s)
	}
	return out, rows.Err()
}
