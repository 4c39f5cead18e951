package main

import (
	"bytes"
	"fmt"
	"html"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Which documents are the manual: all but reports of measurements and decision records, for people who install and use it.
var manualTrees = []string{"README.md", "SECURITY.md", "CHANGELOG.md", "docs", "hardware"}

// manual writes the Markdown documents of root as HTML into dir, in the same tree, with the pictures that they show.
func manual(root, dir string) error {
	pages := map[string]bool{}
	for _, tree := range manualTrees {
		err := filepath.WalkDir(filepath.Join(root, tree), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && (d.Name() == "reports" || d.Name() == "testdata") {
				return filepath.SkipDir
			}
			if !d.IsDir() && strings.HasSuffix(p, ".md") {
				rel, err := filepath.Rel(root, p)
				if err != nil {
					return err
				}
				pages[filepath.ToSlash(rel)] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for p := range pages {
		if err := page(root, dir, p, pages); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	return nil
}

func page(root, dir, name string, pages map[string]bool) error {
	source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
	doc := md.Parser().Parse(text.NewReader(source), parser.WithContext(parser.NewContext(parser.WithIDs(&anchors{seen: map[string]int{}}))))
	var pictures []string
	var away []*ast.Link
	err = ast.Walk(doc, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.Link:
			if !in {
				break
			}
			target, keep := relink(name, string(n.Destination), pages)
			n.Destination = []byte(target)
			if !keep {
				away = append(away, n)
			}
		case *ast.Image:
			if in {
				pictures = append(pictures, path.Join(path.Dir(name), string(n.Destination)))
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return err
	}
	// A link to what is not in the bundle, such as source code, becomes its words.
	for _, l := range away {
		for c := l.FirstChild(); c != nil; c = l.FirstChild() {
			l.Parent().InsertBefore(l.Parent(), l, c)
		}
		l.Parent().RemoveChild(l.Parent(), l)
	}
	var body bytes.Buffer
	if err := md.Renderer().Render(&body, source, doc); err != nil {
		return err
	}
	lang := "en"
	if strings.HasSuffix(strings.TrimSuffix(name, ".md"), ".ja") {
		lang = "ja"
	}
	out := fmt.Sprintf("<!doctype html>\n<html lang=%q>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<style>body{max-width:60rem;margin:2rem auto;padding:0 1rem;font-family:sans-serif;line-height:1.6}"+
		"table{border-collapse:collapse}td,th{border:1px solid #888;padding:.2rem .5rem;vertical-align:top}pre{overflow:auto;background:#eee;padding:.5rem}img{max-width:100%%}</style>\n%s</html>\n",
		lang, html.EscapeString(strings.TrimPrefix(strings.SplitN(string(source), "\n", 2)[0], "# ")), body.String())
	if err := put(filepath.Join(dir, filepath.FromSlash(strings.TrimSuffix(name, ".md")+".html")), []byte(out)); err != nil {
		return err
	}
	for _, p := range pictures {
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
		if err == nil {
			err = put(filepath.Join(dir, filepath.FromSlash(p)), data)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// relink turns a link of page name into one of the HTML tree; false when its target is not there.
func relink(name, target string, pages map[string]bool) (string, bool) {
	if strings.Contains(target, "://") || strings.HasPrefix(target, "#") || strings.HasPrefix(target, "mailto:") {
		return target, true
	}
	file, anchor, has := strings.Cut(target, "#")
	if !pages[path.Join(path.Dir(name), file)] {
		return target, false
	}
	file = strings.TrimSuffix(file, ".md") + ".html"
	if has {
		file += "#" + anchor
	}
	return file, true
}

// anchors names headings as the repository's host does, so that links hold in both places; letters of any script count.
type anchors struct{ seen map[string]int }

func (a *anchors) Generate(value []byte, _ ast.NodeKind) []byte {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(string(value))) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '-':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	id := b.String()
	n := a.seen[id]
	a.seen[id]++
	if n > 0 {
		id += "-" + strconv.Itoa(n)
	}
	return []byte(id)
}

func (a *anchors) Put(value []byte) { a.seen[string(util.EscapeHTML(value))]++ }
