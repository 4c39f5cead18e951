package app

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
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
	if done := ok(restored(bare))(t); !done.Unvouched {
		t.Error("a list without a MAC is not told")
	}
	if done := ok(restored(backupOf(t, cfg)))(t); done.Unvouched {
		t.Error("a list with its MAC is said to have none")
	}
	verified(t, cfg)
}
