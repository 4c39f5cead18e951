package app

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"monban/server/store"
	"monban/server/web"
)

// PR-3: one person suspends the use of a record, which then shows nobody; another decides, and it is erased with the number of the decision; an old backup,
// restored, does not bring it back. The log verifies throughout.
func TestEraseRecordPR3(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) { seed(t, s, 12) })
	before := backupOf(t, cfg)
	id := [16]byte{}
	copy(id[:], "att-old000003")
	attempt := hex.EncodeToString(id[:])
	opening := func(s *Site) (name string, err error) {
		err = s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			row, err := r.AttemptRow(id)
			if err != nil {
				return err
			}
			if row.Opening < 0 {
				decision, err := r.AttemptErased(row.First)
				name = "erased by " + decision
				return err
			}
			o, err := usable(r.Reader, row.Opening)
			name = o.Name
			return err
		})
		return name, err
	}
	withSite(t, cfg, func(s *Site) {
		r := retainer(s)
		sealed := openingBytes(t, s, id)
		if name, err := opening(s); err != nil || name != secrets(3)[0] {
			t.Fatalf("before: %q, %v", name, err)
		}
		req := ok(r.Restrict(t.Context(), attempt, "本人の申出", kato))(t)
		if name, err := opening(s); !errors.Is(err, errRestricted) || name != "" {
			t.Errorf("a restricted record shows %q, %v", name, err)
		}
		if _, err := r.Restrict(t.Context(), attempt, "本人の申出", sato); !errors.Is(err, web.ErrExists) {
			t.Errorf("asked for twice: %v", err)
		}
		if err := r.Decide(t.Context(), req, "R13-5", true, "認容", kato); !errors.Is(err, web.ErrSamePerson) {
			t.Errorf("decided by the one who asked: %v (RA-2)", err)
		}
		if found := holding(t, cfg.DataDir, sealed); len(found) == 0 {
			t.Fatal("the scan finds nothing before the erasure: it would find nothing after it")
		}
		if err := r.Decide(t.Context(), req, "R13-5", true, "認容", sato); err != nil {
			t.Fatal(err)
		}
		if found := holding(t, cfg.DataDir, sealed); len(found) > 0 { // while it is open, and the key of its year lives
			t.Errorf("after the erasure its ciphertext or row key is still in %v", found)
		}
		if err := r.Decide(t.Context(), req, "R13-6", false, "却下", sato); !errors.Is(err, web.ErrTooLate) {
			t.Errorf("decided twice: %v", err)
		}
		if name, err := opening(s); err != nil || name != "erased by R13-5" {
			t.Errorf("after: %q, %v", name, err)
		}
		other := [16]byte{}
		copy(other[:], "att-old000004")
		stays := ok(r.Restrict(t.Context(), hex.EncodeToString(other[:]), "本人の申出", kato))(t)
		if err := r.Decide(t.Context(), stays, "R13-7", false, "却下", sato); err != nil {
			t.Fatal(err)
		}
	})
	verified(t, cfg)
	if _, err := Restore(t.Context(), cfg, RestoreOptions{Backup: before, Reason: "drill", By: "kato", Now: disposalDay}); err != nil {
		t.Fatal(err)
	}
	verified(t, cfg)
	withSite(t, cfg, func(s *Site) {
		if name, err := opening(s); err != nil || name != "erased by R13-5" {
			t.Errorf("restored from before: %q, %v", name, err)
		}
	})
}

// openingBytes are the ciphertexts and wrapped row keys of an attempt's openings, read past the program.
func openingBytes(t *testing.T, s *Site, attempt [16]byte) (out [][]byte) {
	t.Helper()
	db := ok(sql.Open("sqlite3", "file:"+s.Config.Path(databaseFile)+"?mode=ro"))(t)
	defer db.Close()
	rows := ok(db.Query(`SELECT o.row_key, o.ciphertext FROM opening o JOIN attempt a ON o.idx BETWEEN a.first_idx AND a.last_idx WHERE a.attempt = ? AND o.class = 'register'
		AND (o.idx = a.first_idx OR EXISTS (SELECT 1 FROM attempt_leaf l WHERE l.first_idx = a.first_idx AND l.idx = o.idx))`, attempt[:]))(t)
	defer rows.Close()
	for rows.Next() {
		var key, text []byte
		if err := rows.Scan(&key, &text); err != nil {
			t.Fatal(err)
		}
		out = append(out, key, text[:64])
	}
	if err := rows.Err(); err != nil || len(out) < 4 {
		t.Fatalf("%d openings, %v", len(out)/2, err)
	}
	return out
}

// holding lists the files below a folder that hold one of these bytes.
func holding(t *testing.T, dir string, bits [][]byte) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if slices.ContainsFunc(bits, func(b []byte) bool { return bytes.Contains(data, b) }) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
