// Package report makes the papers of a site: registers, summaries and ledgers as one document each, and of that the files that
// leave the house: HTML made for A4, PDF, xlsx, CSV (RR-1, RR-4, RR-8).
//
// A document is words and rows, made by its caller; this package knows no store and no catalogue. Making a PDF runs a program of
// the system under limits (ADR 0036); everything else is done in memory. A document holds names: whoever makes a file of it
// writes the leaf first (PR-1).
package report

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"
)

// Document is one report. Every text is ready to be read; nothing in it is markup, and nothing is cut.
type Document struct {
	Lang   string // "ja" or "en", for the html element
	Title  string // what the city calls the form: 入退室管理簿
	Number string // 様式第2号; "" = none
	Site   string
	Zone   string // "" = the whole site
	Period string // in words
	Year   string // fiscal year in words
	Facts  []Fact // more lines of the head: day of the list, seed of a sample
	Seals  []string
	Signed []string // electronic sign-offs, one line each, beside the boxes for seals
	Tables []Table
	Notes  []string // under the tables
	Made   string   // who made it, when and for which purpose
	Labels Labels
	// Checkpoint is the signed state of the log at the time the report was made.
	Checkpoint Checkpoint
	Part       Part
	Dense      bool      // many columns: smaller letters
	Closed     time.Time // when the report was made: files say no other time, so that the same report is the same bytes
	// Reduced are the reduced forms (縮退) of names that stand alone in a cell, for paper that lacks a letter of them.
	Reduced map[string]string
}

// Fact is a line of the head.
type Fact struct{ Name, Text string }

// Table is one table of rows. Each row has a cell for each column.
type Table struct {
	Heading string // "" = none
	Columns []Column
	Rows    [][]string
	Empty   string // what stands there instead of no rows
}

// Column is a column with its share of the width.
type Column struct {
	Head   string
	Weight int  // relative to the others; 0 = 1
	Number bool // figures, set to the right
	Fixed  bool // never broken: times, numbers
}

// Labels are the words that the sheet itself says.
type Labels struct {
	Period, Made, Log, NoLog, Content, Seals, Signed, Part, Verify string
	Missing                                                        string // before the list of letters that no font has
	Line, Column, Cell, Letters                                    string // heads of the list of cells that Shift_JIS cannot write
}

// Checkpoint is what the log had signed.
type Checkpoint struct {
	Origin string
	Size   int64  // number of leaves
	Root   string // base64
	Note   string // the whole signed note, which the QR code holds: it can be verified without this server
}

// Part tells which part of a long report this is; the zero value is the whole.
type Part struct{ No, Of int }

// String writes 2/5; "" for the whole.
func (p Part) String() string {
	if p.Of < 2 {
		return ""
	}
	return strconv.Itoa(p.No) + "/" + strconv.Itoa(p.Of)
}

// Rows counts the rows of all tables.
func (d *Document) Rows() (n int) {
	for i := range d.Tables {
		n += len(d.Tables[i].Rows)
	}
	return n
}

// Cells are head and rows of the tables as a spreadsheet has them. A table after the first stands below an empty line, under its
// heading.
func (d *Document) Cells() (out [][]string) {
	for i := range d.Tables {
		t := &d.Tables[i]
		if len(d.Tables) > 1 {
			if i > 0 {
				out = append(out, []string{""})
			}
			out = append(out, []string{t.Heading})
		}
		head := make([]string, len(t.Columns))
		for j, c := range t.Columns {
			head[j] = c.Head
		}
		out = append(append(out, head), t.Rows...)
	}
	return out
}

// Hash is the SHA-256 of the report's CSV file, in hexadecimal. It stands on the paper, so that paper and file can be compared:
// sha256sum of the file says it.
func (d *Document) Hash() (string, error) {
	data, err := CSV(d)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Split cuts a report into parts of at most most rows, in their order: each row is in exactly one part. Facts and notes stand in
// each, seals and sign-offs in the first. most < 1 = one part.
func (d *Document) Split(most int) []Document {
	if most < 1 || d.Rows() <= most {
		return []Document{*d}
	}
	var parts []Document
	room := 0
	open := func() {
		p := *d
		p.Tables = nil
		if len(parts) > 0 {
			p.Seals, p.Signed = nil, nil
		}
		parts, room = append(parts, p), most
	}
	open()
	for _, t := range d.Tables {
		rows := t.Rows
		for first := true; first || len(rows) > 0; first = false {
			if room == 0 {
				open()
			}
			n := min(room, len(rows))
			piece := t
			piece.Rows, rows = rows[:n], rows[n:]
			room -= n
			p := &parts[len(parts)-1]
			p.Tables = append(p.Tables, piece)
		}
	}
	for i := range parts {
		parts[i].Part = Part{i + 1, len(parts)}
	}
	return parts
}
