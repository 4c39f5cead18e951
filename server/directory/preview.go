package directory

import (
	"bytes"
	"errors"
	"strings"
	"unicode/utf8"
)

// Preview is what an import would do, for people to look at before it is done. Nothing was changed.
type Preview struct {
	Files    []FilePreview
	Changes  []Change
	Waiting  int // of Changes, how many wait for a second person (D27)
	Warnings []Warning
	Problems Problems // with any of them nothing can be imported
}

// FilePreview is what was made out of one file.
type FilePreview struct {
	Name     string
	Kind     Kind   // "" when it could not be told
	Encoding string // "UTF-8", "UTF-8 with BOM" or "Shift_JIS"; "" when it could not be read
	Rows     int    // data rows
	Head     []string
	Sample   [][]string // first rows; of a file of cards nothing, since it holds numbers
}

// sampleRows is how many rows a preview shows.
const sampleRows = 5

// GuessKind tells what a file holds: by its name, else by the columns it has.
func GuessKind(name string, data []byte) (Kind, bool) {
	if k, ok := KindOf(name); ok {
		return k, true
	}
	text, err := decodeText(data)
	if err != nil {
		return "", false
	}
	var drop Problems
	best, most, tie := Kind(""), 0, false
	for _, k := range kinds {
		t, ok := readTable(name, []byte(firstLine(text)+"\n"), columnsOf(k), true, &drop)
		if !ok {
			continue // a column it does not know, or one missing
		}
		switch n := len(t.header); {
		case n > most:
			best, most, tie = k, n, false
		case n == most:
			tie = true
		}
	}
	return best, best != "" && !tie
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}

// EncodingOf tells how a file is written, as the import takes it.
func EncodingOf(data []byte) string {
	switch _, err := decodeText(data); {
	case err != nil:
		return ""
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return "UTF-8 with BOM"
	case utf8.Valid(data):
		return "UTF-8"
	}
	return "Shift_JIS"
}

// PreviewImport is Import as a dry run, with all that there is to say about it. A file without a kind is
// guessed.
func PreviewImport(base Snapshot, files []File, cfg ImportConfig) Preview {
	var out Preview
	files = append([]File(nil), files...)
	for i := range files {
		f := &files[i]
		if f.Kind == "" {
			f.Kind, _ = GuessKind(f.Name, f.Data)
		}
		fp := FilePreview{Name: f.Name, Kind: f.Kind, Encoding: EncodingOf(f.Data)}
		if f.Kind != "" {
			var drop Problems
			if t, ok := readTable(f.Name, f.Data, columnsOf(f.Kind), f.Kind == KindCards, &drop); ok {
				fp.Rows, fp.Head = len(t.rows), t.titles
				for _, r := range t.rows[:min(len(t.rows), sampleRows)] {
					if f.Kind != KindCards {
						fp.Sample = append(fp.Sample, r.cells)
					}
				}
			}
		}
		out.Files = append(out.Files, fp)
	}
	next, changes, err := Import(base, files, cfg)
	if err != nil {
		if !errors.As(err, &out.Problems) {
			out.Problems = Problems{{Text: err.Error()}}
		}
		return out
	}
	out.Changes, out.Waiting = changes, len(AddsRights(&base, &next, changes))
	out.Warnings = next.Warnings(changes, false, DateOf(cfg.Now.In(cfg.Zone)))
	return out
}
