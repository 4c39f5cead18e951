package app

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
)

// PR-3, D17: what cannot be read because a key is missing is not passed over: the readme says so. With every key it does not.
func TestPersonPackTellsOfMissingKeys(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	readme := func(key []byte, first int) string {
		t.Helper()
		if err := os.WriteFile(cfg.Path(keyStoreFile), key, 0o600); err != nil {
			t.Fatal(err)
		}
		text := ""
		withSite(t, cfg, func(s *Site) {
			x := &exporter{zone: s.Store.Zone(), version: "1", now: func() time.Time { return time.UnixMilli(seedMS) }}
			from := calendar.Date{Year: first, Month: 4, Day: 1}
			ask := &PackExport{Kind: "person", Person: "old000001", From: from, To: calendar.Date{Year: first + 1, Month: 3, Day: 31}}
			var b bytes.Buffer
			out := logcheck.NewPackWriter(&b, "person", "x", time.UnixMilli(seedMS))
			err := s.Store.Read(t.Context(), func(r *store.ReadTx) error { return x.person(t.Context(), r.Reader, out, ask, nil) })
			if err = errors.Join(err, writeManifest(out)); err != nil {
				t.Fatal(err)
			}
			text = zipped(t, b.Bytes())["README.txt"]
		})
		return text
	}
	const word = "鍵がないため読めない記録"
	if text := readme(whole, 2021); strings.Contains(text, word) {
		t.Errorf("every key is there, and the readme says %q", word)
	}
	lost := withoutKey(t, whole, 2021, entrylog.ClassRegister)
	if text := readme(lost, 2021); !strings.Contains(text, word) || !strings.Contains(text, "key is missing") {
		t.Errorf("a key is missing, and the readme does not say so:\n%s", text)
	}
	if text := readme(lost, 2022); strings.Contains(text, word) {
		t.Error("a key of other days is missing, and the readme tells of it")
	}
}
