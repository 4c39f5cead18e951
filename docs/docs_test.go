// Package docs holds no code of the product, only the tests that keep the documents true.
package docs

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "monban"

// root is the module's folder: the parent of docs/.
const root = ".."

// table returns the rows of the first Markdown table below the line that contains heading, as
// trimmed cells, without the head and rule lines.
func table(t *testing.T, file, heading string) [][]string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(data), heading)
	if !found {
		t.Fatalf("%s: no line %q", file, heading)
	}
	var rows [][]string
	sc := bufio.NewScanner(strings.NewReader(after))
	for sc.Scan() {
		line := sc.Text()
		if !strings.HasPrefix(line, "|") {
			if len(rows) > 0 {
				break
			}
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("%s: no table below %q", file, heading)
	}
	return rows[2:]
}

// source is one parsed Go file of the module.
type source struct {
	path    string // slash path below the module's root
	pkg     string // folder below the root
	test    bool
	file    *ast.File
	imports []string
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", ".cache", "node_modules", "testdata", "bin", "demo":
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(p, "go.mod")); err == nil && p != root {
				return filepath.SkipDir // a module of its own, such as packaging: neither program can import it
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{path: filepath.ToSlash(rel), file: f, test: strings.HasSuffix(p, "_test.go")}
		s.pkg = filepath.ToSlash(filepath.Dir(rel))
		for _, im := range f.Imports {
			name, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("only %d Go files found: the walk is broken", len(out))
	}
	return out
}

func allowed(rules []string, pkg string) bool {
	for _, r := range rules {
		if r == pkg {
			return true
		}
		if tree, ok := strings.CutSuffix(r, "/**"); ok && strings.HasPrefix(pkg, tree+"/") {
			return true
		}
	}
	return false
}

// Each package of ours imports only what its row allows; each row has a package with content.
func TestImportTable(t *testing.T) {
	rules := map[string][]string{}
	for _, row := range table(t, "architecture.md", "## Packages and what each may import") {
		var list []string
		if row[2] != "-" {
			list = strings.Fields(row[2])
		}
		rules[row[0]] = list
	}
	seen := map[string]bool{}
	for _, s := range sources(t) {
		// Trees of tests only: this package, and the whole-process tests that see both sides (D2).
		if s.pkg == "docs" || s.pkg == "server/world/e2e" {
			continue
		}
		list, ok := rules[s.pkg]
		if !ok {
			t.Errorf("%s: package %s has no row in docs/architecture.md", s.path, s.pkg)
			continue
		}
		seen[s.pkg] = true
		if s.test {
			continue
		}
		for _, im := range s.imports {
			ours, ok := strings.CutPrefix(im, module+"/")
			if ok && !allowed(list, ours) {
				t.Errorf("%s imports %s; its row allows %v", s.path, ours, list)
			}
		}
	}
	for pkg := range rules {
		if !seen[pkg] {
			t.Errorf("docs/architecture.md: row %s has no Go file", pkg)
		}
	}
}

// The gateway and the server do not import each other, not even in tests; server/world is the one
// place that sees both sides, and only the server's command line may reach it.
func TestTwoSides(t *testing.T) {
	for _, s := range sources(t) {
		world := s.pkg == "server/world" || strings.HasPrefix(s.pkg, "server/world/")
		for _, im := range s.imports {
			switch ours, _ := strings.CutPrefix(im, module+"/"); {
			case strings.HasPrefix(s.pkg, "gateway") && strings.HasPrefix(ours, "server"),
				strings.HasPrefix(s.pkg, "server") && strings.HasPrefix(ours, "gateway") && !world:
				t.Errorf("%s imports %s: only server/world sees both sides", s.path, ours)
			case strings.HasPrefix(ours, "server/world") && s.pkg != "server" && !world:
				t.Errorf("%s imports %s: only server/main.go may", s.path, ours)
			}
		}
	}
}

func TestSoleImporters(t *testing.T) {
	rows := table(t, "architecture.md", "Only these packages may import these modules")
	files := sources(t)
	for _, row := range rows {
		list := strings.Fields(row[1])
		for _, s := range files {
			if s.test {
				continue
			}
			for _, im := range s.imports {
				match := im == row[0] || strings.HasPrefix(im, strings.TrimSuffix(row[0], "/")+"/")
				if row[0] == "log" || row[0] == "testing" || row[0] == "unsafe" {
					match = im == row[0]
				}
				if !match || slices.Contains(list, s.pkg) {
					continue
				}
				t.Errorf("%s imports %s, which only %s may", s.path, im, row[1])
			}
		}
	}
}

var ticked = regexp.MustCompile("`([^`]+)`")

// I9, D4: the pure core has no I/O, clock or goroutine.
func TestPureCore(t *testing.T) {
	data, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(data), "The pure core may import only these")
	list, rest, found := strings.Cut(after, "\n\n(")
	if !found {
		t.Fatal("architecture.md: the allow-list of the pure core is gone")
	}
	allow := map[string]bool{}
	for _, m := range ticked.FindAllStringSubmatch(list, -1) {
		allow[m[1]] = true
	}
	banned := map[string]bool{}
	for _, m := range ticked.FindAllStringSubmatch(rest, -1) {
		if name, ok := strings.CutPrefix(m[1], "time."); ok {
			banned[name] = true
		}
	}
	if len(allow) < 10 || len(banned) < 8 {
		t.Fatalf("architecture.md: read %d allowed imports and %d banned calls", len(allow), len(banned))
	}
	core := 0
	for _, s := range sources(t) {
		if !strings.HasPrefix(s.pkg, "firmware/") || s.test {
			continue
		}
		core++
		for _, im := range s.imports {
			if !strings.HasPrefix(im, module+"/firmware/") && !allow[im] {
				t.Errorf("%s imports %s: not on the pure core's list", s.path, im)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: a go statement in the pure core", s.path)
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && banned[n.Sel.Name] {
					t.Errorf("%s: time.%s in the pure core", s.path, n.Sel.Name)
				}
			}
			return true
		})
	}
	if core < 8 {
		t.Fatalf("only %d files of the pure core seen", core)
	}
}

// No init functions and no os.Exit outside the three mains.
func TestNoHiddenStart(t *testing.T) {
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		main := s.path == "server/main.go" || s.path == "gateway/main.go" || s.path == "server/monban-verify/main.go"
		for _, d := range s.file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", s.path)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && sel.Sel.Name == "Exit" && !main {
					t.Errorf("%s: os.Exit outside main.go", s.path)
				}
			}
			return true
		})
	}
}

// Every function on the badge path exists.
func TestBadgePath(t *testing.T) {
	have := map[string]bool{}
	for _, s := range sources(t) {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil && len(f.Recv.List) == 1 {
				switch r := f.Recv.List[0].Type.(type) {
				case *ast.StarExpr:
					if id, ok := r.X.(*ast.Ident); ok {
						name = "(*" + id.Name + ")." + name
					}
				case *ast.Ident:
					name = r.Name + "." + name
				}
			}
			have[s.path+" "+name] = true
		}
	}
	planned := 0
	for _, row := range table(t, "architecture.md", "## One badge read") {
		exists := have[row[1]+" "+row[2]]
		switch {
		case row[3] == "planned":
			planned++
			if exists {
				t.Errorf("%s %s exists: take away its mark `planned`", row[1], row[2])
			}
		case !exists:
			t.Errorf("badge path: %s has no function %s", row[1], row[2])
		}
	}
	if planned > 3 {
		t.Errorf("%d rows of the badge path are planned; at most 3 may be", planned)
	}
}

// The gateway builds without cgo for every machine it is meant for.
func TestGatewayBuilds(t *testing.T) {
	if os.Getenv("MONBAN_CROSS") == "" {
		t.Skip("four cross builds: make test-arm")
	}
	for _, target := range [][]string{
		{"GOARCH=amd64"}, {"GOARCH=arm64"}, {"GOARCH=arm", "GOARM=7"}, {"GOARCH=arm", "GOARM=6"},
	} {
		t.Run(strings.Join(target, ","), func(t *testing.T) {
			cmd := exec.Command("go", "build", "-o", os.DevNull, "./gateway")
			cmd.Dir = root
			cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux"), target...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Neither program links the testing package or a package made for tests.
func TestProgramsHoldNoTests(t *testing.T) {
	for _, program := range []string{"./server", "./gateway"} {
		cmd := exec.Command("go", "list", "-deps", program)
		cmd.Dir = root
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.FieldsSeq(string(out)) {
			if dep == "testing" || strings.HasPrefix(dep, module+"/") && strings.HasSuffix(dep, "test") {
				t.Errorf("%s links %s", program, dep)
			}
		}
	}
}

// docs/deps lists the modules that each program links, so that a new one is seen in review and gets its
// line in docs/adr/0012-dependencies.md.
func TestLinkedModules(t *testing.T) {
	adr, err := os.ReadFile("adr/0012-dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	for program, cgo := range map[string]string{"gateway": "0", "server": "1"} {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}}{{end}}", "./"+program)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, module+" ") && line != module {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		got = slices.Compact(got)
		want, err := os.ReadFile("deps/" + program + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		if text := strings.Join(got, "\n") + "\n"; text != string(want) {
			t.Errorf("docs/deps/%s.txt differs from what %s links (run make deps, and say why in ADR 0012):\n%s", program, program, text)
		}
	}
	for _, direct := range []string{"paho.mqtt.golang", "nats-server", "go-sqlite3", "go.etcd.io/bbolt", "golang.org/x/mod"} {
		if !strings.Contains(string(adr), direct) {
			t.Errorf("ADR 0012 does not say why %s is used", direct)
		}
	}
}

// D30: serve cannot inject a read and cannot construct server/world.
func TestServeCannotInject(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !strings.HasPrefix(s.pkg, "server/app") {
			continue
		}
		for _, im := range s.imports {
			if strings.Contains(im, "server/world") || strings.Contains(im, "hal/sim") {
				t.Errorf("%s imports %s: serve must not reach it", s.path, im)
			}
		}
	}
}

// README: the first command tries the product, the second proves it, and both are make targets.
func TestReadmeCommands(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	run, test := strings.Index(string(readme), "\nmake run\n"), strings.Index(string(readme), "\nmake test\n")
	if run < 0 || test < 0 || test < run {
		t.Errorf("README.md: wants `make run` and then `make test`, each alone on a line")
	}
	for _, m := range regexp.MustCompile(`(?m)\bmake ([a-z0-9-]+)`).FindAllStringSubmatch(string(readme), -1) {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:.*## `).Match(makefile) {
			t.Errorf("README.md names `make %s`, which the Makefile does not explain", m[1])
		}
	}
	budget, err := os.ReadFile(filepath.Join(root, ".ci", "budget.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	first, sum := "", 0
	for line := range strings.Lines(string(budget)) {
		stage, limit, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok || strings.HasPrefix(stage, "#") {
			continue
		}
		if first == "" {
			first = stage
		}
		n, err := strconv.Atoi(limit)
		if err != nil {
			t.Errorf("budget.tsv: %q: %v", line, err)
		}
		sum += n
	}
	// D31: CI begins with the README's test command and keeps to 2,400 s.
	if first != "test" || sum > 2400 {
		t.Errorf("budget.tsv begins with %q (want test) and sums to %d s (at most 2400)", first, sum)
	}
}

// Relative links of every Markdown file lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == ".cache" || d.Name() == "demo") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".md") {
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), m[1])); err != nil {
				t.Errorf("%s: link to %s leads nowhere", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
