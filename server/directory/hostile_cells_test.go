package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// hostileCells are what a cell of an import may not hold, in whatever column.
var hostileCells = map[string]string{
	"NUL": "a\x00b", "control": "a\x1b[2Jb", "C1 control": "a\u009bb", "RTL mark": "a\u200fb", "RTL override": "a\u202eb", "RTL isolate": "a\u2067b",
	"Arabic letter mark": "a\u061cb", "zero width": "a\u200bb", "line separator": "a\u2028b", "not UTF-8": "a\xed\xa0\x80b", "10 kB": strings.Repeat("あ", 3500),
	"formula": `=HYPERLINK("http://x","y")`, "formula +": "+1+cmd", "formula @": "@SUM(A1)", "tab": "a\tb",
}

// VE-5: each hostile text in each column of each file of the sample: a clear error of one line that repeats no Individual Number,
// and nothing is applied. Columns of other people's numbers only warn of twelve digits (TestMyNumberInContractFieldWarns).
func TestHostileCells(t *testing.T) {
	site := sampleSite(t)
	files, err := SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, f := range files {
		rows, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(f.Data, []byte("\xef\xbb\xbf")))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for column, title := range rows[0] {
			for name, cell := range hostileCells {
				tried++
				refuseCell(t, site, f.Kind, rows, column, title, name, cell)
			}
			if !slices.Contains(serialColumns, title) {
				tried++
				refuseCell(t, site, f.Kind, rows, column, title, "My Number", "1234-5678-9018")
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d cells", tried)
	}
}

func refuseCell(t *testing.T, site Snapshot, kind Kind, rows [][]string, column int, title, name, cell string) {
	t.Helper()
	where := fmt.Sprintf("%s, column %s, %s", kind, title, name)
	row := slices.Clone(rows[1])
	row[column] = cell
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(rows[0]) // a bytes.Buffer does not fail
	_ = w.Write(row)
	w.Flush()
	next, changes, err := Import(site, []File{{Name: string(kind) + ".csv", Kind: kind, Data: b.Bytes()}}, testConfig())
	var probs Problems
	if !errors.As(err, &probs) || len(probs) == 0 {
		t.Errorf("%s: err %v, want a problem", where, err)
		return
	}
	if changes != nil || len(Diff(site, next)) > 0 {
		t.Errorf("%s: something was applied", where)
	}
	for _, p := range probs {
		if p.File == "" || p.Text == "" || len(p.String()) > 400 || strings.ContainsFunc(p.String(), func(r rune) bool { return r < 0x20 || r == '\u202e' || r == '\u200f' }) {
			t.Errorf("%s: the error is %q", where, p.String())
		}
	}
	if strings.Contains(err.Error(), "5678") {
		t.Errorf("%s: the number is repeated", where)
	}
}
