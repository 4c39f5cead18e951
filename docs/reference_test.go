package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pelletier/go-toml/v2"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	gatewayconfig "monban/gateway/config"
	"monban/server/config"
	"monban/server/review"
	"monban/server/visit"
)

// catalogue is one language's texts of the pages.
func catalogue(t *testing.T, language string) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "server", "web", "catalogue", language+".toml"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := toml.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for section, v := range raw {
		out[section] = map[string]string{}
		texts, ok := v.(map[string]any)
		if !ok {
			continue
		}
		for key, text := range texts {
			if s, ok := text.(string); ok {
				out[section][key] = s
			}
		}
	}
	return out
}

// Every reason and every finding stands in the reference with the sentences of the pages, and nothing
// else does.
func TestReferenceWords(t *testing.T) {
	ja, en := catalogue(t, "ja"), catalogue(t, "en")
	var want [][]string
	for _, r := range access.Reasons() {
		want = append(want, []string{"`" + r.String() + "`", ja["reason"][r.String()], en["reason"][r.String()]})
	}
	if diff := cmp.Diff(want, table(t, "reference.md", "## Reasons")); diff != "" {
		t.Errorf("reasons (-code +document):\n%s", diff)
	}
	want = nil
	for _, e := range review.Catalogue() {
		key := strings.TrimPrefix(e.Title, "finding.")
		want = append(want, []string{"`" + string(e.Kind) + "`", e.Severity.String(), string(e.Threat), strconv.Itoa(e.DueDays), ja["finding"][key], en["finding"][key]})
	}
	if diff := cmp.Diff(want, table(t, "reference.md", "## Findings")); diff != "" {
		t.Errorf("findings (-code +document):\n%s", diff)
	}
	for _, row := range append(table(t, "reference.md", "## Reasons"), want...) {
		for _, cell := range row {
			if cell == "" {
				t.Errorf("an empty cell in %q", row)
			}
		}
	}
}

// The settings of visits and their defaults are those of the code.
func TestReferenceVisitSettings(t *testing.T) {
	text, err := json.Marshal(visit.DefaultSettings())
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for _, row := range table(t, "reference.md", "## Settings of visits") {
		key := strings.Trim(row[0], "`")
		value, ok := want[key]
		delete(want, key)
		if n, number := value.(float64); !ok || number && strconv.FormatFloat(n, 'f', -1, 64) != row[1] || !number && row[1] != "none" {
			t.Errorf("%s: the document says %s, the code %v", key, row[1], value)
		}
	}
	for key := range want {
		t.Errorf("%s is missing in the document", key)
	}
}

// keys lists the dotted TOML keys of a configuration struct.
func keys(typ reflect.Type, prefix string) (out []string) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		if f.Tag.Get("toml") == "-" { // no key: filled from elsewhere
			continue
		}
		name := prefix + f.Tag.Get("toml")
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.NumField() > 0 && inner.Field(0).Tag.Get("toml") != "" {
			out = append(out, keys(inner, name+".")...)
			continue
		}
		out = append(out, "`"+name+"`")
	}
	return out
}

func TestReferenceConfigKeys(t *testing.T) {
	for heading, typ := range map[string]reflect.Type{
		"## monban-server's configuration":  reflect.TypeFor[config.Config](),
		"## monban-gateway's configuration": reflect.TypeFor[gatewayconfig.Config](),
	} {
		var got []string
		for _, row := range table(t, "reference.md", heading) {
			got = append(got, row[0])
		}
		want := keys(typ, "")
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" || len(want) < 10 {
			t.Errorf("%s (-code +document):\n%s", heading, diff)
		}
	}
}

// Each sample configuration, and each one printed in a document, parses.
func TestSampleConfigs(t *testing.T) {
	n := 0
	for _, glob := range []string{"server/config/testdata/samples/*.toml", "gateway/config/samples/*.toml"} {
		files, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			n++
			if strings.Contains(f, "gateway") {
				_, err = gatewayconfig.Load(f)
			} else {
				_, err = config.Load(f)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	if n < 4 {
		t.Errorf("only %d samples", n)
	}
	data, err := os.ReadFile("operations.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```toml\n(.*?)```").FindStringSubmatch(string(data))
	if block == nil {
		t.Fatal("operations.md: the sample configuration is gone")
	}
	if _, err := config.Parse("operations.md", []byte(block[1])); err != nil {
		t.Error(err)
	}
}

// Events and message kinds of the code stand in their documents.
func TestWordsOfTheProtocol(t *testing.T) {
	for file, words := range map[string][]string{
		"at-the-door.md": eventNames(),
		"protocol.md": {wire.KindHello, wire.KindHeartbeat, wire.KindAsk, wire.KindEvents, wire.KindWant, wire.KindWelcome, wire.KindLease,
			wire.KindAnswer, wire.KindAck, wire.KindPolicy, wire.KindChunk},
	} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if !strings.Contains(string(data), "| `"+w+"` |") {
				t.Errorf("%s has no row of `%s`", file, w)
			}
		}
	}
}

func eventNames() (out []string) {
	for _, e := range door.Events() {
		out = append(out, string(e))
	}
	return out
}

var columnLine = regexp.MustCompile(`\{"([a-z_]+)", "([^"]+)", (true|false)\}`)

// The table of CSV columns has what the import reads.
func TestCSVColumns(t *testing.T) {
	var code []byte
	for _, name := range []string{"rows.go", "rows_rules.go"} {
		data, err := os.ReadFile(filepath.Join(root, "server", "directory", name))
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, data...)
	}
	count := func(into map[string]int, english, japanese string, must bool) {
		if must {
			japanese += " *"
		}
		into["`"+english+"` "+japanese]++
	}
	want, got := map[string]int{}, map[string]int{}
	for _, m := range columnLine.FindAllStringSubmatch(string(code), -1) {
		count(want, m[1], m[2], m[3] == "true")
	}
	for _, row := range table(t, "operations.md", "## CSV files") {
		for _, cell := range strings.Split(row[1], ", ") {
			got[cell]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 20 {
		t.Errorf("columns (-code +document):\n%s", diff)
	}
}

var (
	codeSpan   = regexp.MustCompile("(?s)`([^`\n]+)`")
	flagWord   = regexp.MustCompile(`^--[a-z-]+$`)
	subcommand = regexp.MustCompile(`^[a-z]+$`)
	asUser     = regexp.MustCompile(`^runuser -u [a-z-]+ -- `)
	required   = regexp.MustCompile(` (--[a-z-]+)=`) // in the first line of a command's help those stand that it does not run without
)

// Each command line of our programs that a document shows is one that they have, with its flags.
func TestCommandsExist(t *testing.T) {
	if testing.Short() {
		t.Skip("builds both programs: not in -short")
	}
	dir := t.TempDir()
	for _, program := range []string{"server", "gateway"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "monban-"+program), "./"+program)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	helps := map[string]string{}
	tried := 0
	for _, file := range []string{"../README.md", "operations.md", "operations.ja.md", "first-door.md", "hardware-setup.md", "architecture.md", "log-format.md"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codeSpan.FindAllStringSubmatch(string(data), -1) {
			words := strings.Fields(asUser.ReplaceAllString(m[1], ""))
			if len(words) < 2 || words[0] != "monban-server" && words[0] != "monban-gateway" {
				continue
			}
			args := []string{}
			for _, w := range words[1:] {
				if !subcommand.MatchString(w) {
					break
				}
				args = append(args, w)
			}
			line := words[0] + " " + strings.Join(args, " ")
			help, ok := helps[line]
			if !ok {
				out, err := exec.Command(filepath.Join(dir, words[0]), append(args, "--help")...).CombinedOutput()
				if err != nil {
					t.Errorf("%s: `%s --help`: %v", file, line, err)
				}
				help = string(out)
				if len(args) > 0 && !strings.HasPrefix(help, "Usage: "+line) {
					t.Errorf("%s: `%s` is no command", file, line)
				}
				helps[line] = help
			}
			tried++
			usage, _, _ := strings.Cut(help, "\n")
			if len(words) > len(args)+1 { // with anything behind its name it is a line to type, else a mention
				for _, f := range required.FindAllStringSubmatch(usage, -1) {
					if !strings.Contains(m[1], f[1]) && !strings.Contains(m[1], "…") {
						t.Errorf("%s: `%s` does not run without %s", file, m[1], f[1])
					}
				}
			}
			for i, w := range words {
				if w == "--out" && i+1 < len(words) && strings.HasPrefix(words[i+1], "/etc/") {
					t.Errorf("%s: `%s`: no unit may write there", file, m[1])
				}
				if flagWord.MatchString(w) && !strings.Contains(help, w) {
					t.Errorf("%s: `%s` has no flag %s", file, line, w)
				}
			}
		}
	}
	if tried < 20 || len(helps) < 10 {
		t.Errorf("only %d command lines of %d commands found", tried, len(helps))
	}
	// A wrong command line is one line and a code of its own.
	for _, args := range [][]string{{"--colour"}, {"doctor", "--colour"}, {"sing"}, {}} {
		for _, program := range []string{"monban-server", "monban-gateway"} {
			out, err := exec.Command(filepath.Join(dir, program), args...).CombinedOutput()
			if err == nil || strings.Count(string(out), "\n") != 1 {
				t.Errorf("%s %v: %v\n%s", program, args, err, out)
			}
		}
	}
}

// Documents and comments name only documents that are here.
func TestNamedDocumentsExist(t *testing.T) {
	name := regexp.MustCompile(`[A-Za-z0-9_./-]*[A-Za-z0-9_-]\.md\b`)
	err := filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", ".cache", "node_modules", "bin", "demo", "testdata":
				return filepath.SkipDir
			}
			return nil
		}
		switch filepath.Ext(p) {
		case ".go", ".md", ".sql", ".toml", ".tmpl", ".html", ".js", ".css", ".csv":
		default:
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if strings.Contains(string(data), "DESIGN "+"§") {
			t.Errorf("%s refers to a section of a document that is not here", p)
		}
		for _, m := range name.FindAllString(string(data), -1) {
			here := false
			for _, dir := range []string{filepath.Dir(p), root, filepath.Join(root, "docs")} {
				if _, err := os.Stat(filepath.Join(dir, m)); err == nil {
					here = true
				}
			}
			if !here && !strings.HasSuffix(p, "_test.go") {
				t.Errorf("%s names %s, which is not here", p, m)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
