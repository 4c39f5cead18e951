package app

import (
	"context"
	"database/sql"
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
	withSite(t, cfg, func(s *Site) { lost("taken out", s) })
	put(whole)
	withSite(t, cfg, func(s *Site) { sound("put back", s) })
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
		lost("put back, and what was written in between has another key", s)
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 {
			t.Fatal("nothing was disposed of")
		}
		sound("disposed of", s)
		names("disposed of", s, false)
	})
}

// lostFindings counts the open findings of lost keys.
func lostFindings(t *testing.T, s *Site) (n int) {
	t.Helper()
	if err := retainer(s).tellLost(t.Context(), quiet, s.Config.Path(keyStoreFile)); err != nil {
		t.Fatal(err)
	}
	err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(false, 0, 1000)
		for _, f := range list {
			if strings.HasPrefix(f.Detail, "keylost/") {
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

// D17, EV-9, OP-2: one row that somebody changed, the first or the newest of its year, is not called a lost key, whose remedy (another file in the key store's
// place) would make it worse; an error of the database is none either.
func TestDamagedRowIsNoLostKey(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	change := func(set, end string) {
		t.Helper()
		db := ok(sql.Open("sqlite3", "file:"+cfg.Path(databaseFile)))(t)
		var trigger string
		err := db.QueryRow(`SELECT sql FROM sqlite_master WHERE name = 'opening_no_update'`).Scan(&trigger)
		if err == nil {
			_, err = db.Exec(`DROP TRIGGER opening_no_update`)
		}
		if err != nil {
			t.Fatal(err)
		}
		res, err := db.Exec(`UPDATE opening SET ` + set + ` WHERE idx = (SELECT ` + end + `(idx) FROM opening WHERE class = 'register')`)
		if err == nil {
			if n, e := res.RowsAffected(); n != 1 {
				t.Errorf("%d rows: %v", n, e)
			}
			_, err = db.Exec(trigger)
		}
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for end, set := range map[string]string{"min": "ciphertext = zeroblob(length(ciphertext))", "max": "person_ref = zeroblob(16)"} {
		change(set, end)
		withSite(t, cfg, func(s *Site) {
			err := s.keysThere(t.Context())
			wantLine(t, err, "leaf", "fiscal year 2021", "verify --openings")
			if err != nil && (strings.Contains(err.Error(), "put a copy") || !isJapanese(inJapanese(err.Error()))) {
				t.Errorf("%s: %v, in Japanese: %s", end, err, inJapanese(err.Error()))
			}
			if n := lostFindings(t, s); n != 0 {
				t.Errorf("%s: %d findings of a lost key", end, n)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := s.keysThere(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
	}
}

// D17, OP-2: a copy that is put back after another key of that year was made does not open what was written in between: that is told, and not only once the year's
// first record does not open.
func TestWrittenBetweenIsTold(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	put := func(data []byte) {
		t.Helper()
		if err := os.WriteFile(cfg.Path(keyStoreFile), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(withoutKey(t, whole, 2021, entrylog.ClassRegister))
	withSite(t, cfg, func(s *Site) {
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return seedOne(tx, 7, 4) }); err != nil {
			t.Fatal(err)
		}
	})
	put(whole)
	withSite(t, cfg, func(s *Site) {
		wantLine(t, s.keysThere(t.Context()), "the key of register", "fiscal year 2021")
		if n := lostFindings(t, s); n != 1 {
			t.Errorf("%d findings, want 1", n)
		}
	})
}

// D17, EV-9: a key that is lost still, or again, after its finding was closed is a finding again.
func TestLostKeyIsToldAgain(t *testing.T) {
	cfg := siteOf2021(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 3) })
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	if err := os.WriteFile(cfg.Path(keyStoreFile), withoutKey(t, whole, 2021, entrylog.ClassRegister), 0o600); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		for range 2 {
			if n := lostFindings(t, s); n != 1 {
				t.Fatalf("%d findings, want 1", n)
			}
		}
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			list, _, err := tx.Findings(false, 0, 1000)
			for _, f := range list {
				if err == nil && strings.HasPrefix(f.Detail, "keylost/") {
					_, err = tx.AppendFindingAct(store.FindingAct{Finding: f.Idx, Kind: "finding_closed", Account: "a1", AtMS: time.Now().UnixMilli()}, "lan", "")
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if n := lostFindings(t, s); n != 1 {
				t.Errorf("%d open findings after the first was closed, want 1", n)
			}
		}
	})
}
