package bundle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func keys(t *testing.T, name string) (note.Signer, note.Verifier) {
	t.Helper()
	private, public, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return s, v
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

// filled is a folder with three files, signed by s.
func filled(t *testing.T, s note.Signer) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "packages/server.deb", "program")
	put(t, dir, "manual/導入.html", "manual")
	put(t, dir, "README", "")
	if _, err := Make(dir, "0~1.abc", 100, s); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestGood(t *testing.T) {
	s, v := keys(t, "release.example")
	info, err := Verify(filled(t, s), v, 100)
	if err != nil {
		t.Fatal(err)
	}
	if info.Version != "0~1.abc" || info.Number != 100 || len(info.Files) != 3 {
		t.Errorf("%+v", info)
	}
}

// OP-4: unsigned, changed, missing, added, older, signed by others, a link out of the folder: each is refused, and said which.
func TestRefused(t *testing.T) {
	s, v := keys(t, "release.example")
	stranger, _ := keys(t, "release.example") // the same name, another key
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	resign := func(dir string, change func(string) string) {
		data, err := os.ReadFile(filepath.Join(dir, Manifest))
		must(err)
		n, err := note.Open(data, note.VerifierList(v))
		must(err)
		signed, err := note.Sign(&note.Note{Text: change(n.Text)}, s)
		must(err)
		put(t, dir, Manifest, string(signed))
	}
	for name, c := range map[string]struct {
		says  string
		spoil func(dir string)
	}{
		"no list":  {"no bundle", func(d string) { must(os.Remove(filepath.Join(d, Manifest))) }},
		"unsigned": {"not signed", func(d string) { put(t, d, Manifest, "monban bundle 1\nversion 1\nnumber 200\n") }},
		"a stranger's": {"not signed", func(d string) {
			must(os.Remove(filepath.Join(d, Manifest)))
			_, err := Make(d, "9", 900, stranger)
			must(err)
		}},
		"changed list": {"not signed", func(d string) { edit(t, filepath.Join(d, Manifest), "number 100", "number 900") }},
		"changed":      {"packages/server.deb: is not the file", func(d string) { put(t, d, "packages/server.deb", "Program") }},
		"longer":       {"README: is not the file", func(d string) { put(t, d, "README", "x") }},
		"missing":      {"README: is missing", func(d string) { must(os.Remove(filepath.Join(d, "README"))) }},
		"added":        {"packages/more.deb: is not in the list", func(d string) { put(t, d, "packages/more.deb", "") }},
		"a link":       {"neither a file nor a folder", func(d string) { must(os.Symlink("/etc/passwd", filepath.Join(d, "x"))) }},
		"a list by link": {"no list of a bundle", func(d string) {
			m := filepath.Join(d, Manifest)
			must(os.Rename(m, filepath.Join(d, "m")))
			must(os.Symlink("m", m))
		}},
		"older": {"older than one", func(d string) {
			resign(d, func(s string) string { return strings.Replace(s, "number 100", "number 99", 1) })
		}},
		"another format": {"too old", func(d string) {
			resign(d, func(s string) string { return strings.Replace(s, "bundle 1", "bundle 2", 1) })
		}},
		"a way out": {"not one of a file", func(d string) {
			resign(d, func(s string) string { return strings.Replace(s, " README", " ../README", 1) })
		}},
		"other spelling": {"as this program writes", func(d string) {
			resign(d, func(s string) string { return strings.Replace(s, "number 100", "number +100", 1) })
		}},
		"no number": {"has no number", func(d string) {
			resign(d, func(s string) string { return strings.Replace(s, "number 100", "number 0", 1) })
		}},
		"a list too long": {"no list of a bundle", func(d string) { put(t, d, Manifest, strings.Repeat("x", mostBytes+1)) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t, s)
			c.spoil(dir)
			if _, err := Verify(dir, v, 100); err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v", err)
			}
		})
	}
}

func edit(t *testing.T, path, from, to string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The floor only rises, and outlives a damaged try.
func TestFloor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "floor")
	for _, step := range []struct{ raise, want int64 }{{5, 5}, {3, 5}, {9, 9}} {
		if err := Raise(path, step.raise); err != nil {
			t.Fatal(err)
		}
		if got, err := Floor(path); err != nil || got != step.want {
			t.Errorf("after %d: %d, %v", step.raise, got, err)
		}
	}
	put(t, filepath.Dir(path), "floor", "many")
	if err := Raise(path, 10); err == nil {
		t.Error("a damaged floor was overwritten")
	}
}

func TestMakeRefuses(t *testing.T) {
	s, _ := keys(t, "release.example")
	if _, err := Make(filled(t, s), "1", 1, s); err == nil {
		t.Error("a list was made twice")
	}
	if _, err := Make(t.TempDir(), "1", 1, s); err == nil {
		t.Error("an empty folder was signed")
	}
	dir := filled(t, s)
	if _, err := Make(dir, "1 2", 1, s); err == nil {
		t.Error("a version of two words was taken")
	}
}

func FuzzManifest(f *testing.F) {
	f.Add("monban bundle 1\nversion 1\nnumber 1\n")
	f.Add("monban bundle 1\nversion 1\nnumber 1\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 a/b\n")
	f.Fuzz(func(t *testing.T, text string) {
		info, err := parse(text)
		if err == nil && info.text() != text {
			t.Error("read and written again it differs")
		}
	})
}
