package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"strconv"
	"strings"
)

//go:embed sheet.html
var sheetHTML string

//go:embed sheet.css
var sheetRules string

// sheetCSS is the sheet's style with a class for each width of a column in percent: a style that depended on the document could have no
// hash in a content policy.
var sheetCSS = func() string {
	var b strings.Builder
	b.WriteString(sheetRules)
	for n := 1; n <= 100; n++ {
		fmt.Fprintf(&b, ".w%d{width:%d%%}", n, n)
	}
	return b.String()
}()

var sheet = template.Must(template.New("sheet").Option("missingkey=error").Parse(sheetHTML))

// StylePolicy is the source of the sheet's style for a Content-Security-Policy: its hash, so that nothing else is applied.
var StylePolicy = func() string {
	sum := sha256.Sum256([]byte(sheetCSS))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

type sheetView struct {
	*Document
	Style   template.CSS
	Code    *Code
	Hash    string // of the whole report's CSV
	Parts   string
	Missing []string
}

// HTML writes a report as one page that needs nothing else: to be looked at, printed, or made a PDF of. hash is the whole
// report's, also for a part of it.
func HTML(d *Document, hash string, missing []string) ([]byte, error) {
	v := sheetView{Document: d, Style: template.CSS(sheetCSS), Hash: hash, Parts: d.Part.String(), Missing: missing}
	if d.Checkpoint.Size > 0 {
		code, err := QR(strings.TrimSuffix(d.Checkpoint.Note, "\n") + "\nsha256 " + hash + "\n")
		if err != nil {
			return nil, err
		}
		v.Code = code
	}
	var b bytes.Buffer
	if err := sheet.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("report %s: %w", d.Title, err)
	}
	return b.Bytes(), nil
}

// Width is the class of a column's share of the table.
func (t Table) Width(i int) string {
	all := 0
	for _, c := range t.Columns {
		all += max(c.Weight, 1)
	}
	return "w" + strconv.Itoa(max(max(t.Columns[i].Weight, 1)*100/max(all, 1), 1))
}

// Class names how the cells of a column look.
func (t Table) Class(i int) string {
	switch c := t.Columns[i]; {
	case c.Number:
		return "number"
	case c.Fixed:
		return "fixed"
	}
	return "text"
}

// Span is the number of columns, for a row that goes over all of them.
func (t Table) Span() int { return len(t.Columns) }
