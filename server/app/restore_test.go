package app

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
)

// leaves appends n leaves to a stopped site.
func leaves(t *testing.T, cfg *config.Config, n int) {
	t.Helper()
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(s.Store.SignNow(t.Context()), s.Close()); err != nil {
		t.Fatal(err)
	}
}

func gapLeaf(tx *store.Tx) error {
	_, err := tx.AppendSystem(entrylog.System{Name: entrylog.SystemKeys, AtMS: time.Now().UnixMilli(), Values: []string{"1", "00"}}, nil)
	return err
}

func backupOf(t *testing.T, cfg *config.Config) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "backup")
	if _, err := Backup(t.Context(), cfg, BackupOptions{Out: out, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	return out
}

func verified(t *testing.T, cfg *config.Config) string {
	t.Helper()
	var out bytes.Buffer
	n, err := Verify(t.Context(), VerifyOptions{Database: cfg.Path(databaseFile), Openings: true, Out: &out})
	if err != nil || n != 0 {
		t.Fatalf("verify: %d findings, %v\n%s", n, err, out.String())
	}
	return out.String()
}

func copyTree(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	_ = filepath.WalkDir(to, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = os.Chmod(path, 0o600)
		}
		return err
	})
	return to
}

// D22, EV-3: a restored server goes on under a new log that says what it follows and what is lost, and
// verify follows it. The old database stays.
func TestRestore(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 5)
	succeeded := func() (open bool) {
		t.Helper()
		withSite(t, cfg, func(s *Site) {
			if err := s.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
				list, _, err := r.FindingsWithDuress(false, 0, 100)
				open = slices.ContainsFunc(list, func(f attempt.Finding) bool { return f.Kind == string(review.LogSucceeded) })
				return err
			}); err != nil {
				t.Fatal(err)
			}
		})
		return open
	}
	if succeeded() {
		t.Error("log_succeeded before any restore")
	}
	const silence = "silence:gw-1"
	withSite(t, cfg, func(s *Site) {
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(silence, "86400000") }); err != nil {
			t.Fatal(err)
		}
	})
	backup := backupOf(t, cfg)
	leaves(t, cfg, 7) // lost
	got, err := Restore(t.Context(), cfg, RestoreOptions{Backup: backup, Reason: "disk failed", By: "kato", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if got.LostTo-got.LostFrom != 7 || got.LostFrom != got.Leaves || got.Before == got.Origin || got.Aside == "" {
		t.Errorf("restored %+v, want 7 lost leaves", got)
	}
	if !succeeded() {
		t.Error("VR-1: no finding log_succeeded after a restore")
	}
	withSite(t, cfg, func(s *Site) {
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error { _, err := r.Setting(silence); return err })
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("VR-1: who was silent when the backup was made is not waited for after the restore: %v", err)
		}
	})
	leaves(t, cfg, 3)
	out := verified(t, cfg)
	if !strings.Contains(out, "7 leaves of the old log") || !strings.Contains(out, got.Before) {
		t.Errorf("verify does not tell of the succession:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(got.Aside, databaseFile)); err != nil {
		t.Errorf("the replaced database is not kept: %v", err)
	}
	// Again, from a backup that is older than the first succession: the chain of logs goes on.
	again, err := Restore(t.Context(), cfg, RestoreOptions{Backup: backup, Reason: "drill", By: "kato", Now: time.Now().Add(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	if again.Before != got.Origin || again.LostTo <= again.LostFrom {
		t.Errorf("second restore %+v does not follow %s", again, got.Origin)
	}
	leaves(t, cfg, 1)
	verified(t, cfg)
}

// EV-3: yesterday's database is not signed on, acknowledged or answered from; it is found and shown.
func TestYesterdaysDatabase(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	yesterday, err := os.ReadFile(cfg.Path(databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	leaves(t, cfg, 3)
	today, _, end := running(t, cfg) // the newest one after an ordinary end: nothing is in doubt
	if err := today.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
		if open, err := r.OpenFinding("log_doubt", "", "", "start"); err != nil || open {
			t.Errorf("log_doubt on today's database: %v, %v", open, err)
		}
		return nil
	}); err != nil || today.site.Store.SignErr() != nil {
		t.Fatal(err, today.site.Store.SignErr())
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cfg.Path(databaseFile), yesterday, 0o600); err != nil {
		t.Fatal(err)
	}
	a, _, stop := running(t, cfg)
	s := a.site.Store
	if err := s.SignErr(); !errors.Is(err, store.ErrHead) {
		t.Fatalf("SignErr = %v, want ErrHead", err)
	}
	if err := s.Write(t.Context(), gapLeaf); err != nil {
		t.Fatal(err)
	}
	if err := s.SignNow(t.Context()); err == nil || s.Checkpoint() != "" {
		t.Errorf("signed on yesterday's database: %v", err)
	}
	p := policies{a.pub, s}
	if _, ok := p.Versions("gw-1"); ok {
		t.Error("I5: a lease would name yesterday's rules")
	}
	if _, err := (&answers{store: s}).Answer(t.Context(), "gw-1", wire.Ask{}, time.Now()); !errors.Is(err, store.ErrHead) {
		t.Errorf("answered from yesterday's directory: %v", err)
	}
	b := batches{s, a.ingest, a.health}
	if _, err := b.Handle(t.Context(), "gw-1", wire.Events{}, time.Now()); !errors.Is(err, store.ErrHead) {
		t.Errorf("I4: acknowledged: %v", err)
	}
	if _, err := b.Watermark(t.Context(), "gw-1", wire.Hello{}); !errors.Is(err, store.ErrHead) {
		t.Errorf("I4: a welcome acknowledges: %v", err)
	}
	if err := s.Read(t.Context(), func(r *store.ReadTx) error {
		open, err := r.OpenFinding("log_doubt", "", "", "start")
		if err == nil && !open {
			t.Error("no finding log_doubt")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A restore that breaks off at any step is as if it had not begun, or is brought to its end by --resume;
// meanwhile nothing else opens the site. Crash points 1–5 of Restore, in pairs; `make drills` does all pairs.
func TestRestoreCrashes(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 2)
	backup := backupOf(t, cfg)
	leaves(t, cfg, 2)
	data := copyTree(t, cfg.DataDir)
	var steps []string
	crash := errors.New("power cut")
	fresh := func() {
		t.Helper()
		if err := os.RemoveAll(cfg.DataDir); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(copyTree(t, data), cfg.DataDir); err != nil {
			t.Fatal(err)
		}
	}
	options := func(step func(string) error) RestoreOptions {
		return RestoreOptions{Backup: backup, Reason: "drill", By: "kato", Now: time.Now(), Step: step}
	}
	fresh()
	if _, err := Restore(t.Context(), cfg, options(func(s string) error { steps = append(steps, s); return nil })); err != nil {
		t.Fatal(err)
	}
	if len(steps) < 10 {
		t.Fatalf("only %d steps: %v", len(steps), steps)
	}
	few := os.Getenv("MONBAN_DRILLS") == "" // every first step, and a seventh of the pairs
	ready := false
	for i, at := range steps {
		ready = ready || at == "ready"
		for j := range steps { // pairs: the second crash hits what goes on after the first
			if few && (i+j)%7 != 0 {
				continue
			}
			fresh()
			n := 0
			_, err := Restore(t.Context(), cfg, options(func(string) error {
				if n++; n == i+1 {
					return crash
				}
				return nil
			}))
			if !errors.Is(err, crash) {
				t.Fatalf("%s: %v, want the crash", at, err)
			}
			n = 0
			second := func(string) error {
				if n++; n == j+1 {
					return crash
				}
				return nil
			}
			if !ready { // nothing has happened: the site opens as it was, and a restore begins anew
				leaves(t, cfg, 1)
				_, err = Restore(t.Context(), cfg, options(second))
			} else {
				if _, err := OpenSite(cfg, time.Now(), quiet); err == nil || !strings.Contains(err.Error(), "--resume") {
					t.Fatalf("%s: the site opens in the middle of a restore: %v", at, err)
				}
				_, err = ResumeRestore(cfg, second)
			}
			if err != nil && !errors.Is(err, crash) {
				t.Fatalf("%s, then %d: %v", at, j, err)
			}
			if err != nil { // the second crash: once more, in whichever way the site asks for
				if there, _ := exists(cfg.Path(restoreReady)); there {
					_, err = ResumeRestore(cfg, nil)
				} else {
					_, err = Restore(t.Context(), cfg, options(nil))
				}
				if err != nil {
					t.Fatalf("%s, then %d: %v", at, j, err)
				}
			}
			leaves(t, cfg, 1)
			out := verified(t, cfg)
			if strings.Count(out, "took over from") != 1 {
				t.Fatalf("%s, then %d: not exactly one succession:\n%s", at, j, out)
			}
		}
	}
}

// What cannot be restored is refused and changes nothing: a damaged backup, another site's, one whose log
// was edited, missing secrets, the wrong root key.
func TestRestoreRefuses(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	backup := backupOf(t, cfg)
	before := fileSums(t, cfg.DataDir)
	try := func(name, dir string, edit func(o *RestoreOptions), want string) {
		t.Helper()
		o := RestoreOptions{Backup: dir, Reason: "drill", By: "kato", Now: time.Now()}
		edit(&o)
		if _, err := Restore(t.Context(), cfg, o); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", name, err, want)
		}
		if err := os.RemoveAll(cfg.Path(restoreNew)); err != nil {
			t.Fatal(err)
		}
		if got := fileSums(t, cfg.DataDir); got != before {
			t.Errorf("%s: the site was changed:\n%s\nwas\n%s", name, got, before)
		}
	}
	none := func(*RestoreOptions) {}
	try("no reason", backup, func(o *RestoreOptions) { o.Reason = "" }, "reason")
	damaged := copyTree(t, backup)
	db, err := os.ReadFile(filepath.Join(damaged, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	db[len(db)/2] ^= 1
	if err := os.WriteFile(filepath.Join(damaged, databaseFile), db, 0o600); err != nil {
		t.Fatal(err)
	}
	try("damaged", damaged, none, "use another backup")
	if err := os.Remove(filepath.Join(damaged, manifestFile)); err != nil {
		t.Fatal(err)
	}
	try("incomplete", damaged, none, "no complete backup")
	other := copyTree(t, backup)
	text, err := os.ReadFile(filepath.Join(other, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(fmt.Sprintf("%q", cfg.Site)), []byte(`"elsewhere"`), 1)
	if err := os.WriteFile(filepath.Join(other, manifestFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	try("another site", other, none, "elsewhere")
	wrong := filepath.Join(t.TempDir(), "root.key")
	policyKey, err := os.ReadFile(cfg.Path(keysDir, "policy.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrong, policyKey, 0o600); err != nil {
		t.Fatal(err)
	}
	try("wrong root key", backup, func(o *RestoreOptions) { o.RootKey = wrong }, "sign the list of role keys")
	if err := os.Rename(cfg.Path(masterFile), cfg.Path("away")); err != nil {
		t.Fatal(err)
	}
	before = fileSums(t, cfg.DataDir)
	try("no master key", backup, none, "secrets")
}

// No secret is in a backup (D17): neither signing keys nor keys of openings.
func TestBackupHoldsNoSecret(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	a, _, _ := running(t, cfg) // of a running server
	if err := a.site.Store.Write(t.Context(), gapLeaf); err != nil {
		t.Fatal(err)
	}
	backup := backupOf(t, cfg)
	if _, err := Backup(t.Context(), cfg, BackupOptions{Out: backup, Now: time.Now()}); err == nil {
		t.Error("a backup was overwritten")
	}
	var secrets [][]byte
	for _, pattern := range []string{"keys/*.key", masterFile, keyStoreFile, siteKeysFile, "ca/*.key", "ca/*key*"} {
		names, err := filepath.Glob(cfg.Path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			secrets = append(secrets, bytes.TrimSpace(data))
		}
	}
	if len(secrets) < 7 {
		t.Fatalf("only %d files with secrets found", len(secrets))
	}
	err := filepath.WalkDir(backup, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, s := range secrets {
			if bytes.Contains(data, s) {
				t.Errorf("%s holds a secret", path)
			}
		}
		if info, err := d.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := Verify(t.Context(), VerifyOptions{Database: filepath.Join(backup, databaseFile), Out: &out}); err != nil || n != 0 {
		t.Errorf("a backup does not verify by itself: %d, %v\n%s", n, err, out.String())
	}
}

func fileSums(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		// A key of the year may have been added for the succession's opening; it then is one nobody needs.
		if err != nil || d.IsDir() || filepath.Base(path) == lockFile || filepath.Base(path) == keyStoreFile || strings.HasSuffix(path, "-shm") || strings.HasSuffix(path, "-wal") {
			return err
		}
		sum, err := sumFile(path)
		fmt.Fprintln(&b, strings.TrimPrefix(path, dir), sum)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
