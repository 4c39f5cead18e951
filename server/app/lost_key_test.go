package app

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/store"
)

// withoutKey gives a key store's file without one key, as a thief or an accident leaves it; its MAC is not touched.
func withoutKey(t *testing.T, data []byte, year int, class entrylog.Class) []byte {
	t.Helper()
	var form map[string]json.RawMessage
	var keys []map[string]any
	if err := json.Unmarshal(data, &form); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(form["keys"], &keys); err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(slices.Clone(keys), func(k map[string]any) bool { return k["fiscal_year"] == float64(year) && k["class"] == string(class) })
	if len(left) != len(keys)-1 {
		t.Fatalf("no key of %d %s in the file", year, class)
	}
	form["keys"] = ok(json.Marshal(left))(t)
	return ok(json.Marshal(form))(t)
}

// D17, EV-9, OP-2: a key that somebody took out of the key store's file is told at the start, by doctor and by the self-test, also after a new one of that year was
// made; so is a whole file of before. Nothing stands still for it, the finding is made once, and what was disposed of is no such thing.
func TestLostKeyIsTold(t *testing.T) {
	cfg := siteOf2021(t)
	before := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(cfg.Path(keyStoreFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	told := func(s *Site) (n int) {
		t.Helper()
		for range 2 {
			if err := retainer(s).tellLost(t.Context(), quiet, cfg.Path(keyStoreFile)); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, _, err := r.Findings(true, 0, 1000)
			for _, f := range list {
				if f.Kind == "log_doubt" && f.Detail == "keylost/register/2021" {
					n++
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	sound := func(when string, s *Site) {
		t.Helper()
		if err := s.keysThere(t.Context()); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	lost := func(when string, s *Site) {
		t.Helper()
		err := s.keysThere(t.Context())
		wantLine(t, err, "fiscal year 2021", "put a copy")
		if err != nil && !isJapanese(inJapanese(err.Error())) {
			t.Errorf("no Japanese: %v", err)
		}
		if err := (&App{site: s}).checks().check[itemLog](t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "fiscal year 2021") {
			t.Errorf("%s: the self-test says %v", when, err)
		}
	}
	// names reads every opening as the pages do: what cannot be read is not called erased, and what was erased not unreadable.
	names := func(when string, s *Site, want bool) {
		t.Helper()
		n := 0
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			size, err := r.LogSize()
			for idx := range size {
				_, e := r.Opening(idx)
				if e == nil || errors.Is(e, store.ErrNotFound) {
					continue
				}
				n++
				if got := (&pages{log: quiet}).who(r.Reader, idx, []byte{1}, true); got.Unreadable != want {
					t.Errorf("%s: leaf %d (%v) unreadable: %t", when, idx, e, got.Unreadable)
				}
			}
			return err
		})
		if err != nil || n == 0 {
			t.Errorf("%s: %d openings without a key: %v", when, n, err)
		}
	}
	withSite(t, cfg, func(s *Site) {
		sound("as it was", s)
		if told(s) != 0 {
			t.Error("a finding without a cause")
		}
	})
	put(withoutKey(t, whole, 2021, entrylog.ClassRegister))
	withSite(t, cfg, func(s *Site) {
		lost("taken out", s)
		names("taken out", s, true)
		if n := told(s); n != 1 {
			t.Errorf("%d findings, want 1", n)
		}
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return seedOne(tx, 7, 4) }); err != nil { // a new key
			t.Fatalf("something stands still: %v", err)
		}
	})
	withSite(t, cfg, func(s *Site) {
		lost("another one was made", s)
		names("another one was made", s, true)
		if n := told(s); n != 1 {
			t.Errorf("%d findings, want 1", n)
		}
	})
	put(before)
	withSite(t, cfg, func(s *Site) { lost("a file of before", s) })
	put(whole)
	withSite(t, cfg, func(s *Site) {
		sound("put back", s)
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 {
			t.Fatal("nothing was disposed of")
		}
		sound("disposed of", s)
		names("disposed of", s, false)
	})
}
