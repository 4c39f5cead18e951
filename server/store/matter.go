package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/card"
	"monban/server/entrylog"
	"monban/server/visit"
)

// MatterTarget is the target of every action leaf that moves a matter.
const MatterTarget = "matter"

// Matter is one matter (案件) as jobs look for it: a visit, a temporary card, a carry session and so on. What it says
// stands in the opening of leaf Idx: MatterText.
type Matter struct {
	ID      string // kind-fiscal year-number; made by NextMatterID
	Kind    string // machine word
	State   string // machine word
	Open    bool   // something is still to come
	Zone    string
	Doors   []string
	FromMS  int64 // span in which it counts, UTC ms
	UntilMS int64 // exclusive; 0 = while it is open
	First   int64 // leaf that began it
	Idx     int64 // leaf whose opening says how it stands
}

// MatterText is what the opening of a matter's leaf holds as text: the row as that leaf leaves it, the reason that was
// given for the step, and the whole matter after it. verify rebuilds the rows from it.
type MatterText struct {
	ID      string          `json:"id"`
	Kind    string          `json:"kind"`
	State   string          `json:"state"`
	Open    bool            `json:"open"`
	Zone    string          `json:"zone,omitempty"`
	Doors   []string        `json:"doors,omitempty"`
	FromMS  int64           `json:"from_ms"`
	UntilMS int64           `json:"until_ms"`
	Reason  string          `json:"reason,omitempty"`
	Doc     json.RawMessage `json:"doc"`
}

// Matter gives the row that the text describes, without its leaves.
func (t *MatterText) Matter() Matter {
	return Matter{ID: t.ID, Kind: t.Kind, State: t.State, Open: t.Open, Zone: t.Zone, Doors: t.Doors, FromMS: t.FromMS, UntilMS: t.UntilMS}
}

const matterColumns = `id, kind, state, open, zone, doors, from_ms, until_ms, first_idx, idx`

func scanMatter(scan func(...any) error) (m Matter, err error) {
	var doors string
	err = scan(&m.ID, &m.Kind, &m.State, &m.Open, &m.Zone, &doors, &m.FromMS, &m.UntilMS, &m.First, &m.Idx)
	if doors != "" {
		m.Doors = strings.Split(doors, " ")
	}
	return m, found(err)
}

// Matter reads one matter; ErrNotFound.
func (r Reader) Matter(id string) (Matter, error) {
	return scanMatter(r.row(`SELECT `+matterColumns+` FROM matter WHERE id = ?`, id).Scan)
}

// MatterBegunBy reads the matter that a leaf began; ErrNotFound.
func (r Reader) MatterBegunBy(leaf int64) (Matter, error) {
	return scanMatter(r.row(`SELECT `+matterColumns+` FROM matter WHERE first_idx = ?`, leaf).Scan)
}

// OpenMatters lists the matters of a kind of which something is still to come, oldest first; "" is every kind.
func (r Reader) OpenMatters(kind string) ([]Matter, error) {
	if kind == "" {
		return r.matters(`SELECT ` + matterColumns + ` FROM matter WHERE open = 1 ORDER BY kind, from_ms, id`)
	}
	return r.matters(`SELECT `+matterColumns+` FROM matter WHERE open = 1 AND kind = ? ORDER BY from_ms, id`, kind)
}

// MattersBetween lists the matters of a kind that begin in [fromMS, toMS), oldest first.
func (r Reader) MattersBetween(kind string, fromMS, toMS int64) ([]Matter, error) {
	return r.matters(`SELECT `+matterColumns+` FROM matter WHERE kind = ? AND from_ms >= ? AND from_ms < ? ORDER BY from_ms, id`, kind, fromMS, toMS)
}

// MattersAt lists the matters of a kind whose span holds a moment, UTC ms, whether they are closed by now or not. One
// that is open without an end holds every moment from its beginning.
func (r Reader) MattersAt(kind string, atMS int64) ([]Matter, error) {
	return r.matters(`SELECT `+matterColumns+` FROM matter WHERE kind = ? AND from_ms <= ? AND (until_ms > ? OR until_ms = 0 AND open = 1)
		ORDER BY from_ms, id`, kind, atMS, atMS)
}

// MatterAtDoor reports whether a matter of a kind held a door at a moment, UTC ms.
func (r Reader) MatterAtDoor(kind, door string, atMS int64) (bool, error) {
	list, err := r.MattersAt(kind, atMS)
	return slices.ContainsFunc(list, func(m Matter) bool { return slices.Contains(m.Doors, door) }), err
}

func (r Reader) matters(q string, args ...any) ([]Matter, error) {
	rows, err := r.query(q, args...)
	if err != nil {
		return nil, fmt.Errorf("read matters: %w", err)
	}
	defer rows.Close()
	var out []Matter
	for rows.Next() {
		m, err := scanMatter(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read matters: %w", err)
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// MatterText reads what the leaf idx says of its matter; ErrErased when its key is gone.
func (r Reader) MatterText(idx int64) (MatterText, error) {
	o, err := r.Opening(idx)
	if err != nil {
		return MatterText{}, err
	}
	return parseMatterText(&o)
}

func parseMatterText(o *entrylog.Opening) (t MatterText, err error) {
	if err := json.Unmarshal([]byte(o.Text), &t); err != nil {
		return t, fmt.Errorf("matter: %w", err)
	}
	if t.ID == "" || t.ID != o.Target {
		return t, errors.New("matter: the opening's target is another")
	}
	return t, nil
}

// NextMatterID gives the next free id of a kind in a fiscal year: visit-2026-00001.
func (tx *Tx) NextMatterID(kind string, fiscalYear int) (string, error) {
	prefix := fmt.Sprintf("%s-%04d-", kind, fiscalYear)
	var last string
	// '.' is the character after '-'. The number has five digits, so that ids sort as they were given.
	err := tx.row(`SELECT coalesce(max(id), '') FROM matter WHERE id >= ? AND id < ?`, prefix, prefix[:len(prefix)-1]+".").Scan(&last)
	if err != nil {
		return "", fmt.Errorf("number a %s: %w", kind, err)
	}
	n := 0
	if last != "" {
		if n, err = strconv.Atoi(strings.TrimPrefix(last, prefix)); err != nil {
			return "", fmt.Errorf("number a %s: %w", kind, err)
		}
	}
	if n >= 99999 {
		return "", fmt.Errorf("number a %s: all numbers of the fiscal year are taken", kind)
	}
	return fmt.Sprintf("%s%05d", prefix, n+1), nil
}

// PutMatter writes a step of a matter: the action leaf, whose opening holds t, and the row. prev is the row as it was
// read in this transaction, the zero Matter for a new one; ErrNotFound when the row has moved since. a.Target, o.Target
// and o.Text are set here.
func (tx *Tx) PutMatter(prev Matter, t MatterText, a entrylog.Action, o entrylog.Opening) (Matter, error) {
	text, err := json.Marshal(&t)
	if err != nil {
		return Matter{}, fmt.Errorf("matter %s: %w", t.ID, err)
	}
	a.Target, o.Target, o.Text = MatterTarget, t.ID, string(text)
	idx, err := tx.AppendAction(a, &o)
	if err != nil {
		return Matter{}, fmt.Errorf("matter %s: %w", t.ID, err)
	}
	m := t.Matter()
	m.First, m.Idx = idx, idx
	doors := strings.Join(m.Doors, " ")
	if prev.ID == "" {
		_, err := tx.exec(`INSERT INTO matter (`+matterColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			m.ID, m.Kind, m.State, m.Open, m.Zone, doors, m.FromMS, m.UntilMS, m.First, m.Idx)
		if err != nil {
			return Matter{}, fmt.Errorf("insert matter: %w", unique(err))
		}
		return m, nil
	}
	m.First = prev.First
	res, err := tx.exec(`UPDATE matter SET state = ?, open = ?, zone = ?, doors = ?, from_ms = ?, until_ms = ?, idx = ? WHERE id = ? AND kind = ? AND idx = ?`,
		m.State, m.Open, m.Zone, doors, m.FromMS, m.UntilMS, m.Idx, m.ID, m.Kind, prev.Idx)
	return m, changedOne("move matter", res, err)
}

// CauseFound reports whether a finding of this kind with this cause and detail was ever made, closed or not: what is
// overdue is told once.
func (r Reader) CauseFound(kind string, cause int64, detail string) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = ? AND cause = ? AND detail = ?)`, kind, cause, detail).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// FoundAfter reports whether a finding of this kind with this detail was made after a leaf, closed or not.
func (r Reader) FoundAfter(kind, detail string, idx int64) (bool, error) {
	var n int
	err := r.row(`SELECT EXISTS (SELECT 1 FROM finding WHERE kind = ? AND detail = ? AND idx > ?)`, kind, detail, idx).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for finding %s: %w", kind, err)
	}
	return n == 1, nil
}

// loanDays is how long before a moment a badge may have been lent and still be out.
const loanDays = 31

// LoanAt tells whose a lent badge was at a moment, UTC ms; false when the card is no badge or was in the drawer. What can no
// longer be read was nobody's.
func (r Reader) LoanAt(ref card.Ref, atMS int64) (visit.Loan, bool, error) {
	b, err := r.BadgeByRef(ref)
	if errors.Is(err, ErrNotFound) {
		return visit.Loan{}, false, nil
	}
	if err != nil {
		return visit.Loan{}, false, err
	}
	for _, kind := range []string{visit.KindVisit, visit.KindTemporary} {
		// Reception may begin before the window does.
		rows, err := r.MattersBetween(kind, atMS-loanDays*24*3_600_000, atMS+24*3_600_000)
		if err != nil {
			return visit.Loan{}, false, err
		}
		for _, row := range slices.Backward(rows) {
			text, err := r.MatterText(row.Idx)
			if err != nil {
				continue
			}
			m, err := visit.Decode(kind, text.Doc)
			if err != nil {
				continue
			}
			if l, ok := m.(interface {
				LoanAt(badge string, atMS int64) (visit.Loan, bool)
			}).LoanAt(b.ID, atMS); ok {
				l.Masked = b.Masked
				err := r.nameLoan(&l)
				return l, true, err
			}
		}
	}
	return visit.Loan{}, false, nil
}

// nameLoan fills in who the directory knows.
func (r Reader) nameLoan(l *visit.Loan) error {
	if l.Name != "" {
		return nil
	}
	var section string
	err := found(r.row(`SELECT name, section, company, category FROM person WHERE id = ?`, string(l.Person)).Scan(&l.Name, &section, &l.Company, &l.Category))
	if errors.Is(err, ErrNotFound) {
		return nil // left the directory since; the id stays
	}
	if l.Company == "" {
		l.Company = section
	}
	return err
}
