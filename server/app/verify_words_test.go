package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// EV-1, I8: of a database too one page of plain words says what is proven and what not, in two languages, with the same words as of a
// bundle; it names the first bad record, and says whose word the key is.
func TestVerifyInWords(t *testing.T) {
	cfg := testSite(t)
	var point string
	withSite(t, cfg, func(s *Site) {
		someEntries(t, s.Store, time.Now())
		point = s.Store.Checkpoint()
	})
	db := cfg.Path(databaseFile)
	held := filepath.Join(t.TempDir(), "paper.txt")
	if err := os.WriteFile(held, []byte(point), 0o600); err != nil {
		t.Fatal(err)
	}
	vkey, err := os.ReadFile(cfg.Path(keysDir, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	page := func(o VerifyOptions) (int, string) {
		t.Helper()
		var out bytes.Buffer
		o.Out, o.Words = &out, true
		n, err := Verify(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return n, out.String()
	}
	bad := filepath.Join(t.TempDir(), "bad.db")
	data, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.ReplaceAll(data, []byte(`"door":"D-1"`), []byte(`"door":"D-9"`))
	if bytes.Equal(changed, data) {
		t.Fatal("no decision in the file")
	}
	if err := os.WriteFile(bad, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		o         VerifyOptions
		found     bool
		want, not []string
	}{
		{"as it lies", VerifyOptions{Database: db}, false,
			[]string{"RESULT: nothing was found.", firstLine(vkey), "lay with the database", "openings (names and the like) were not decrypted", "are what the leaves give", "compared with no checkpoint that somebody else holds"},
			[]string{"SHA-256", "not in the file", "is what was written then"}},
		{"all that can be given", VerifyOptions{Database: db, Keys: cfg.DataDir, Openings: true, Held: []string{held}}, false,
			[]string{"RESULT: nothing was found.", "1 checkpoints say that others hold", "Every opening (names and the like) whose key is there"},
			[]string{"lay with the database", "were not decrypted", "compared with no checkpoint"}},
		{"Japanese", VerifyOptions{Database: db, Japanese: true}, false,
			[]string{"【結果】異常は見つかりませんでした。", "【証明されたこと】", "【証明されないこと】", "同じ場所にあったもの"}, []string{"RESULT"}},
		{"a changed record", VerifyOptions{Database: bad, Keys: cfg.DataDir}, true,
			[]string{"findings.", "The first: log_leaf", "those that no finding names are what a signed checkpoint says"}, []string{"nothing was found", "are what the leaves give"}},
		{"the same in Japanese", VerifyOptions{Database: bad, Keys: cfg.DataDir, Japanese: true}, true, []string{"最初の異常: log_leaf"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, text := page(c.o)
			if (n > 0) != c.found {
				t.Errorf("%d findings", n)
			}
			for _, w := range c.want {
				if !strings.Contains(text, w) {
					t.Errorf("does not say %q:\n%s", w, text)
				}
			}
			for _, w := range c.not {
				if strings.Contains(text, w) {
					t.Errorf("says %q:\n%s", w, text)
				}
			}
		})
	}
}

// EV-1: who waits for a long check is told how much of it is done.
func TestProgressTellsTheShare(t *testing.T) {
	var out screen
	tell, stop := tellShare(&out)
	defer stop()
	tell(420, 1000)
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if strings.Contains(out.String(), "42 % checking …") {
			return
		}
	}
	t.Errorf("said %q", out.String())
}
