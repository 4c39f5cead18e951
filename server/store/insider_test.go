package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"monban/server/entrylog"
	"monban/server/keystore"
)

// insider is somebody with the database file, the program and time. Each class of change must be
// found, the last one only with a checkpoint that somebody else kept.
func TestInsider(t *testing.T) { // I8, EV-1
	s, data := template(t)
	type row struct {
		kind string
		body []byte
	}
	read := func(t *testing.T) []row {
		db := rawDB(t, s.path)
		defer db.Close()
		rows, err := db.Query(`SELECT kind, body FROM log_leaf ORDER BY idx`)
		must(t, err)
		defer rows.Close()
		var out []row
		for rows.Next() {
			var r row
			must(t, rows.Scan(&r.kind, &r.body))
			out = append(out, r)
		}
		must(t, rows.Err())
		return out
	}
	// rehash writes the leaves anew with a tree that fits them, as somebody would who knows RFC 6962.
	rehash := func(t *testing.T, leaves []row) {
		db := rawDB(t, s.path)
		defer db.Close()
		_, err := db.Exec(`DELETE FROM log_leaf`)
		must(t, err)
		var tree entrylog.Tree
		for i, l := range leaves {
			var hashes []byte
			_, hashes = tree.Append(nil, entrylog.LeafHash(l.body))
			_, err := db.Exec(`INSERT INTO log_leaf (idx, kind, body, hashes) VALUES (?, ?, ?, ?)`, i, l.kind, l.body, hashes)
			must(t, err)
		}
	}
	edited := func(l row) row {
		l.body = []byte(strings.Replace(string(l.body), `"outcome":"granted"`, `"outcome":"denied"`, 1))
		return l
	}
	for _, tc := range []struct {
		name string
		do   func(t *testing.T)
		want string // table and key that must be named
	}{
		{"delete a leaf", func(t *testing.T) { exec(t, s.path, `DELETE FROM log_leaf WHERE idx = 41`) }, "log_leaf 41"},
		{"delete the newest leaves", func(t *testing.T) {
			exec(t, s.path, `DELETE FROM log_leaf WHERE idx > (SELECT max(idx) - 5 FROM log_leaf)`)
		}, "checkpoint "},
		{"edit a body", func(t *testing.T) {
			exec(t, s.path, `UPDATE log_leaf SET body = CAST(replace(body, '"outcome":"granted"', '"outcome":"denied"') AS BLOB) WHERE idx = 1`)
		}, "log_leaf 1"},
		{"edit a row people read", func(t *testing.T) {
			exec(t, s.path, `UPDATE attempt SET outcome = 'denied', reason = 'no_grant' WHERE first_idx = 1`)
		}, "attempt "},
		{"swap two leaves", func(t *testing.T) {
			exec(t, s.path, `UPDATE log_leaf SET idx = 99999 WHERE idx = 20; UPDATE log_leaf SET idx = 20 WHERE idx = 21; UPDATE log_leaf SET idx = 21 WHERE idx = 99999`)
		}, "log_leaf 2"},
		{"swap two openings", func(t *testing.T) {
			exec(t, s.path, `CREATE TEMP TABLE o AS SELECT * FROM opening WHERE idx IN (SELECT idx FROM opening WHERE class = 'register' LIMIT 2);
				UPDATE opening SET row_key = (SELECT row_key FROM o WHERE o.idx <> opening.idx), ciphertext = (SELECT ciphertext FROM o WHERE o.idx <> opening.idx)
				WHERE idx IN (SELECT idx FROM o)`)
		}, "opening "},
		{"insert into the past, whole tree re-hashed", func(t *testing.T) {
			l := read(t)
			rehash(t, slices.Insert(l, 30, l[29]))
		}, "checkpoint "},
		{"edit, whole tree re-hashed", func(t *testing.T) {
			l := read(t)
			l[1] = edited(l[1])
			rehash(t, l)
		}, "checkpoint "},
		{"delete a checkpoint's log tail and the checkpoints", func(t *testing.T) {
			exec(t, s.path, `DELETE FROM checkpoint WHERE size > 100; DELETE FROM log_leaf WHERE idx >= 100`)
		}, "attempt "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			must(t, os.WriteFile(s.path, data, 0o600))
			tc.do(t)
			res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(true))
			must(t, err)
			for _, f := range res.Findings {
				if strings.HasPrefix(f.String(), tc.want) {
					return
				}
			}
			t.Errorf("verify does not name %q, but %v", tc.want, firstOf(res))
		})
	}
	t.Run("everything rewritten, with the log key", func(t *testing.T) {
		must(t, os.WriteFile(s.path, data, 0o600))
		st := s.open(t) // the anchor file is the witness here
		kept := st.Checkpoint()
		must(t, st.Close())
		l := read(t)
		l[1] = edited(l[1])
		rehash(t, l)
		st, err := Open(s.path, s.options())
		must(t, err)
		defer st.Close()
		if st.SignErr() == nil || st.Checkpoint() != "" {
			t.Error("the store signs on a rewritten log")
		}
		if kept == "" {
			t.Error("nothing was published before")
		}
	})
}

func exec(t *testing.T, path, text string) {
	t.Helper()
	db := rawDB(t, path)
	defer db.Close()
	_, err := db.Exec(text)
	must(t, err)
}

// PR-2: what leaves, rows and the file as a whole hold in clear names nobody.
func TestNoNamesInTheFile(t *testing.T) {
	_, data := template(t)
	for _, n := range names {
		if strings.Contains(string(data), n) {
			t.Errorf("the database holds %s in clear", n)
		}
	}
	for i := range 7 {
		if id := fmt.Sprintf("s%04d", i); strings.Contains(string(data), id) {
			t.Errorf("the database holds person id %s in clear", id)
		}
	}
	for _, word := range []string{"****4567", "情報政策課", "保守", "見回り", "192.0.2.7"} {
		if strings.Contains(string(data), word) {
			t.Errorf("the database holds %s in clear", word)
		}
	}
}

// D17, EV-9: without its keys every opening is unreadable. A run that destroyed them makes that right, on the key store's list too; keys that are simply gone are a
// finding, with the class, the year and the first leaf.
func TestErasedKeys(t *testing.T) {
	s, _ := template(t)
	gone := func(year int, class entrylog.Class) {
		t.Helper()
		_, err := s.keys.Destroy(keystore.Disposal{Run: fmt.Sprintf("run-%s-%d", class, year), Class: class, FiscalYear: year, Asked: "a", Approved: "b", AtMS: disposalMS})
		must(t, err)
	}
	whole, err := os.ReadFile(s.dir + "/keys.json")
	must(t, err)
	must(t, os.WriteFile(s.dir+"/keys.json", []byte(`{"monban_keystore":1,"keys":[]}`), 0o600))
	s.reload(t)
	res := s.verify(t, true)
	if res.Openings != 0 || res.Erased < 100 {
		t.Errorf("%d openings readable, %d erased", res.Openings, res.Erased)
	}
	told := fmt.Sprint(res.Findings)
	for _, class := range []string{"register", "action", "violation"} {
		if !strings.Contains(told, "of "+class+" of fiscal year 2026: the key is not in the key store") {
			t.Errorf("the key of %s is gone, and nothing says so: %s", class, told)
		}
	}
	if n := len(res.Findings); n != 3 {
		t.Errorf("%d findings for three keys", n)
	}
	must(t, os.WriteFile(s.dir+"/keys.json", whole, 0o600))
	s.reload(t)
	for _, class := range []entrylog.Class{entrylog.ClassRegister, entrylog.ClassAction, entrylog.ClassViolation} {
		gone(2026, class)
	}
	res = s.verify(t, true)
	wantClean(t, res)
	if res.Openings != 0 || res.Erased < 100 {
		t.Errorf("%d openings readable, %d erased", res.Openings, res.Erased)
	}
	st := s.open(t)
	err = st.Read(t.Context(), func(r *ReadTx) error { _, err := r.Opening(1); return err })
	if err != ErrKeyMissing || !errors.Is(err, ErrErased) { //nolint:errorlint // returned bare; the list alone is no leaf of this log
		t.Errorf("Opening = %v, want ErrKeyMissing", err)
	}
}
