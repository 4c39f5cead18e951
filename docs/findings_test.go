package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"monban/server/review"
)

// VR-1: each kind of the catalogue stands in the table once, with a story or test in which it is found and one in which it must not be, and what
// the table names is there and tells of the kind. What it says of the made year is held by server/world/year.
func TestFindingsTable(t *testing.T) {
	words := kindWords(t)
	seen := map[string]bool{}
	for _, row := range table(t, "findings.md", "# What finds a violation") {
		kind := strings.Trim(row[0], "`")
		if seen[kind] {
			t.Errorf("%s stands twice", kind)
		}
		seen[kind] = true
		if !slices.ContainsFunc(review.Catalogue(), func(e review.Entry) bool { return string(e.Kind) == kind }) {
			t.Errorf("%s is no kind of finding", kind)
			continue
		}
		if name := strings.Trim(row[3], "`"); strings.Contains(row[3], "`") { // seeded elsewhere than in the made year
			if why := tellsOf(t, name, kind, words[kind], true); why != "" {
				t.Errorf("%s: %s %s", kind, name, why)
			}
		}
		for i, cell := range row[1:3] {
			names := strings.Fields(strings.ReplaceAll(strings.Trim(cell, "–"), "`", ""))
			if len(names) == 0 {
				t.Errorf("%s: %s", kind, []string{"found in no test", "no test in which it must not be found"}[i])
			}
			for _, name := range names {
				if why := tellsOf(t, name, kind, words[kind], i == 0); why != "" {
					t.Errorf("%s: %s %s", kind, name, why)
				}
			}
		}
	}
	for _, e := range review.Catalogue() {
		if !seen[string(e.Kind)] {
			t.Errorf("%s stands not in the table", e.Kind)
		}
	}
}

// tellsOf says what is wrong with a test as a witness of a kind, "" when nothing is. One in which it is found has to find it; one in which it is
// not has to be a test of its neighbourhood: it names the kind, or nothing at all is found in it.
func tellsOf(t *testing.T, name, kind string, words []string, found bool) string {
	t.Helper()
	read := func(path string) string {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Error(err)
		}
		return string(data)
	}
	switch dir, rest, _ := strings.Cut(name, "/"); dir {
	case "rules":
		_, want, _ := strings.Cut(read("server/review/testdata/"+rest+".story"), "-- want --\n")
		switch has := strings.Contains(want, " "+kind+" "); {
		case found && !has:
			return "does not find it"
		case !found && !has && want != "" && rest != "denied_burst":
			return "is of other kinds"
		}
	case "stories":
		list := regexp.MustCompile(`expect finding `+kind+`( \d+)?`).FindAllStringSubmatch(read("server/world/stories/"+rest+".story"), -1)
		if len(list) == 0 || found && !slices.ContainsFunc(list, func(m []string) bool { return m[1] != " 0" }) {
			return "does not expect it"
		}
	default:
		pkg, test, _ := strings.Cut(name, ".")
		files, _ := filepath.Glob(filepath.Join(root, pkg, "*_test.go")) // the pattern is well-formed
		for _, f := range files {
			text := read(strings.TrimPrefix(f, root+"/"))
			if strings.Contains(text, "func "+test+"(") {
				if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) }) {
					return ""
				}
				return "does not tell of it"
			}
		}
		return "is no test"
	}
	return ""
}

// kindWords gives what tests call each kind: its name, and the names of its constants in review and visit.
func kindWords(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, file := range []string{"server/review/kind.go", "server/visit/due.go"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^\t(\w+)\s+(?:Due)?Kind = "(\w+)"`).FindAllStringSubmatch(string(data), -1) {
			out[m[2]] = append(out[m[2]], `"`+m[2]+`"`, m[1], m[2])
		}
	}
	return out
}
