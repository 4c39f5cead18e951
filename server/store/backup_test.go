package store

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
)

// D22: a copy taken while the server writes is the database of one moment: it verifies, openings too, and
// opens; every leaf that was committed before it began is in it.
func TestBackupWhileWriting(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 10)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		for ctx.Err() == nil {
			_ = st.Write(context.Background(), func(tx *Tx) error {
				_, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemKeys, AtMS: monday, Values: []string{"1", "00"}}, nil)
				return err
			})
			_ = st.SignNow(context.Background())
		}
	})
	for n := range 5 {
		before := st.Size()
		out := filepath.Join(s.dir, "copy.db")
		must(t, Backup(t.Context(), s.path, out))
		res, err := VerifyFile(t.Context(), out, s.verifyOptions(true))
		must(t, err)
		wantClean(t, res)
		if res.Leaves < before {
			t.Errorf("backup %d: %d leaves, %d were committed before it", n, res.Leaves, before)
		}
		if h, err := HeadOf(t.Context(), out); err != nil || h.Size != res.Leaves || h.Checkpoint == "" {
			t.Errorf("backup %d: head %+v, %v", n, h, err)
		}
		if err := Backup(t.Context(), s.path, out); err == nil {
			t.Error("a file was overwritten")
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(out + suffix)
		}
	}
	cancel()
	all.Wait()
	if err := Backup(t.Context(), s.path+".none", filepath.Join(s.dir, "copy.db")); err == nil {
		t.Error("no database, and no error")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "copy.db")); err == nil {
		t.Error("a failed backup left a file")
	}
	gone, end := context.WithCancel(t.Context())
	end()
	if err := Backup(gone, s.path, filepath.Join(s.dir, "copy.db")); err == nil {
		t.Error("cancelled, and no error")
	}
	if _, err := os.Stat(filepath.Join(s.dir, "copy.db")); err == nil {
		t.Error("a cancelled backup left a file")
	}
}

// D22, I8: verify judges a succession by its leaf alone: a wrong root, a forged checkpoint of the old log
// or a lost range made smaller is named; without the old key it says that it cannot check.
func TestSuccessionIsVerified(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 5)
	must(t, st.Close())
	data, err := os.ReadFile(s.path)
	must(t, err)
	before := s.log
	succeed := func(edit func(*entrylog.Succession)) (entrylog.Result, error) {
		t.Helper()
		for _, suffix := range []string{"-wal", "-shm", ".anchor"} {
			_ = os.Remove(s.path + suffix)
		}
		must(t, os.WriteFile(s.path, data, 0o600))
		next := t.TempDir()
		opt := s.options()
		var now VerifyOptions
		must(t, Succeed(t.Context(), s.path, opt, func(h Head) (y entrylog.Succession, o *entrylog.Opening, also func(*Tx) error, err error) {
			v, err := s.signer.Succeed(next, h.Size, h.Root, s.rand)
			if err != nil {
				return y, nil, nil, err
			}
			now = VerifyOptions{Log: v, Before: []note.Verifier{before}, Keys: s.keys}
			y = entrylog.Succession{Origin: v.Name(), Before: before.Name(), Size: h.Size, Root: h.Root, Known: h.Checkpoint, SinceMS: h.LastMS, AtMS: monday, Why: "restore"}
			return y, &entrylog.Opening{Name: names[0], Text: "drill"}, nil, nil
		}))
		if edit != nil {
			db := rawDB(t, s.path)
			var body []byte
			var idx int64
			must(t, db.QueryRow(`SELECT idx, body FROM log_leaf ORDER BY idx DESC LIMIT 1`).Scan(&idx, &body))
			y, err := entrylog.ParseSystem(body)
			must(t, err)
			if y.Name != entrylog.SystemSuccession {
				t.Fatalf("the last leaf is %s", y.Name)
			}
			p, err := entrylog.SuccessionOf(&y)
			must(t, err)
			edit(&p)
			leaf, err := p.Leaf()
			must(t, err)
			leaf.Commit = y.Commit
			body, err = leaf.Append(nil)
			must(t, err)
			h := entrylog.LeafHash(body)
			_, err = db.Exec(`UPDATE log_leaf SET body = ?, hashes = CAST(? || substr(hashes, 33) AS BLOB) WHERE idx = ?`, body, h[:], idx)
			must(t, err)
			must(t, db.Close())
		}
		return VerifyFile(t.Context(), s.path, now)
	}
	res, err := succeed(nil)
	must(t, err)
	wantClean(t, res)
	if len(res.Successions) != 1 || res.Successions[0].Before != before.Name() {
		t.Fatalf("successions %+v", res.Successions)
	}
	for name, edit := range map[string]func(*entrylog.Succession){
		"another root": func(y *entrylog.Succession) { y.Root[0] ^= 1 },
		"another size": func(y *entrylog.Succession) { y.Size-- },
		"a forged checkpoint": func(y *entrylog.Succession) {
			b := []byte(res.Successions[0].Known)
			if i := len(b) - 20; b[i] == 'A' { // a letter of the signature
				b[i] = 'B'
			} else {
				b[i] = 'A'
			}
			y.Known = string(b)
		},
	} {
		got, err := succeed(edit)
		if err == nil && got.Clean() {
			t.Errorf("%s: not found", name)
		}
	}
	next, err := s.signer.Succeed(t.TempDir(), 1, entrylog.Hash{}, s.rand)
	must(t, err)
	must(t, os.WriteFile(s.path, data, 0o600)) // the succession cut off again
	if res, err := VerifyFile(t.Context(), s.path, VerifyOptions{Log: next, Before: []note.Verifier{before}}); err != nil || res.Clean() {
		t.Errorf("a log that ends before its succession: clean %v, %v", res.Clean(), err)
	}
}
