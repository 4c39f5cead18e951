package directory

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strings"

	"monban/firmware/access"
	"monban/firmware/card"
)

// Row is a row of the directory as an import file or a page's form has it: values by column name.
type Row struct {
	ID     string
	Values map[string]string
}

// Rows gives the rows of a kind in order. A value that is the ordinary one may be "". Lists (members, workers) are
// one value with blanks between; the windows of a schedule stand in Schedule only.
func (s *Snapshot) Rows(k Kind) (out []Row) {
	for _, c := range Diff(Snapshot{}, *s) {
		if kindOfNoun[c.Noun()] != k {
			continue
		}
		r := Row{ID: c.ID(), Values: map[string]string{}}
		for _, f := range c.all() {
			r.Values[f.Name] = f.Is
		}
		out = append(out, r)
	}
	return out
}

// ImportForm is Import of one form: rows of a kind, values by column name. A form is whole: an optional text that is
// empty becomes empty, where a file's empty cell would keep what stands. Line n+2 of a problem is row n.
func ImportForm(base Snapshot, kind Kind, rows []map[string]string, cfg ImportConfig) (Snapshot, []Change, error) {
	columns := columnsOf(kind)
	if len(columns) == 0 {
		return base, nil, fmt.Errorf("form: %q is no kind of row", kind)
	}
	head := make([]string, 0, len(columns))
	for _, c := range columns {
		head = append(head, c.name)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{head}
	for _, r := range rows {
		line := make([]string, 0, len(head))
		for _, name := range head {
			line = append(line, strings.ToValidUTF8(r[name], "\ufffd"))
		}
		lines = append(lines, line)
	}
	if err := w.WriteAll(lines); err != nil {
		return base, nil, fmt.Errorf("form: %w", err)
	}
	cfg.whole = true
	return Import(base, []File{{Name: "form", Kind: kind, Data: b.Bytes()}}, cfg)
}

// text reads a cell that may be empty.
func (d *draft) text(r *row, column, old string) string {
	if d.cfg.whole {
		return r.get(column)
	}
	return orOld(r.get(column), old)
}

// Fit says how far the cards of the people with rights in a zone fit what it asks for (AD-4): each of those who are
// refused is counted once, by the best of their cards.
type Fit struct {
	People int // active people with rights there
	NoCard int // without an active card
	Weak   int // whose cards prove less than the zone asks for
	NoPIN  int // who are asked for a PIN and have none
}

// Refused is how many of them the zone refuses.
func (f Fit) Refused() int { return f.NoCard + f.Weak + f.NoPIN }

// FitOf looks at the people with rights in a zone, by what is in force on a day.
func (s *Snapshot) FitOf(zone access.ZoneID, day Date) (f Fit) {
	force := s.InForce(day)
	at := -1
	for i := range force.Zones {
		if force.Zones[i].ID == zone {
			at = i
		}
	}
	if at < 0 {
		return f
	}
	z := &force.Zones[at]
	const (
		none = iota
		weak
		noPIN
		good
	)
	best := map[PersonID]int{}
	for i := range s.Credentials {
		c := &s.Credentials[i]
		rank := good
		switch {
		case c.Status != access.CredentialActive || !covers(c.ValidFrom, c.ValidUntil, day):
			continue
		case c.Assurance < z.MinAssurance:
			rank = weak
		case z.PINAlways && c.PIN == (card.PINRef{}):
			rank = noPIN
		}
		best[c.Person] = max(best[c.Person], rank)
	}
	people := byID(s.People, func(p *Person) PersonID { return p.ID })
	for _, id := range s.Holders(zone) {
		if p := people[id]; p == nil || !p.Active {
			continue
		}
		f.People++
		switch best[id] {
		case none:
			f.NoCard++
		case weak:
			f.Weak++
		case noPIN:
			f.NoPIN++
		}
	}
	return f
}

// LeastOf gives what a level asks of a zone at least, by column of a zone (AD-3).
func LeastOf(level int) map[string]string {
	out := map[string]string{}
	for _, f := range zoneFields(Preset(level)) {
		out[f.Name] = f.Is
	}
	return out
}

// Remove takes one row out by its identifier, of the kinds that pages remove: closed days, groups, contracts,
// exceptions, schedules and zones. Validate refuses what something else still names.
func (s *Snapshot) Remove(k Kind, id string) error {
	for _, c := range Diff(Snapshot{}, *s) {
		if kindOfNoun[c.Noun()] != k || c.ID() != id {
			continue
		}
		switch k {
		case KindClosedDays, KindGroups, KindContracts, KindExceptions, KindSchedules, KindZones:
			c.Op = OpRemove
			c.Apply(s)
			return nil
		default:
			return fmt.Errorf("%s are not removed", k)
		}
	}
	return fmt.Errorf("%s %s: %w", k, id, ErrNoSuch)
}
