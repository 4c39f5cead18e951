package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Everything that the directory says of files, forms and rows has its sentence in the page's language: a new message without one
// fails here.
func TestProblemsHaveWords(t *testing.T) {
	b := base(t, Japanese)
	begins := regexp.MustCompile(`^(is|has|holds|asks|lies|names|stands|ends|looks|counts|differs|exists|makes|lasts|sets|overlaps|guards|begins|cannot|cell|column) `)
	// Parts of a sentence, and words for machines only.
	parts := regexp.MustCompile(`^(has no (card|status|day$|day on|days|reader|new section|fallback)|has an unknown|has answers|has a (duress|hand-over|recovery|PIN)|is (counted|disposed|of nobody|not in force|one that|a card or)|has the recovery|has a date$|names a recovery card twice|has %d recovery|asks for a new|has no card|column %q: $|is $|holds no|is open|names %d recovery|has a mode)`)
	verb := regexp.MustCompile(`%[a-z]`)
	seen := 0
	for _, name := range []string{"import", "csv", "rows", "rows_rules", "validate", "validate_rules", "parse", "mynumber", "preset", "warn"} {
		path := "../directory/" + name + ".go"
		if _, err := os.Stat(path); err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, isLit := n.(*ast.BasicLit)
			if !isLit || lit.Kind != token.STRING {
				return true
			}
			text, _ := strconv.Unquote(lit.Value)
			if !begins.MatchString(text) || parts.MatchString(text) {
				return true
			}
			seen++
			text = verb.ReplaceAllString(text, "x")
			if strings.HasSuffix(text, " ") {
				text += "x"
			}
			for _, s := range []string{text, `"x" ` + text, text + "x; keep one row"} {
				if said := b.say.problem(s); said != s && strings.ContainsFunc(said, func(r rune) bool { return r >= 'ぁ' && r <= 'ん' }) {
					return true
				}
			}
			t.Errorf("%s: no Japanese for %q", name, text)
			return true
		})
	}
	if seen < 60 {
		t.Errorf("only %d messages looked at", seen)
	}
	if got := b.say.problem("zone server-room lies in itself"); got != "区域 server-room:自分自身を上位の区域にできません。" {
		t.Errorf("a row reads %q", got)
	}
}
