package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A view whose field has a name of the page's frame hides the frame's: the footer then names a room for a time zone.
func TestViewsHideNothingOfTheFrame(t *testing.T) {
	frame := []string{"Lang", "Site", "Nav", "SubNav", "SubTitle", "User", "Bare", "Masked", "Here", "ZoneName", "Made", "Assets", "Notice", "Languages"}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	embeds, fields := map[string][]string{}, map[string][]string{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			s, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			st, ok := s.Type.(*ast.StructType)
			if !ok {
				return true
			}
			for _, field := range st.Fields.List {
				if id, ok := field.Type.(*ast.Ident); ok && len(field.Names) == 0 {
					embeds[s.Name.Name] = append(embeds[s.Name.Name], id.Name)
				}
				for _, id := range field.Names {
					fields[s.Name.Name] = append(fields[s.Name.Name], id.Name)
				}
			}
			return true
		})
	}
	var isView func(string) bool
	isView = func(name string) bool {
		return slices.ContainsFunc(embeds[name], func(e string) bool { return e == "Base" || isView(e) })
	}
	views := 0
	for name := range embeds {
		if !isView(name) {
			continue
		}
		views++
		for _, f := range fields[name] {
			if slices.Contains(frame, f) {
				t.Errorf("%s.%s hides what the page's frame shows", name, f)
			}
		}
	}
	if views < 40 {
		t.Errorf("only %d views are seen", views)
	}
}
