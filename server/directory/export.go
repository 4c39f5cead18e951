package directory

import (
	"bytes"
	"encoding/csv"
	"strings"

	"golang.org/x/text/encoding/japanese"
)

// ExportKinds lists what can be exported, in reading order. Cards are there without what is inside them.
func ExportKinds() []Kind { return Kinds() }

// Export writes the rows of a kind as CSV in UTF-8 with a byte order mark, CRLF, English column heads. A cell
// that a spreadsheet would take for a formula is escaped with an apostrophe. A card's number, reference and
// PIN are never in it.
func (s *Snapshot) Export(k Kind) ([]byte, error) { return s.ExportRows(k, nil) }

// ExportRows is Export of the rows that keep is true for; nil = all.
func (s *Snapshot) ExportRows(k Kind, keep func(*Change) bool) ([]byte, error) {
	var rows [][]string
	for _, c := range Diff(Snapshot{}, *s) {
		if kindOfNoun[c.Noun()] != k || keep != nil && !keep(&c) {
			continue
		}
		fields := c.all()
		if rows == nil {
			head := []string{"id"}
			for _, f := range fields {
				head = append(head, f.Name)
			}
			rows = append(rows, head)
		}
		line := []string{c.ID()}
		for _, f := range fields {
			line = append(line, f.Is)
		}
		rows = append(rows, line)
	}
	return WriteCSV(rows)
}

var kindOfNoun = map[string]Kind{
	"zone": KindZones, "gateway": KindGateways, "schedule": KindSchedules, "closed_day": KindClosedDays, "person": KindPeople, "card": KindCards,
	"door": KindDoors, "grant": KindGrants, "conditions": KindConditions, "group": KindGroups, "contract": KindContracts,
	"exception": KindExceptions, "item": KindItems, "enrolment": KindEnrolments, "transfer": KindTransfers,
}

// Values gives every value of the row, the empty ones too, as people see them: a card's number or reference is never among them.
func (c *Change) Values() []Field { return c.all() }

// all gives every value of the row, the empty ones too.
func (c *Change) all() []Field {
	switch {
	case c.Zone != nil:
		return zoneFields(*c.Zone)
	case c.Gateway != nil:
		return gatewayFields(*c.Gateway)
	case c.Schedule != nil:
		return scheduleFields(*c.Schedule)
	case c.ClosedDay != nil:
		return closedDayFields(*c.ClosedDay)
	case c.Person != nil:
		return personFields(*c.Person)
	case c.Credential != nil:
		return credentialFields(*c.Credential)
	case c.Door != nil:
		return doorFields(*c.Door)
	case c.Grant != nil:
		return grantFields(*c.Grant)
	case c.Conditions != nil:
		return conditionsFields(*c.Conditions)
	case c.Group != nil:
		return groupFields(*c.Group)
	case c.Contract != nil:
		return contractFields(*c.Contract)
	case c.Exception != nil:
		return exceptionFields(*c.Exception)
	case c.Item != nil:
		return itemFields(*c.Item)
	case c.Enrolment != nil:
		return enrolmentFields(*c.Enrolment)
	case c.Round != nil:
		return roundFields(*c.Round)
	case c.Transfer != nil:
		return transferFields(*c.Transfer)
	}
	return nil
}

// WriteCSV writes rows as spreadsheets of this country open them: UTF-8 with a byte order mark, CRLF. Each
// cell goes through SafeCell.
func WriteCSV(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, r := range rows {
		safe := make([]string, len(r))
		for i, cell := range r {
			safe[i] = SafeCell(cell)
		}
		if err := w.Write(safe); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// SafeCell puts an apostrophe before what a spreadsheet would run as a formula, also after blanks and in its
// full-width forms: = + - @, a tab, a line break at the beginning.
func SafeCell(s string) string {
	rest := strings.TrimLeft(s, " \u3000\u00a0")
	if s != "" && (strings.ContainsAny(s[:1], "\t\r\n") || rest != "" && strings.ContainsRune("=+-@=+-@", []rune(rest)[0])) {
		return "'" + s
	}
	return s
}

// ShiftJIS encodes text for spreadsheets of old (CP932). Dashes and waves that Unicode has twice are written as that code has
// them; a letter that it does not have becomes 〓, and lost counts those. It never fails half-way.
func ShiftJIS(text string) (data []byte, lost int) {
	enc := japanese.ShiftJIS.NewEncoder()
	data = make([]byte, 0, len(text))
	for _, r := range text {
		if to, ok := sameInShiftJIS[r]; ok {
			r = to
		}
		if r < 0x80 {
			data = append(data, byte(r))
			continue
		}
		if r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef {
			lost++ // a variation selector: the letter stays, its form is lost
			continue
		}
		b, err := enc.Bytes([]byte(string(r)))
		if err != nil {
			lost++
			b = []byte{0x81, 0xac} // 〓
		}
		data = append(data, b...)
	}
	return data, lost
}

// sameInShiftJIS are characters whose twins the code has.
var sameInShiftJIS = map[rune]rune{'\u301c': '\uff5e', '\u2212': '\uff0d', '\u2016': '\u2225', '\u2014': '\u2015', '\u00a5': '\\'}
