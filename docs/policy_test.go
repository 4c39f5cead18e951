package docs

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The table for auditors is true: each row names a test and a page that exist, or says that it is open; no row of the numbered sources is missing.
func TestPolicyMapping(t *testing.T) {
	text, err := os.ReadFile("policy-mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]bool{}
	route := regexp.MustCompile(`"GET (/[a-z-]*)`)
	files, err := filepath.Glob(filepath.Join(root, "server", "web", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		source, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range route.FindAllStringSubmatch(string(source), -1) {
			pages[m[1]] = true
		}
	}
	tests := map[string]bool{} // "file name"
	for _, s := range sources(t) {
		if !s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				tests[s.path+" "+f.Name.Name] = true
			}
		}
	}
	numbered := map[string]int{}
	rows := 0
	named := regexp.MustCompile("^`([a-z0-9_/-]+_test\\.go)` (Test[A-Za-z0-9]+)$")
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) != 5 || cells[0] == "row" || strings.HasPrefix(cells[0], "---") {
			continue
		}
		rows++
		numbered[cells[0]]++
		if p := strings.Trim(cells[3], "`"); p != "-" && !pages[p] {
			t.Errorf("row %s: there is no page %s", cells[0], p)
		}
		m := named.FindStringSubmatch(cells[4])
		switch {
		case strings.HasPrefix(cells[4], "open: "):
		case m == nil:
			t.Errorf("row %s: %q is neither a test nor open", cells[0], cells[4])
		case !tests[m[1]+" "+m[2]]:
			t.Errorf("row %s: there is no test %s in %s", cells[0], m[2], m[1])
		}
	}
	for source, n := range map[string]int{"A": 34, "M": 24, "P": 13} {
		for i := 1; i <= n; i++ {
			if k := source + strconv.Itoa(i); numbered[k] != 1 {
				t.Errorf("row %s stands in the table %d times", k, numbered[k])
			}
		}
	}
	if rows < 71+10 {
		t.Errorf("%d rows were read", rows)
	}
}
