package report

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// families are the fonts of the sheet that hold Japanese, as fc-list knows them: one of the first two must be there.
var families = []string{"BIZ UDPGothic", "Noto Sans CJK JP", "IPAmjMincho"}

// Letters are the letters that the installed fonts of the sheet have. WeasyPrint leaves blank what no font has, without a word and
// with success: a register that loses a letter of a name is worthless, so each is looked up before.
type Letters struct{ ranges []runes }

type runes struct{ first, last rune }

// FindLetters asks fontconfig for the fonts' files and their ranges.
func FindLetters(ctx context.Context) (*Letters, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var files []string
	for _, family := range families {
		out, err := exec.CommandContext(ctx, "fc-list", "--format=%{file}\n", ":family="+family).Output()
		if err != nil {
			return nil, fmt.Errorf("fc-list: %w", err)
		}
		files = append(files, strings.Fields(string(out))...)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if len(files) == 0 {
		return nil, errors.New("no font of " + strings.Join(families[:2], ", "))
	}
	l := &Letters{}
	for _, f := range files {
		out, err := exec.CommandContext(ctx, "fc-query", "--format=%{charset}\n", f).Output()
		if err != nil {
			return nil, fmt.Errorf("fc-query: %w", err)
		}
		if err := l.add(string(out)); err != nil {
			return nil, err
		}
	}
	l.merge()
	return l, nil
}

// add reads ranges as fc-query writes them: "20-7e a0 3000-30ff".
func (l *Letters) add(text string) error {
	for field := range strings.FieldsSeq(text) {
		from, to, two := strings.Cut(field, "-")
		if !two {
			to = from
		}
		first, err := strconv.ParseInt(from, 16, 32)
		if err != nil {
			return fmt.Errorf("fc-query: range %q: %w", field, err)
		}
		last, err := strconv.ParseInt(to, 16, 32)
		if err != nil || last < first {
			return fmt.Errorf("fc-query: range %q", field)
		}
		l.ranges = append(l.ranges, runes{rune(first), rune(last)})
	}
	return nil
}

func (l *Letters) merge() {
	slices.SortFunc(l.ranges, func(a, b runes) int { return int(a.first - b.first) })
	var out []runes
	for _, r := range l.ranges {
		if n := len(out); n > 0 && r.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, r.last)
			continue
		}
		out = append(out, r)
	}
	l.ranges = out
}

// Has reports whether a font has a letter. A variation selector has no shape of its own: without the variant its letter is shown.
func (l *Letters) Has(r rune) bool {
	if r < 0x20 || r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef {
		return true
	}
	_, found := slices.BinarySearchFunc(l.ranges, r, func(x runes, r rune) int {
		switch {
		case x.last < r:
			return -1
		case x.first > r:
			return 1
		}
		return 0
	})
	return found
}

// geta stands for a letter that cannot be shown.
const geta = "〓"

// Replace gives the document with 〓 for each letter that no font has, or with the reduced name (縮退) where Reduced knows one for the
// whole cell, and what it replaced: column, the text as it stands on the paper, the letters. The document itself is not changed.
func (l *Letters) Replace(d *Document) (*Document, []string) {
	var missing []string
	show := func(where, text string) string {
		if !strings.ContainsFunc(text, l.lacks) {
			return text
		}
		var bad []string
		var b strings.Builder
		for _, r := range text {
			if l.lacks(r) {
				bad = append(bad, codePoint(r))
				b.WriteString(geta)
				continue
			}
			b.WriteRune(r)
		}
		out := b.String()
		if short := d.Reduced[text]; short != "" && !strings.ContainsFunc(short, l.lacks) {
			out = short
		}
		if note := strings.TrimSpace(where + " " + out + " = " + strings.Join(bad, " ")); !slices.Contains(missing, note) {
			missing = append(missing, note)
		}
		return out
	}
	out := *d
	out.Title, out.Number, out.Site, out.Zone, out.Made = show("", d.Title), show("", d.Number), show("", d.Site), show("", d.Zone), show("", d.Made)
	lines := func(in []string) []string {
		list := make([]string, len(in))
		for i, s := range in {
			list[i] = show("", s)
		}
		return list
	}
	out.Seals, out.Signed, out.Notes = lines(d.Seals), lines(d.Signed), lines(d.Notes)
	out.Facts = slices.Clone(d.Facts)
	for i, f := range out.Facts {
		out.Facts[i].Text = show(f.Name, f.Text)
	}
	out.Tables = slices.Clone(d.Tables)
	for i := range out.Tables {
		t := &out.Tables[i]
		t.Heading = show("", t.Heading)
		rows := make([][]string, len(t.Rows))
		for j, row := range t.Rows {
			rows[j] = make([]string, len(row))
			for k, cell := range row {
				rows[j][k] = show(t.Columns[k].Head, cell)
			}
		}
		t.Rows = rows
	}
	return &out, missing
}

func (l *Letters) lacks(r rune) bool { return !l.Has(r) }
