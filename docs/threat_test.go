package docs

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// TestThreatModel: the tests that the threat model names exist, and what it calls open is not built.
func TestThreatModel(t *testing.T) {
	tests, packages := map[string]bool{}, map[string]bool{}
	for _, s := range sources(t) {
		packages[s.pkg] = true
		if !s.test {
			continue
		}
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				tests[s.pkg+"."+f.Name.Name] = true
			}
		}
	}
	name := regexp.MustCompile("`([^`]+)`")
	state := regexp.MustCompile(`^(tested|partly: .+|open)$`)
	for _, row := range table(t, "threat-model.md", "# Threat model") {
		if len(row) != 5 || !state.MatchString(row[4]) {
			t.Errorf("%s: want five cells, the last tested, partly: …, or open", row[0])
			continue
		}
		named := name.FindAllStringSubmatch(row[3], -1)
		if len(named) == 0 {
			t.Errorf("%s: names no test, or no package when open", row[0])
		}
		for _, m := range named {
			if row[4] != "open" {
				if !tests[m[1]] {
					t.Errorf("%s: there is no %s", row[0], m[1])
				}
			} else if _, err := os.Stat(filepath.Join(root, m[1])); err == nil || packages[m[1]] {
				t.Errorf("%s: %s exists, so the row is no longer open", row[0], m[1])
			}
		}
	}
}
