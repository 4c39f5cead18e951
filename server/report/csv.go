package report

import (
	"strings"

	"monban/server/directory"
)

// CSV writes a report as spreadsheets of this country open it: UTF-8 with a byte order mark, CRLF, formula-safe.
func CSV(d *Document) ([]byte, error) { return directory.WriteCSV(d.Cells()) }

// Spoilt is a cell that Shift_JIS cannot write as it is.
type Spoilt struct {
	Line   int // of the file, from 1; a line break inside a cell counts as no line
	Column string
	Text   string   // as it should be
	Runes  []string // the letters, U+20BB7
}

// ShiftJISCSV writes a report in the code of old spreadsheets. A letter that it does not have becomes 〓 and its cell is listed; nothing
// fails half-way (RR-1).
func ShiftJISCSV(d *Document) (data []byte, spoilt []Spoilt, err error) {
	text, err := CSV(d)
	if err != nil {
		return nil, nil, err
	}
	data, lost := directory.ShiftJIS(strings.TrimPrefix(string(text), "\ufeff"))
	if lost == 0 {
		return data, nil, nil
	}
	line := 1
	for i := range d.Tables {
		t := &d.Tables[i]
		if len(d.Tables) > 1 {
			line += min(i, 1) + 1 // the empty line and the heading
		}
		for _, row := range t.Rows {
			line++
			for j, cell := range row {
				if bad := unwritable(cell); bad != nil {
					spoilt = append(spoilt, Spoilt{Line: line, Column: t.Columns[j].Head, Text: cell, Runes: bad})
				}
			}
		}
		line++
	}
	return data, spoilt, nil
}

func unwritable(cell string) (bad []string) {
	if _, lost := directory.ShiftJIS(cell); lost == 0 {
		return nil
	}
	for _, r := range cell {
		if _, lost := directory.ShiftJIS(string(r)); lost > 0 {
			bad = append(bad, codePoint(r))
		}
	}
	return bad
}

// SpoiltCSV lists the cells that were spoilt, for whoever mends them by hand.
func SpoiltCSV(list []Spoilt, l *Labels) ([]byte, error) {
	cells := [][]string{{l.Line, l.Column, l.Cell, l.Letters}}
	for _, x := range list {
		cells = append(cells, []string{itoa(x.Line), x.Column, x.Text, strings.Join(x.Runes, " ")})
	}
	return directory.WriteCSV(cells)
}
