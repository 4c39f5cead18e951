package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
)

const (
	day   = 24 * 60 * 60
	today = 20_000 * day
)

// plan is what a release of one key takes, and the root of it.
func plan(t *testing.T, number int64) Plan {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "release.example")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	one := update.Holders{Threshold: 1, Keys: []string{public}}
	root, err := MakeRoot(&update.Root{Number: 1, Expires: today + 1000*day, Holders: map[update.Role]update.Holders{
		update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return Plan{Version: "0~1.abc", Number: number, Expires: today + 100*day, Stamped: today, StampExpires: today + 10*day,
		Roots: [][]byte{root}, Release: []note.Signer{s}, Stamp: s}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// filled is a folder with three files, signed.
func filled(t *testing.T, p Plan) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "packages/server.deb", "program")
	put(t, dir, "manual/導入.html", "manual")
	put(t, dir, "README", "")
	if _, err := Make(dir, p); err != nil {
		t.Fatal(err)
	}
	return dir
}

func trusting(t *testing.T, p Plan) update.Trust {
	t.Helper()
	tr, err := update.Begin(p.Roots[0])
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

var now = update.Clock{Now: today + day, Sure: true}

// OP-4: a good folder is good, and from then on nothing older; a new stamp lets a folder live longer.
func TestGood(t *testing.T) {
	p := plan(t, 100)
	dir := filled(t, p)
	l, tr, err := Verify(dir, trusting(t, p), now)
	if err != nil {
		t.Fatal(err)
	}
	if l.Version != "0~1.abc" || l.Number != 100 || len(l.Files) != 3 || tr.Floor() != 100 {
		t.Errorf("%+v", l)
	}
	p.Number = 99
	if _, _, err := Verify(filled(t, p), tr, now); err == nil || !strings.Contains(err.Error(), "older than one") {
		t.Errorf("an older bundle: %v", err)
	}
	later := update.Clock{Now: today + 20*day, Sure: true}
	if _, _, err := Verify(dir, tr, later); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("a bundle whose stamp is over: %v", err)
	}
	p.Stamped, p.StampExpires = today+19*day, today+40*day
	if err := Restamp(dir, p); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Verify(dir, tr, later); err != nil {
		t.Errorf("with a new stamp: %v", err)
	}
}

// OP-4: unsigned, changed, missing, added, a link out of the folder: each is refused, and said which. What signatures can do is tested in
// firmware/update.
func TestRefused(t *testing.T) {
	p := plan(t, 100)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		says  string
		spoil func(dir string)
	}{
		"no list":  {"no release", func(d string) { must(os.Remove(filepath.Join(d, update.ListFile))) }},
		"no stamp": {"no release", func(d string) { must(os.Remove(filepath.Join(d, update.StampFile))) }},
		"unsigned": {"not the list", func(d string) { put(t, d, update.ListFile, "monban bundle 2\nversion 1\nnumber 200\n") }},
		"a stranger's": {"not signed by role stamp", func(d string) {
			must(os.Remove(filepath.Join(d, update.ListFile)))
			must(os.Remove(filepath.Join(d, update.StampFile)))
			must(os.RemoveAll(filepath.Join(d, update.RootFolder)))
			_, err := Make(d, plan(t, 900))
			must(err)
		}},
		"changed":      {"packages/server.deb: is not the file", func(d string) { put(t, d, "packages/server.deb", "Program") }},
		"longer":       {"README: is not the file", func(d string) { put(t, d, "README", "x") }},
		"missing":      {"README: is missing", func(d string) { must(os.Remove(filepath.Join(d, "README"))) }},
		"added":        {"packages/more.deb: is not in the list", func(d string) { put(t, d, "packages/more.deb", "") }},
		"a root added": {"root/x: is not in the list", func(d string) { put(t, d, "root/x", "") }},
		"a root ahead": {"root/7: is not in the list", func(d string) { put(t, d, "root/7", "") }},
		"a link":       {"neither a file nor a folder", func(d string) { must(os.Symlink("/etc/passwd", filepath.Join(d, "x"))) }},
		"a list by link": {"neither a file nor a folder", func(d string) {
			m := filepath.Join(d, update.ListFile)
			must(os.Rename(m, filepath.Join(d, "m")))
			must(os.Symlink("m", m))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, p)
			c.spoil(dir)
			if _, _, err := Verify(dir, trusting(t, p), now); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

// OP-4: what is remembered is kept in a file; damage of it is said and nothing is begun anew.
func TestTrustFile(t *testing.T) {
	p := plan(t, 100)
	path := filepath.Join(t.TempDir(), "trust")
	if _, err := LoadTrust(path, ""); err == nil || !strings.Contains(err.Error(), "--root") {
		t.Errorf("without a root: %v", err)
	}
	root := filepath.Join(t.TempDir(), "root.1")
	put(t, filepath.Dir(root), "root.1", string(p.Roots[0]))
	tr, err := LoadTrust(path, root)
	if err != nil {
		t.Fatal(err)
	}
	if _, tr, err = Verify(filled(t, p), tr, now); err != nil {
		t.Fatal(err)
	}
	if err := SaveTrust(path, tr); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadTrust(path, root); err != nil || got.Floor() != 100 {
		t.Errorf("floor %d, %v", got.Floor(), err)
	}
	put(t, filepath.Dir(path), "trust", "monban trust 1\n")
	if _, err := LoadTrust(path, root); err == nil {
		t.Error("damage was taken for a first time")
	}
}

func TestMakeRefuses(t *testing.T) {
	p := plan(t, 100)
	if _, err := Make(filled(t, p), p); err == nil {
		t.Error("a list was made twice")
	}
	if _, err := Make(t.TempDir(), p); err == nil {
		t.Error("an empty folder was signed")
	}
	for name, change := range map[string]func(*Plan){
		"a version of two words":    func(p *Plan) { p.Version = "1 2" },
		"no number":                 func(p *Plan) { p.Number = 0 },
		"no root":                   func(p *Plan) { p.Roots = nil },
		"a key that is not in root": func(p *Plan) { p.Release = plan(t, 1).Release },
		"over already":              func(p *Plan) { p.StampExpires = today },
	} {
		q := p
		change(&q)
		dir := t.TempDir()
		put(t, dir, "README", "x")
		if _, err := Make(dir, q); err == nil {
			t.Errorf("%s: made", name)
		}
	}
}
