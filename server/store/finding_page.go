package store

import (
	"fmt"
	"slices"

	"monban/server/attempt"
)

// FindingPlace is where one finding stands in its list.
type FindingPlace struct {
	Rank int // 0 high, 1 medium, 2 low; of a closed one 0
	AtMS int64
	Idx  int64
}

// FindingList asks for one page of findings: those that wait, the most severe and among them the oldest first; or those that are closed, the
// newest first.
type FindingList struct {
	In            *Within // nil = the whole site
	AlsoRisen     bool    // beside these, what has gone up to the CISO office in Risen (VR-3)
	Risen         *Within // nil = the whole site
	Closed        bool
	Duress        bool   // with the silent alerts (AD-13)
	Kind          string // "" = every kind
	Door          string // "" = every place of In
	FromMS, ToMS  int64  // when it happened, from ≤ t < to; 0 = without that end
	After, Before *FindingPlace
	Limit         int
}

// waits orders what waits. The index finding_waiting has it.
const waits = `CASE severity WHEN 'high' THEN 0 WHEN 'medium' THEN 1 ELSE 2 END`

// FindingPage reads one page; more says whether the list goes on in the direction that was asked for. It reads no more rows than it gives and
// those between them that the filters leave out: an index has the order.
func (r Reader) FindingPage(q FindingList) (list []attempt.Finding, more bool, err error) {
	text, args, err := q.query()
	if err != nil {
		return nil, false, err
	}
	rows, err := r.query(text, args...)
	if err != nil {
		return nil, false, fmt.Errorf("read findings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		_, f, err := scanFinding(rows)
		if err != nil {
			return nil, false, fmt.Errorf("read findings: %w", err)
		}
		list = append(list, f)
	}
	if more = len(list) > q.Limit; more {
		list = list[:q.Limit]
	}
	if q.Before != nil {
		slices.Reverse(list)
	}
	return list, more, rows.Err()
}

// query is the text of one page. Each list is a path along one index; the way back is the same path the other way.
func (q *FindingList) query() (text string, args []any, err error) {
	text, args, err = q.where()
	if err != nil {
		return "", nil, err
	}
	at, back := q.After, q.Before != nil
	if back {
		at = q.Before
	}
	order, than := "", ">"
	if q.Closed != back {
		order, than = " DESC", "<"
	}
	columns, place := "at_ms"+order+", idx"+order, `(at_ms, idx) `+than+` (?, ?)`
	if !q.Closed {
		columns, place = waits+order+", "+columns, `(`+waits+`, at_ms, idx) `+than+` (?, ?, ?)`
	}
	if at != nil {
		text += ` AND ` + place
		if !q.Closed {
			args = append(args, at.Rank)
		}
		args = append(args, at.AtMS, at.Idx)
	}
	return `SELECT idx, kind, severity, gateway, door, attempt, cause, detail, at_ms, day, status, status_idx FROM finding INDEXED BY ` + q.index() + ` WHERE ` + text +
		` ORDER BY ` + columns + ` LIMIT ?`, append(args, q.Limit+1), nil
}

// CountWaiting counts the findings of a list that wait.
func (r Reader) CountWaiting(q FindingList) (n int, err error) {
	q.Closed = false
	where, args, err := q.where()
	if err != nil {
		return 0, err
	}
	if err := r.row(`SELECT count(*) FROM finding INDEXED BY finding_waiting WHERE `+where, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count findings: %w", err)
	}
	return n, nil
}

// index is the one that has the list's order. It is named, so that no statistics of a table make the server sort it.
func (q *FindingList) index() string {
	switch {
	case !q.Closed:
		return "finding_waiting"
	case q.Door != "":
		return "finding_closed_door"
	case q.Kind != "":
		return "finding_closed_kind"
	}
	return "finding_closed"
}

// where leaves out what was not asked for. Each question is a text of its own: only so an index with a condition is taken.
func (q *FindingList) where() (text string, args []any, err error) {
	text = `status <> 'closed'`
	if q.Closed {
		text = `status = 'closed'`
	}
	if !q.Duress {
		text += ` AND kind <> 'duress'`
	}
	add := func(condition string, arg any) { text, args = text+` AND `+condition, append(args, arg) }
	if q.Kind != "" {
		add(`kind = ?`, q.Kind)
	}
	if q.Door != "" {
		add(`door = ?`, q.Door)
	}
	if q.FromMS != 0 {
		add(`at_ms >= ?`, q.FromMS)
	}
	if q.ToMS != 0 {
		add(`at_ms < ?`, q.ToMS)
	}
	if q.In != nil {
		in, err := q.In.args()
		if err != nil {
			return "", nil, err
		}
		where := findingsWithin
		if q.AlsoRisen {
			risen, err := q.Risen.args()
			if err != nil {
				return "", nil, err
			}
			where, in = where+` OR `+findingsRisen+` AND `+findingsWithin, slices.Concat(in, risen)
		}
		text, args = text+` AND (`+where+`)`, append(args, in...)
	}
	return text, args, nil
}

// PlaceOf is where a finding stands in its list.
func PlaceOf(f *attempt.Finding) FindingPlace {
	p := FindingPlace{AtMS: f.AtMS, Idx: f.Idx}
	if f.Status != attempt.StatusClosed {
		p.Rank = map[string]int{"high": 0, "medium": 1}[f.Severity]
		if f.Severity != "high" && f.Severity != "medium" {
			p.Rank = 2
		}
	}
	return p
}
