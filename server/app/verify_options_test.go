package app

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// EV-1, EV-4: an option that the check of a file has no use for is refused with the word of what takes it, before anything is printed: dropped
// silently it would look like one that was met.
func TestVerifyRefusesWhatDoesNotApply(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(*Site) {})
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	policy := file("policy", "quorum none\n")
	kinds := map[string]string{"a database": cfg.Path(databaseFile), "a pack": file("x.zip", "PK\x03\x04"), "the proof": file("x.tlog-proof", "c2sp.org/tlog-proof@v1\n"), "a bundle": file("x.monban", "monban-bundle {")}
	for _, c := range []struct {
		kind, option string
		o            VerifyOptions
	}{
		{"a database", "--policy", VerifyOptions{Policy: policy}},
		{"a bundle", "--openings", VerifyOptions{Openings: true}},
		{"a pack", "--openings", VerifyOptions{Openings: true}},
		{"a pack", "--resume", VerifyOptions{Resume: true}},
		{"the proof", "--openings", VerifyOptions{Openings: true}},
		{"the proof", "--resume", VerifyOptions{Resume: true}},
	} {
		c.o.Database, c.o.Out, c.o.Keys = kinds[c.kind], io.Discard, cfg.DataDir
		if _, err := Verify(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.option+" does not apply to "+c.kind) {
			t.Errorf("%s %s: %v", c.kind, c.option, err)
		}
	}
	if n, err := Verify(t.Context(), VerifyOptions{Database: kinds["a database"], Out: io.Discard}); n != 0 || err != nil {
		t.Errorf("%d findings, %v", n, err)
	}
}
