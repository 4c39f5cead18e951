package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The list of what a program is made of says the same as Go's own tool.
func TestSBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := contents(self, "1", time.Unix(1795000000, 0).UTC())
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := b.write(&text); err != nil {
		t.Fatal(err)
	}
	var read map[string]any
	if err := json.Unmarshal(text.Bytes(), &read); err != nil || read["bomFormat"] != "CycloneDX" || read["specVersion"] != "1.5" {
		t.Fatalf("%v, %v", read["bomFormat"], err)
	}
	have := map[string]string{}
	for _, c := range b.Components {
		have[c.Name] = c.Version
	}
	out, err := exec.Command("go", "version", "-m", self).Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 1 // the standard library
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "dep" {
			continue
		}
		n++
		if have[f[1]] != f[2] {
			t.Errorf("%s %s is linked and not listed", f[1], f[2])
		}
	}
	if n < 5 || n != len(b.Components) || have["std"] == "" {
		t.Errorf("%d linked, %d listed", n, len(b.Components))
	}
	dir := t.TempDir()
	env, err := exec.Command("go", "env", "GOMODCACHE", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	places := strings.Fields(string(env))
	if err := licences(b, places[0], places[1], dir); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(dir + "/github.com/goreleaser/nfpm/v2@*/LICENSE*"); err != nil || len(found) == 0 {
		t.Errorf("licence of nfpm: %v, %v", found, err)
	}
	if licences(bom{Components: []component{{Name: "monban.example/none", Version: "v1.0.0"}}}, t.TempDir(), places[1], dir) == nil {
		t.Error("a module without a licence was passed on")
	}
}

var (
	href = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	id   = regexp.MustCompile(` id="([^"]*)"`)
)

// Every link of the manual leads to a page and a heading that are in the bundle.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	if err := manual("..", dir); err != nil {
		t.Fatal(err)
	}
	pages := map[string]map[string]bool{}
	text := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(p, ".html") {
			return err
		}
		data, err := os.ReadFile(p)
		ids := map[string]bool{}
		for _, m := range id.FindAllStringSubmatch(string(data), -1) {
			ids[m[1]] = true
		}
		pages[p], text[p] = ids, string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	links := 0
	for p, s := range text {
		for _, m := range href.FindAllStringSubmatch(s, -1) {
			u, err := url.Parse(strings.ReplaceAll(m[1], "&amp;", "&"))
			if err != nil {
				t.Errorf("%s: %v", p, err)
				continue
			}
			if u.Host != "" {
				continue
			}
			links++
			to := p
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(p), u.Path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", p, m[1])
			} else if u.Fragment != "" && !pages[to][u.Fragment] {
				t.Errorf("%s links to %s, which has no such heading", p, m[1])
			}
		}
	}
	if len(pages) < 30 || links < 50 {
		t.Errorf("%d pages, %d links", len(pages), links)
	}
	ja := text[filepath.Join(dir, "docs", "operations.ja.html")]
	if !strings.Contains(ja, `<html lang="ja">`) || !strings.Contains(ja, "設置の手順</h2>") {
		t.Error("the Japanese manual is not there")
	}
}
