package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"monban/gateway/config"
)

const imaged = "../firmware/image"

// The image's root holds /init and the gateway: no shell, no account, nothing that could be signed in to. It is built by a module that the
// ordinary tests do not see.
func TestImageHoldsTwoPrograms(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), imaged+"/build/boot.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.FuncDecl); ok && d.Name.Name != "initramfs" {
			return false
		}
		if d, ok := n.(*ast.GenDecl); ok && d.Tok != token.VAR {
			return false // imports and constants
		}
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			s, err := strconv.Unquote(l.Value)
			if err == nil && !strings.Contains(s, "%") && !strings.HasPrefix(s, "\x7f") {
				names = append(names, s)
			}
		}
		return true
	})
	for _, want := range []string{"init", "monban-gateway", "dev/console"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not in the root", want)
		}
	}
	allowed := []string{"boot", "data", "dev", "etc", "proc", "run", "sys", "etc/resolv.conf", "/run/resolv.conf", "init", "monban-gateway", "dev/console"}
	for _, n := range names {
		if !slices.Contains(allowed, n) {
			t.Errorf("%q in the root: what is it for?", n)
		}
	}
	text, err := os.ReadFile(imaged + "/build/boot.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "rdinit=/init ") {
		t.Error("the kernel is not told to start /init")
	}
}

// The example of the package, with the folders of the image, is a configuration.
func TestImageExample(t *testing.T) {
	text, err := os.ReadFile(packaged + "/gateway.toml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "gateway.toml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "/var/lib/monban-gateway/", "/data/monban/")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.DataDir != "/data/monban/data" || c.IdentityDir != "/data/monban/identity" {
		t.Errorf("folders %s and %s", c.DataDir, c.IdentityDir)
	}
}
