package ingest

import (
	"fmt"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
)

// Told is what telling reads and writes.
type Told interface {
	AppendFinding(f attempt.Finding, o *entrylog.Opening) (int64, error)
	ToldAt(kind, gateway, door string, fromMS, toMS int64, most int) (int, error)
	ToldAsGrave(kind, gateway, door, severity string, fromMS, toMS int64, most int) (int, error)
	ToldOn(kind, gateway, door, detail, severity string, fromMS, toMS int64) (bool, error)
	ToldOf(kind string, id [16]byte) (bool, error)
	Counted(kind, gateway, door, detail string) (store.More, bool, error)
	CountedUntil(nowMS int64) ([]store.More, error)
	PutCounted(m store.More) error
}

// tell writes a finding, unless the same was told or too much of its kind was told at its place: then it is counted, and
// tellCounted says later how many. What was told stands in the log, so a restart in between changes nothing. nowMS is the
// server's clock.
//
// What is graver than all that was told is always told: a suspended card in somebody's purse must not hide a lost one. What is
// counted is told a window (or the day) after the first of it, however much more comes: who goes on must not put it off.
func (p *Pipeline) tell(tx Told, f review.Finding, nowMS int64) error {
	kind, gw, severity := string(f.Kind), string(f.Gateway), f.Severity.String()
	window := p.set.WindowMS
	due, again := int64(0), false
	var err error
	switch f.Once {
	case review.OnceEach:
	case review.OncePerAttempt:
		if again, err = tx.ToldOf(kind, f.Attempt); err != nil || again {
			return err
		}
	case review.OncePerWindow:
		due = nowMS + window
		again, err = tx.ToldOn(kind, gw, string(f.Door), f.Detail, severity, f.AtMS-window+1, f.AtMS+window+1)
	case review.OncePerDay, review.OncePerArrivalDay:
		from, to := p.dayOf(f.AtMS)
		due = to
		if f.Once == review.OncePerArrivalDay {
			f.Door, f.Attempt = "", [16]byte{}
			f.Detail = entrylog.Day(nowMS, p.zone)
			from, to = 0, nowMS+1
			_, due = p.dayOf(nowMS)
		}
		due = max(due, nowMS+window) // of a day that is over: what comes together is told together
		again, err = tx.ToldOn(kind, gw, string(f.Door), f.Detail, severity, from, to)
	}
	if err != nil {
		return err
	}
	if !again {
		n, err := tx.ToldAsGrave(kind, gw, string(f.Door), severity, f.AtMS-window, f.AtMS+window, p.set.Flood)
		if err != nil {
			return err
		}
		again, due = n >= p.set.Flood, max(due, nowMS+window) // around it: records come late and out of turn
	}
	if !again {
		return appendFinding(tx, f)
	}
	m, _, err := tx.Counted(kind, gw, string(f.Door), f.Detail)
	if err != nil {
		return err
	}
	if m.Count == 0 {
		m = store.More{Kind: kind, Gateway: gw, Door: string(f.Door), Detail: f.Detail, Severity: severity, SinceMS: nowMS, DueMS: due}
	}
	m.Count, m.Cause, m.AtMS = m.Count+1, f.Cause, max(m.AtMS, f.AtMS)
	if s, _ := review.ParseSeverity(m.Severity); f.Severity > s {
		m.Severity = severity
	}
	return tx.PutCounted(m)
}

// tellCounted writes the findings that say how many more there were, of what is due.
func (p *Pipeline) tellCounted(tx Told, nowMS int64) error {
	due, err := tx.CountedUntil(nowMS)
	if err != nil {
		return err
	}
	for _, m := range due {
		_, err := tx.AppendFinding(attempt.Finding{
			Kind: m.Kind, Severity: m.Severity, Gateway: m.Gateway, Door: m.Door, Cause: m.Cause, Detail: review.Counted(m.Detail, m.Count), AtMS: m.AtMS,
		}, nil)
		if err != nil {
			return fmt.Errorf("log finding %s: %w", m.Kind, err)
		}
		m.Count = 0
		if err := tx.PutCounted(m); err != nil {
			return err
		}
	}
	return nil
}

// dayOf is the site day that holds a moment, [from, to) in UTC ms.
func (p *Pipeline) dayOf(ms int64) (from, to int64) {
	t := timeIn(ms, p.zone)
	y, m, d := t.Date()
	return dateIn(y, m, d, p.zone), dateIn(y, m, d+1, p.zone)
}
