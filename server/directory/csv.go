package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/japanese"
)

// Limits of an import file; each is far above what a city needs and far below what hurts.
const (
	maxFileBytes = 16 << 20
	maxCellBytes = 1000
	maxRows      = 100_000
	maxProblems  = 200 // more are counted, not listed: nobody mends more in one go
)

// Problem is one thing that is wrong, where it is, and what to do about it.
type Problem struct {
	File   string // "" when the directory itself is meant
	Line   int    // 1 = header; 0 = the file as a whole
	Column string // as the file's header spells it; "" = the row as a whole
	Text   string
}

// String gives FILE:LINE: column "x": text, leaving out what is not known.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Column != "" {
		fmt.Fprintf(&b, "column %q: ", p.Column)
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems is every problem found, in file and line order. It is an error when it is not empty.
type Problems []Problem

// Error gives one problem a line; after maxProblems only how many more there are.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == maxProblems {
			fmt.Fprintf(&b, "… and %d more", len(ps)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// decodeText turns a file's bytes into UTF-8: a byte order mark means UTF-8, valid UTF-8 is UTF-8,
// anything else is CP932, which Japanese Excel writes by default.
func decodeText(data []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(data, []byte("\xef\xbb\xbf")); ok {
		if !utf8.Valid(rest) {
			return "", errors.New("begins as UTF-8 but is not UTF-8 throughout; save it again as CSV UTF-8")
		}
		return string(rest), nil
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return "", errors.New("is UTF-16 (Excel's \"Unicode text\"); save it as CSV UTF-8 or CSV")
	}
	if utf8.Valid(data) {
		return string(data), nil
	}
	out, err := japanese.ShiftJIS.NewDecoder().Bytes(data)
	if err != nil {
		return "", errors.New("is neither UTF-8 nor Shift_JIS; save it as CSV UTF-8")
	}
	return string(out), nil
}

// column is one column a table knows: the English header, the Japanese one, and whether a file
// without it is refused.
type column struct {
	name     string
	japanese string
	required bool
}

// table is one parsed file.
type table struct {
	file   string
	secret bool // values are never repeated in a problem (card files)
	header map[string]int
	titles []string // the header as the file spells it, by index
	names  []string // the columns' own names, "" where a column has none
	rows   []row
	probs  *Problems
}

// row is one data row of a table.
type row struct {
	t     *table
	line  int
	cells []string
	bad   bool // a problem was reported; the row is not used
}

// readTable parses data as CSV with a header row. Problems go to probs; ok is false when the file as
// a whole cannot be used.
func readTable(file string, data []byte, columns []column, secret bool, probs *Problems) (t *table, ok bool) {
	t = &table{file: file, secret: secret, header: map[string]int{}, probs: probs}
	if len(data) > maxFileBytes {
		t.problem(0, "", "is larger than 16 MiB; split it")
		return t, false
	}
	text, err := decodeText(data)
	if err != nil {
		t.problem(0, "", err.Error())
		return t, false
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1 // we say ourselves which row is too short or long
	if !t.readHeader(r, columns) {
		return t, false
	}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return t, true
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			t.problem(parse.StartLine, "", `quotation marks do not match; write "" for a quotation mark inside a quoted cell`)
			continue
		}
		if err != nil {
			t.problem(0, "", "cannot be read")
			return t, false
		}
		line, _ := r.FieldPos(0)
		if blank(cells) {
			continue
		}
		if len(t.rows) == maxRows {
			t.problem(line, "", "has more than 100,000 rows; split the file")
			return t, false
		}
		t.addRow(line, cells)
	}
}

func (t *table) readHeader(r *csv.Reader, columns []column) bool {
	cells, err := r.Read()
	if err != nil {
		t.problem(1, "", "has no header row; the first row names the columns: "+columnNames(columns))
		return false
	}
	ok := true
	for i, cell := range cells {
		title := trim(cell)
		t.titles, t.names = append(t.titles, title), append(t.names, "")
		if title == "" {
			continue // spreadsheets leave empty columns at the right; addRow insists that they stay empty
		}
		name, known := "", false
		for _, c := range columns {
			if strings.EqualFold(title, c.name) || title == c.japanese {
				name, known = c.name, true
			}
		}
		_, twice := t.header[name]
		switch {
		case !known:
			// A file without a header has data here, perhaps a card number: digits are not repeated.
			if strings.ContainsFunc(title, unicode.IsDigit) {
				title = fmt.Sprintf("number %d", i+1)
			}
			t.problem(1, clip(title), "is not a column of this file; it knows "+columnNames(columns))
			ok = false
		case twice:
			t.problem(1, clip(title), "stands twice; keep one")
			ok = false
		default:
			t.header[name], t.names[i] = i, name
		}
	}
	for _, c := range columns {
		if _, there := t.header[c.name]; c.required && !there {
			t.problem(1, "", fmt.Sprintf("column %q (%s) is missing; add it", c.name, c.japanese))
			ok = false
		}
	}
	return ok
}

func (t *table) addRow(line int, cells []string) {
	rw := row{t: t, line: line, cells: cells}
	if len(cells) != len(t.titles) {
		t.problem(line, "", fmt.Sprintf("has %d cells, the header has %d; a comma too many or too few?", len(cells), len(t.titles)))
		return
	}
	for i, cell := range cells {
		cells[i] = trim(cell)
		if why := cellFault(t.names[i], cells[i]); why != "" {
			t.problem(line, clip(t.titles[i]), why)
			rw.bad = true
		} else if t.titles[i] == "" && cells[i] != "" {
			t.problem(line, "", fmt.Sprintf("cell %d stands in a column without a name; name the column or empty the cell", i+1))
			rw.bad = true
		}
	}
	t.rows = append(t.rows, rw)
}

// serialColumns hold numbers of other people's making: an Individual Number by chance is only warned of there.
var serialColumns = []string{"card_number", "facility_code", "pin", "duress_pin", "contract_id", "approval", "item_id", "refers", "reference"}

// longColumns hold texts of several lines.
var longColumns = []string{"text", "text_en"}

// cellFault says what is wrong with a cell of a column; "" = nothing.
func cellFault(column, s string) string {
	limit := maxCellBytes
	if slices.Contains(longColumns, column) {
		limit, s = maxLongText, strings.NewReplacer("\r\n", "", "\n", "").Replace(s)
	}
	if len(s) > limit {
		return fmt.Sprintf("is %d bytes long, at most %d are allowed", len(s), limit)
	}
	if why := charFault(s); why != "" {
		return why
	}
	// A value that a spreadsheet would execute is never a name, a number or a date here.
	if s != "" && strings.ContainsRune("=+@", rune(s[0])) {
		return "looks like a spreadsheet formula; write the value itself"
	}
	if !slices.Contains(serialColumns, column) && MyNumber(s) {
		return noMyNumber
	}
	return ""
}

// charFault says which character of s must not be in a name or text of one line; "" = none.
func charFault(s string) string {
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			return "holds a character that could not be read; save the file again as CSV UTF-8"
		case r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == '\u2028' || r == '\u2029':
			return "holds a control character (NUL, tab or line break); remove it"
		case unicode.Is(unicode.Bidi_Control, r), r == '\u200b', r == '\u2060', r == '\ufeff':
			return "holds an invisible character; type the cell anew"
		}
	}
	return ""
}

func (t *table) problem(line int, column, text string) {
	*t.probs = append(*t.probs, Problem{File: t.file, Line: line, Column: column, Text: text})
}

// get returns a cell, "" when the file has no such column.
func (r *row) get(name string) string {
	if i, ok := r.t.header[name]; ok {
		return r.cells[i]
	}
	return ""
}

// need returns a cell that must not be empty.
func (r *row) need(name string) string {
	v := r.get(name)
	if v == "" && !r.bad {
		r.fail(name, "is empty; fill it in")
	}
	return v
}

// fail reports a problem with one column of this row, in the header's own spelling.
func (r *row) fail(name, text string) {
	title := name
	if i, ok := r.t.header[name]; ok {
		title = r.t.titles[i]
	}
	r.t.problem(r.line, title, text)
	r.bad = true
}

// failValue is fail with the offending value in front, except in a file with card numbers: there a
// shifted column could carry one, so no value is ever repeated.
func (r *row) failValue(name, text string) {
	if r.t.secret {
		r.fail(name, "the value "+text)
		return
	}
	r.fail(name, fmt.Sprintf("%q %s", clip(r.get(name)), text))
}

// clip shortens a value for a message to 40 characters. What could be an Individual Number is not repeated: whoever
// exported one column too many would find it in logs and on pages (VE-5).
func clip(s string) string {
	if MyNumber(s) {
		return "(twelve digits)"
	}
	runes := []rune(s)
	if len(runes) <= 40 {
		return s
	}
	return string(runes[:40]) + "…"
}

// trim removes blanks around a cell, the full-width ones too. Nothing inside is touched.
func trim(s string) string { return strings.Trim(s, " \u3000\u00a0\r") }

func blank(cells []string) bool {
	for _, c := range cells {
		if trim(c) != "" {
			return false
		}
	}
	return true
}

func columnNames(columns []column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}
