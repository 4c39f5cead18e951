package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
)

// citations maps each requirement ID (AD-5) and invariant (I4) to the test files that name it.
func citations(t *testing.T) map[string][]string {
	t.Helper()
	cite := regexp.MustCompile(`\b([A-Z]{2}-[0-9]{1,2}|I[0-9]{1,2})\b`)
	out := map[string][]string{}
	var tests []string
	for _, s := range sources(t) {
		if s.test && s.pkg != "docs" {
			tests = append(tests, s.path)
		}
	}
	stories, err := filepath.Glob(filepath.Join(root, "server/world/stories/*.story")) // tests too: each can fail
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	for _, s := range stories {
		path, err := filepath.Rel(root, s)
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, path)
	}
	for _, path := range tests {
		data, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, m := range cite.FindAllString(string(data), -1) {
			if !seen[m] {
				seen[m] = true
				out[m] = append(out[m], path)
			}
		}
	}
	return out
}

type requirement struct{ id, part string }

func requirements(t *testing.T) (rows []requirement, built map[string]bool) {
	t.Helper()
	data, err := os.ReadFile("requirements.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^\| ([A-Z]{2}-[0-9]+) \|.*\| ([a-z]*) \|$`)
	for _, m := range line.FindAllStringSubmatch(string(data), -1) {
		rows = append(rows, requirement{m[1], m[2]})
	}
	built = map[string]bool{}
	for _, row := range table(t, "requirements.md", "Built so far") {
		built[row[0]] = row[1] == "built"
	}
	return rows, built
}

// Every row has an owner; every row of a built part has a test that names it; every ID that a test
// names exists.
func TestRequirementsTable(t *testing.T) {
	rows, built := requirements(t)
	if len(rows) != 103 {
		t.Errorf("requirements.md has %d rows, want 103", len(rows))
	}
	cited := citations(t)
	known := map[string]bool{}
	for _, r := range rows {
		known[r.id] = true
		isBuilt, ok := built[r.part]
		if !ok {
			t.Errorf("%s: its part %q is not in the table of parts", r.id, r.part)
		}
		state := "open"
		switch {
		case len(cited[r.id]) > 0:
			state = "tested in " + strings.Join(cited[r.id], " ")
		case isBuilt:
			state = "NO TEST"
			t.Errorf("%s belongs to %s, which is built, and no test names it", r.id, r.part)
		}
		fmt.Printf("ROW %-6s %-9s %s\n", r.id, r.part, state)
	}
	var unknown []string
	for id := range cited {
		if strings.Contains(id, "-") && !known[id] {
			unknown = append(unknown, id+" in "+strings.Join(cited[id], " "))
		}
	}
	sort.Strings(unknown)
	for _, u := range unknown {
		// Other standards have codes of the same shape (for example UTF-8); only our areas count.
		if regexp.MustCompile(`^(AD|DS|VE|EQ|VR|RR|EV|RA|AL|OP|PR)-`).MatchString(u) {
			t.Errorf("a test names a requirement that does not exist: %s", u)
		}
	}
}

// Each promise I1–I10 is named by a test. I5's and I7's and I10's machinery belongs to the trust
// work; until that is built they are not demanded here.
func TestInvariantsCited(t *testing.T) {
	cited := citations(t)
	_, built := requirements(t)
	later := map[string]bool{"I5": true, "I7": true, "I10": true}
	for i := 1; i <= 10; i++ {
		id := fmt.Sprintf("I%d", i)
		if later[id] && !built["trust"] {
			continue
		}
		if len(cited[id]) == 0 {
			t.Errorf("no test names %s", id)
		}
	}
}
