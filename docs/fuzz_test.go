package docs

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Goal 15: the table of parsers in reliability-tests.md names every fuzz target of the module, and no other.
func TestFuzzTable(t *testing.T) {
	text, err := os.ReadFile("reliability-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "## Parsers and their fuzz targets")
	if !found {
		t.Fatal("the table is gone")
	}
	var said []string
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.Contains(cells[3], "Fuzz") {
			continue
		}
		for _, name := range strings.Fields(cells[3]) {
			said = append(said, strings.Trim(cells[2], " `")+" "+name)
		}
	}
	var there []string
	target := regexp.MustCompile(`^func (Fuzz[A-Za-z0-9_]+)`)
	for _, top := range []string{"firmware", "gateway", "server"} {
		err := filepath.WalkDir(filepath.Join("..", top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			lines := bufio.NewScanner(f)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if m := target.FindStringSubmatch(lines.Text()); m != nil {
					there = append(there, filepath.ToSlash(filepath.Dir(path))[3:]+" "+m[1])
				}
			}
			return lines.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range there {
		if !slices.Contains(said, x) {
			t.Errorf("%s is a fuzz target; add it to the table in reliability-tests.md", x)
		}
	}
	for _, x := range said {
		if !slices.Contains(there, x) {
			t.Errorf("the table names %s, which is no fuzz target", x)
		}
	}
}
