package app

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"monban/server/store"
)

// relisted writes a backup's list anew after a change of it.
func relisted(t *testing.T, dir string, change func(m *backupManifest)) {
	t.Helper()
	path := filepath.Join(dir, manifestFile)
	var m backupManifest
	if err := json.Unmarshal(ok(os.ReadFile(path))(t), &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if err := os.WriteFile(path, ok(json.MarshalIndent(m, "", " "))(t), 0o600); err != nil {
		t.Fatal(err)
	}
}

// OP-4, EV-1: who can write on a stick gives himself no card and no account by it: a backup whose list was changed, with the right hash of a changed database, is
// not restored, and the site stays as it was. One without a MAC, of a program of before, is, and the restore says that nothing vouches for it.
func TestBackupListHasMAC(t *testing.T) {
	cfg := testSite(t)
	whole := backupOf(t, cfg)
	restored := func(dir string) (Restored, error) {
		return Restore(t.Context(), cfg, RestoreOptions{Backup: dir, Reason: "drill", By: "kato", Now: disposalDay})
	}
	for name, change := range map[string]func(dir string, m *backupManifest){
		"the database": func(dir string, m *backupManifest) {
			db := filepath.Join(dir, databaseFile)
			c := ok(sql.Open("sqlite3", "file:"+db+""))(t)
			_, err := c.Exec(`INSERT INTO setting (key, value) VALUES ('planted', '1')`)
			if err := errors.Join(err, c.Close()); err != nil {
				t.Fatal(err)
			}
			m.Files[databaseFile] = ok(sumFile(db))(t)
		},
		"moment":     func(_ string, m *backupManifest) { m.MadeMS++ },
		"checkpoint": func(_ string, m *backupManifest) { m.Checkpoint = "" },
		"a file":     func(_ string, m *backupManifest) { delete(m.Files, "keys/log.vkey") },
		"MAC":        func(_ string, m *backupManifest) { m.MAC = m.MAC[1:] + "0" },
	} {
		dir := copyTree(t, whole)
		relisted(t, dir, func(m *backupManifest) { change(dir, m) })
		_, err := restored(dir)
		wantLine(t, err, "backup.json", "without the master key", "another backup")
		for _, left := range []string{restoreNew, restoreReady} {
			if there, err := exists(cfg.Path(left)); there || err != nil {
				t.Errorf("%s: %s is there, %v", name, left, err)
			}
		}
		_, err = Verify(t.Context(), VerifyOptions{Database: dir, Keys: cfg.DataDir, Openings: true, Out: &bytes.Buffer{}})
		wantLine(t, err, "backup.json", "without the master key")
	}
	bare := copyTree(t, whole)
	relisted(t, bare, func(m *backupManifest) { m.MAC = "" })
	for _, japanese := range []bool{false, true} {
		for _, keys := range []string{"", cfg.DataDir} {
			var out bytes.Buffer
			if _, err := Verify(t.Context(), VerifyOptions{Database: bare, Keys: keys, Openings: keys != "", Words: japanese, Japanese: japanese, Out: &out}); err != nil {
				t.Fatal(err)
			}
			first, _, _ := strings.Cut(out.String(), "\n")
			if !strings.Contains(first, "MAC") || isJapanese(first) != japanese {
				t.Errorf("verify with keys %q says nothing of a list without a MAC, but %q", keys, first)
			}
		}
	}
	if done := ok(restored(bare))(t); !done.Unvouched {
		t.Error("a list without a MAC is not told")
	}
	withSite(t, cfg, func(s *Site) {
		said := 0
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			size, err := r.LogSize()
			for idx := range size {
				if o, err := r.Opening(idx); err == nil && o.Text == "drill"+bareMark {
					said++
				}
			}
			return err
		})
		if err != nil || said != 1 {
			t.Errorf("%d leaves say that the list had no MAC, want 1: %v", said, err)
		}
	})
	if done := ok(restored(backupOf(t, cfg)))(t); done.Unvouched {
		t.Error("a list with its MAC is said to have none")
	}
	verified(t, cfg)
}

// OP-4: the MAC of a list is over what stands in the file, also over members that a later version adds: neither is its backup called changed, nor may they be. The
// number was made outside of this program, of the members in order, without spaces and without "mac".
func TestBackupMACIsOfTheFile(t *testing.T) {
	const text = `{
 "monban_backup": 1, "site": "hq", "mac": "00", "made_ms": 9007199254740993,
 "later": {"b": 1.50, "a": ["<x>", null]},
 "files": {"monban.db": "ff", "keys/log.vkey": "0a"}, "checkpoint": "", "leaves": 7
}`
	const mac = "fa633c41f666086a195ba8f1e419b76e1ac7d4292795cf6ad92ad69be247648a"
	master := filepath.Join(t.TempDir(), "master.key")
	var key [32]byte
	for i := range key {
		key[i] = byte(i)
	}
	if err := os.WriteFile(master, []byte(base64.StdEncoding.EncodeToString(key[:])+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := func(text string) (m backupManifest) {
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatal(err)
		}
		m.raw = []byte(text)
		return m
	}
	m := read(text)
	if got := ok(m.sum(master))(t); got != mac {
		t.Errorf("the MAC is %s, want %s", got, mac)
	}
	m = read(strings.Replace(text, "1.50", "1.51", 1))
	if got := ok(m.sum(master))(t); got == mac {
		t.Error("a later version's member does not count")
	}
	cfg := testSite(t)
	dir := backupOf(t, cfg)
	m = ok(readManifest(dir, ""))(t)
	if bare, err := m.vouched(dir, cfg.Path(masterFile)); bare || err != nil {
		t.Errorf("as it was made: bare %t, %v", bare, err)
	}
	if err := os.Chmod(cfg.Path(masterFile), 0o644); err != nil { // a key that is not read
		t.Fatal(err)
	}
	dir = backupOf(t, cfg)
	if m = ok(readManifest(dir, ""))(t); m.MAC != "" {
		t.Error("a MAC without a key")
	}
}
