package docs

import (
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// headings gives the chapters of a document by the anchor that a browser goes to.
func headings(t *testing.T, file string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^## (.+)$`).FindAllStringSubmatch(string(data), -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])
		out[slug] = m[1]
	}
	return out
}

// Every manual is there in both languages and is held by a test that exists; each chapter of the operations manual has its Japanese counterpart,
// and none is left over in either.
func TestManuals(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && s.test {
				tests[s.path+" "+f.Name.Name] = true
			}
		}
	}
	link := regexp.MustCompile(`^\[[^\]]+\]\(([^)#]+)(?:#([^)]+))?\)$`)
	held := regexp.MustCompile("^`([^`]+)` (Test[A-Za-z0-9]+)$")
	rows := table(t, "manuals.md", "# Manuals 手引きの一覧")
	for _, row := range rows {
		for _, cell := range row[1:3] {
			m := link.FindStringSubmatch(cell)
			if m == nil {
				t.Errorf("%s: %q is no link", row[0], cell)
				continue
			}
			if m[2] != "" && headings(t, m[1])[m[2]] == "" {
				t.Errorf("%s: %s has no chapter %s", row[0], m[1], m[2])
			}
		}
		if row[1] == row[2] {
			bilingual(t, link.FindStringSubmatch(row[1])[1])
		}
		if m := held.FindStringSubmatch(row[3]); m == nil || !tests[m[1]+" "+m[2]] {
			t.Errorf("%s: there is no test %s", row[0], row[3])
		}
	}
	if len(rows) < 8 {
		t.Errorf("only %d manuals", len(rows))
	}

	en, ja := map[string]bool{}, map[string]bool{}
	for _, row := range table(t, "manuals.md", "## Chapters of the operations manual 運用手引きの章") {
		en[row[0]], ja[row[1]] = true, true
	}
	for file, named := range map[string]map[string]bool{"operations.md": en, "operations.ja.md": ja} {
		there := map[string]bool{}
		for _, h := range headings(t, file) {
			there[h] = true
			if !named[h] {
				t.Errorf("%s: the chapter %q has no counterpart in the other language", file, h)
			}
		}
		for h := range named {
			if !there[h] {
				t.Errorf("%s has no chapter %q", file, h)
			}
		}
	}
}

// A chapter of the Japanese operations manual says as many things as the English one does in its tables, in rows or in a list: what stands there is what
// somebody looks up while something is wrong. The columns of the CSV files are in both languages already, in one table.
func TestManualsSayAsMuch(t *testing.T) {
	said := func(file string, list bool) map[string]int {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n, chapter := map[string]int{}, ""
		for line := range strings.Lines(string(data)) {
			line = strings.TrimSpace(line)
			switch {
			case strings.HasPrefix(line, "## "):
				chapter = strings.TrimPrefix(line, "## ")
			case strings.HasPrefix(line, "|---"):
				n[chapter]-- // the heads of the columns
			case strings.HasPrefix(line, "|"), list && strings.HasPrefix(line, "- "):
				n[chapter]++
			}
		}
		return n
	}
	en, ja := said("operations.md", false), said("operations.ja.md", true)
	rows := 0
	for _, row := range table(t, "manuals.md", "## Chapters of the operations manual 運用手引きの章") {
		if row[0] == "CSV files" || row[0] == "The door that guards the server" { // a sheet, in one sentence there
			continue
		}
		rows += en[row[0]]
		if en[row[0]] > ja[row[1]] {
			t.Errorf("%s: %d rows; %s: %d", row[0], en[row[0]], row[1], ja[row[1]])
		}
	}
	if rows < 60 {
		t.Errorf("only %d rows were read", rows)
	}
}

// bilingual holds that each row of a document's tables that says something says it in both languages.
func bilingual(t *testing.T, file string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		rows++
		japanese, latin := 0, 0
		for _, r := range regexp.MustCompile("`[^`]*`").ReplaceAllString(line, "") {
			switch {
			case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
				japanese++
			case r < 0x80 && unicode.IsLetter(r):
				latin++
			}
		}
		if japanese < 2 || latin < 2 {
			t.Errorf("%s: a row is in one language only: %s", file, line)
		}
	}
	if rows < 5 {
		t.Errorf("%s: %d rows were read", file, rows)
	}
}

// OP-2: the lines with which the server gives the gateways the time are ones that chrony reads, and it answers a network that is named only.
func TestTimeConfiguration(t *testing.T) {
	data, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```chrony\n(.*?)```").FindSubmatch(data)
	if m == nil {
		t.Fatal("operations.md has no lines for chrony")
	}
	text := string(m[1])
	if allowed := regexp.MustCompile(`(?m)^allow (\S+)$`).FindStringSubmatch(text); allowed == nil || !strings.Contains(allowed[1], "/") || strings.HasSuffix(allowed[1], "/0") {
		t.Errorf("it answers everybody, or nobody: %q", text)
	}
	chrony, err := exec.LookPath("chronyd")
	if err != nil {
		t.Skip("chronyd is not installed (package chrony)")
	}
	file := filepath.Join(t.TempDir(), "monban.conf")
	if err := os.WriteFile(file, m[1], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(chrony, "-p", "-f", file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
