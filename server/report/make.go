package report

import (
	"context"
	"errors"
	"fmt"
)

// Format is a kind of file. The zero value is none.
type Format string

// Formats.
const (
	AsHTML     Format = "html"
	AsPDF      Format = "pdf"
	AsXLSX     Format = "xlsx"
	AsCSV      Format = "csv"
	AsShiftJIS Format = "csv_sjis"
)

// Formats lists what can be made; a PDF only where its program is.
func Formats() []Format { return []Format{AsHTML, AsPDF, AsXLSX, AsCSV, AsShiftJIS} }

// File is one file of a report.
type File struct {
	Name string // ASCII, says nothing of a person
	Type string // media type
	Data []byte
}

// Output is what was made of a report.
type Output struct {
	Files   []File
	Hash    string   // of the report's content, as printed
	Rows    int      //
	Spoilt  []Spoilt // cells that Shift_JIS cannot write
	Missing []string // letters that no font has, each with the cell it stands in
}

// ErrFormat is a kind of file that is not made here.
var ErrFormat = errors.New("no such format")

// Make writes the files of a report. name is the beginning of the files' names. Only a PDF takes long: progress is told of each part, and
// printer may be nil for every other format.
func Make(ctx context.Context, d *Document, f Format, name string, printer *Printer, progress func(done, of int)) (*Output, error) {
	hash, err := d.Hash()
	if err != nil {
		return nil, err
	}
	out := &Output{Hash: hash, Rows: d.Rows()}
	add := func(suffix, kind string, data []byte) {
		out.Files = append(out.Files, File{name + suffix, kind, data})
	}
	var data []byte
	switch f {
	case AsHTML:
		data, err = HTML(d, hash, nil)
		add(".html", "text/html; charset=utf-8", data)
	case AsPDF:
		if printer == nil {
			return nil, ErrNoPrinter
		}
		var kind, suffix string
		data, out.Missing, suffix, err = printer.Print(ctx, d, hash, name, progress)
		if kind = "application/pdf"; suffix == ".zip" {
			kind = "application/zip"
		}
		add(suffix, kind, data)
	case AsXLSX:
		data, err = XLSX(d)
		add(".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", data)
	case AsCSV:
		data, err = CSV(d)
		add(".csv", "text/csv; charset=utf-8", data)
	case AsShiftJIS:
		data, out.Spoilt, err = ShiftJISCSV(d)
		add(".csv", "text/csv; charset=Shift_JIS", data)
		if err == nil && len(out.Spoilt) > 0 {
			data, err = SpoiltCSV(out.Spoilt, &d.Labels)
			add("-letters.csv", "text/csv; charset=utf-8", data)
		}
	default:
		return nil, fmt.Errorf("%w: %q", ErrFormat, f)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}
