package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"monban/server/web"
)

// The manual has a page for every role in both languages, each short enough to be one, and names only pages that exist.
func TestRolesManual(t *testing.T) {
	patterns := map[string]bool{}
	for _, p := range web.Patterns() {
		if path, ok := strings.CutPrefix(p, "GET "); ok {
			patterns[regexp.MustCompile(`\{[^}]+\}`).ReplaceAllString(path, "X")] = true
		}
	}
	heads := map[string]int{}
	for _, name := range []string{"roles.md", "roles.ja.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range web.Roles() {
			if !strings.Contains(string(text), "`"+r.String()+"`") {
				t.Errorf("%s has no page for %s", name, r)
			}
		}
		for _, m := range regexp.MustCompile("`(/[a-z/A-Z-]+)`").FindAllStringSubmatch(string(text), -1) {
			if path := strings.ReplaceAll(m[1], "DOOR", "X"); !patterns[path] {
				t.Errorf("%s names the page %s, which does not exist", name, m[1])
			}
		}
		pages := strings.Split(string(text), "\n## ")[1:]
		heads[name] = len(pages)
		for _, page := range pages {
			if n := strings.Count(strings.TrimSpace(page), "\n"); n > 16 || n < 3 {
				t.Errorf("%s: %q has %d lines: not a page", name, strings.SplitN(page, "\n", 2)[0], n)
			}
		}
	}
	if heads["roles.md"] != heads["roles.ja.md"] {
		t.Errorf("pages in the two languages: %v", heads)
	}
}
