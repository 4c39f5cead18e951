package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	tableClass = regexp.MustCompile(`<table class="([^"]*)"`)
	boxRule    = regexp.MustCompile(`(?m)^\s*\.([a-z-]+) \{[^}]*display: (?:flex|grid)`)
)

// A table whose class is also that of a row of boxes loses its columns: header and lines stand side by side.
func TestTablesStayTables(t *testing.T) {
	css, err := files.ReadFile("static/app.css")
	if err != nil {
		t.Fatal(err)
	}
	var boxes []string
	for _, m := range boxRule.FindAllStringSubmatch(string(css), -1) {
		boxes = append(boxes, m[1])
	}
	if len(boxes) < 10 {
		t.Fatal("found only these rules of boxes:", boxes)
	}
	tables := 0
	for name, text := range templates(t) {
		for _, m := range tableClass.FindAllStringSubmatch(text, -1) {
			tables++
			for _, class := range strings.Fields(m[1]) {
				if slices.Contains(boxes, class) {
					t.Errorf("%s: class %q of a table lays out boxes elsewhere", name, class)
				}
			}
		}
	}
	if tables < 10 {
		t.Errorf("found only %d tables", tables)
	}
}
