package door

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var docName = regexp.MustCompile("^`([a-z_]+)`$")

// docTable reads the rows of the table under a heading of docs/at-the-door.md: name → cells.
func docTable(t *testing.T, heading string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("../../docs/at-the-door.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no heading %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	rows := map[string][]string{}
	for line := range strings.SplitSeq(rest, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		name := docName.FindStringSubmatch(cells[0])
		if name == nil {
			continue
		}
		if rows[name[1]] != nil {
			t.Errorf("%s: two rows for %q", heading, name[1])
		}
		rows[name[1]] = cells
	}
	return rows
}

func sameNames(t *testing.T, what string, doc map[string][]string, code []string) {
	t.Helper()
	for _, name := range code {
		if doc[name] == nil {
			t.Errorf("%s %q is not described in docs/at-the-door.md", what, name)
		}
	}
	for name := range doc {
		if !slices.Contains(code, name) {
			t.Errorf("docs/at-the-door.md describes %s %q, which does not exist", what, name)
		}
	}
}

// Every indication is on the page with light, sound and words in both languages, and nothing else is.
func TestIndicationsAreDescribed(t *testing.T) {
	doc := docTable(t, "Light and sound")
	var code []string
	for _, i := range Indications() {
		code = append(code, i.String())
	}
	sameNames(t, "indication", doc, code)
	looks := map[string]string{}
	for name, cells := range doc {
		if len(cells) != 5 {
			t.Errorf("%s: %d cells, want 5", name, len(cells))
			continue
		}
		if !strings.ContainsFunc(cells[3], isJapanese) || strings.ContainsFunc(cells[4], isJapanese) || cells[4] == "" {
			t.Errorf("%s: want one Japanese and one English sentence", name)
		}
		look := cells[1] + " / " + cells[2]
		if other, taken := looks[look]; taken && !(strings.HasPrefix(name, "wait_") && strings.HasPrefix(other, "wait_")) {
			t.Errorf("%s and %s look and sound the same: %s", name, other, look)
		}
		looks[look] = name
	}
}

// Every event is on the page, and nothing else is.
func TestEventsAreDescribed(t *testing.T) {
	doc := docTable(t, "What the record says")
	var code []string
	for _, e := range Events() {
		code = append(code, string(e))
	}
	sameNames(t, "event", doc, code)
	for name, cells := range doc {
		if len(cells) != 3 || !strings.ContainsFunc(cells[1], isJapanese) || cells[2] == "" {
			t.Errorf("%s: want a Japanese word and a meaning", name)
		}
	}
	src, err := os.ReadFile("types.go") // Events() must not forget a constant
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`Event\s+= "([a-z_]+)"`).FindAllStringSubmatch(string(src), -1) {
		if !slices.Contains(code, m[1]) {
			t.Errorf("Events() lacks %q", m[1])
		}
	}
}

func isJapanese(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) }
