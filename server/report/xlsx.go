package report

import (
	"bytes"
	"fmt"

	"github.com/xuri/excelize/v2"
)

// XLSX writes a report as a workbook: a sheet with the head, the tables below each other, made for A4 landscape. Every cell is text, also
// one that begins with "=".
func XLSX(d *Document) (data []byte, err error) {
	f := excelize.NewFile()
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	const name = "Sheet1"
	say := func(e error) {
		if err == nil && e != nil {
			err = fmt.Errorf("xlsx: %w", e)
		}
	}
	made := d.Closed.UTC().Format("2006-01-02T15:04:05Z")
	say(f.SetDocProps(&excelize.DocProperties{Title: d.Title, Creator: "monban", Created: made, Modified: made}))
	landscape, a4, wide, tall, fit := "landscape", 9, 1, 0, true
	say(f.SetSheetProps(name, &excelize.SheetPropsOptions{FitToPage: &fit}))
	say(f.SetPageLayout(name, &excelize.PageLayoutOptions{Orientation: &landscape, Size: &a4, FitToWidth: &wide, FitToHeight: &tall}))
	bold, e := f.NewStyle(&excelize.Style{Font: &excelize.Font{Bold: true}})
	say(e)
	text, e := f.NewStyle(&excelize.Style{NumFmt: 49, Alignment: &excelize.Alignment{Vertical: "top", WrapText: true}})
	say(e)
	head, e := f.NewStyle(&excelize.Style{
		Font: &excelize.Font{Bold: true}, Fill: excelize.Fill{Type: "pattern", Pattern: 1, Color: []string{"EEEEEE"}}, Alignment: &excelize.Alignment{WrapText: true, Vertical: "center"},
	})
	say(e)
	w, e := f.NewStreamWriter(name)
	say(e)
	if err != nil {
		return nil, err
	}
	if len(d.Tables) > 0 {
		for i, c := range d.Tables[0].Columns {
			say(w.SetColWidth(i+1, i+1, float64(8*max(c.Weight, 1))))
		}
	}
	row := 0
	put := func(style int, cells ...string) {
		row++
		line := make([]any, len(cells))
		for i, c := range cells {
			line[i] = excelize.Cell{StyleID: style, Value: c}
		}
		at, e := excelize.CoordinatesToCellName(1, row)
		say(e)
		say(w.SetRow(at, line))
	}
	hash, e := d.Hash()
	say(e)
	put(bold, d.Title, d.Number)
	put(text, d.Site, d.Zone, d.Period, d.Year)
	for _, x := range d.Facts {
		put(text, x.Name, x.Text)
	}
	for _, x := range d.Signed {
		put(text, d.Labels.Signed, x)
	}
	for i := range d.Tables {
		t := &d.Tables[i]
		row++
		if t.Heading != "" {
			put(bold, t.Heading)
		}
		heads := make([]string, len(t.Columns))
		for j, c := range t.Columns {
			heads[j] = c.Head
		}
		put(head, heads...)
		for _, cells := range t.Rows {
			put(text, cells...)
		}
		if len(t.Rows) == 0 {
			put(text, t.Empty)
		}
	}
	row++
	for _, x := range d.Notes {
		put(text, x)
	}
	put(text, d.Labels.Made, d.Made)
	put(text, d.Labels.Log, itoa(int(d.Checkpoint.Size)), d.Checkpoint.Root, d.Checkpoint.Origin)
	put(text, d.Labels.Content, hash)
	say(w.Flush())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return nil, fmt.Errorf("xlsx: %w", err)
	}
	return b.Bytes(), nil
}
