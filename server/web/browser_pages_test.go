package web_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"monban/server/web"
)

// notLooked are GET routes that are no page of their own, with the reason.
var notLooked = map[string]string{
	"GET /verification/checkpoint": "a file of text", "GET /verification/packs/{job}/file": "a file; TestPackPages takes one",
	"GET /static/{file...}": "a file", "GET /me/factors/totp/code.svg": "a picture of the page before", "GET /live/fragment": "a part of /live", "GET /events": "a stream",
	"GET /{$}": "leads to the role's first page", "GET /login/provider": "leads out of the house", "GET /login/provider/back": "leads on from outside",
	"GET /login/desk/stage": "a word for the script of /login/desk", "GET /step-up/desk/stage": "the same",
	"GET /reports/{job}/{n}": "a file; TestBrowserReports opens one",
}

// Every page of the route table is one that a browser test opens: what is new is looked at in both languages, by axe, wide and narrow, or CI
// says that it is not. The paths are the string expressions of the browser tests.
func TestBrowserListsHoldEveryPage(t *testing.T) {
	var opened []string
	for _, glob := range []string{"browser_test.go", "browser_*_test.go", "alerts_test.go"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if name != "browser_pages_test.go" {
				opened = append(opened, pathsIn(t, name)...)
			}
		}
	}
	missing := func(pattern string) bool {
		path := strings.TrimPrefix(pattern, "GET ")
		whole := regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(path), `[^/+]+`)
		is := regexp.MustCompile(`^` + whole + `$`)
		for _, p := range opened {
			if is.MatchString(p) {
				return false
			}
			if rest, ok := strings.CutPrefix(p, "*"); ok && strings.Count(rest, "/") > 0 { // the beginning is a variable's: its end decides
				if tail := regexp.MustCompile(`^/[^/]+/[^/]+` + regexp.QuoteMeta(rest) + `$`); tail.MatchString(strings.NewReplacer("{", "", "}", "").Replace(path)) {
					return false
				}
			}
		}
		return true
	}
	for _, pattern := range web.Patterns() {
		if !strings.HasPrefix(pattern, "GET ") || strings.Contains(pattern, "/api/") {
			continue
		}
		why, out := notLooked[pattern]
		switch {
		case out && why != "":
		case missing(pattern):
			t.Errorf("no browser test opens %s", pattern)
		}
	}
	if !missing("GET /no-such-page") || !missing("GET /zones/{zone}/no-such-page") {
		t.Error("the check finds what is not there")
	}
}

// pathsIn gives the paths that a test's string expressions make, without their queries; what is not written down is "x" inside and "*" at the beginning.
func pathsIn(t *testing.T, name string) (out []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]string{}
	var text func(e ast.Expr) string
	text = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			if s, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
				return s
			}
		case *ast.BinaryExpr:
			return text(e.X) + strings.ReplaceAll(text(e.Y), "*", "x")
		case *ast.Ident:
			if s := known[e.Name]; s != "" {
				return s
			}
		}
		return "*"
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok {
			for i := range a.Lhs {
				if id, ok := a.Lhs[i].(*ast.Ident); ok && i < len(a.Rhs) {
					known[id.Name] = text(a.Rhs[i])
				}
			}
		}
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		p, _, _ := strings.Cut(text(e), "?")
		if strings.HasPrefix(p, "/") || strings.HasPrefix(p, "*/") {
			out = append(out, p)
		}
		return true
	})
	return out
}
