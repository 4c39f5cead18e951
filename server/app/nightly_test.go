package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/sealed"
)

// OP-2: the nightly backup lies encrypted on the other disk, opens with its key alone, restores as a backup, and only so many stay.
func TestNightlyBackup(t *testing.T) {
	cfg := testSite(t)
	dir := t.TempDir()
	private, public, err := sealed.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Backup.Dir, cfg.Backup.Recipients, cfg.Backup.Keep = filepath.Join(dir, "stick"), filepath.Join(dir, "to"), 2
	for path, text := range map[string]string{cfg.Backup.Recipients: public, filepath.Join(dir, "key"): private} {
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	due := time.Date(2026, 11, 26, 17, 30, 0, 0, time.UTC)
	if err := os.Mkdir(cfg.Backup.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// An empty mount point is not the stick.
	if _, err := nightly(t.Context(), cfg, due); err == nil || !strings.Contains(err.Error(), "backup place") {
		t.Fatalf("without the stick: %v", err)
	}
	if err := PlaceBackups(cfg.Backup.Dir); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := nightly(ended, cfg, due); err == nil {
		t.Fatal("a backup that was cut off counts")
	}
	if err := backupAge(cfg.Path(backupNote), due); err == nil {
		t.Error("the self-test believes in a backup that there is not")
	}
	for day := range 3 {
		note, err := nightly(t.Context(), cfg, due.AddDate(0, 0, day))
		if err != nil || !strings.Contains(note, "leaves") {
			t.Fatalf("%q, %v", note, err)
		}
	}
	names := ok(filepath.Glob(filepath.Join(cfg.Backup.Dir, "*")))(t)
	if len(names) != 3 || !strings.Contains(names[1], "20261127T173000Z") {
		t.Fatalf("on the stick: %v", names)
	}
	if note, err := nightly(t.Context(), cfg, due.AddDate(0, 0, 2)); err != nil || !strings.Contains(note, "before") {
		t.Errorf("again for the same time: %q, %v", note, err)
	}
	out := filepath.Join(dir, "out")
	if err := sealed.Open(names[1], filepath.Join(dir, "key"), out); err != nil {
		t.Fatal(err)
	}
	if m := ok(readManifest(out, cfg.Site))(t); m.Leaves == 0 {
		t.Errorf("%+v", m)
	}
	if left, err := exists(cfg.Path("backup.tmp")); left || err != nil {
		t.Errorf("a copy in clear is left: %v", err)
	}
}

// EV-8, EV-9: what a nightly backup leaves that was killed, a database in clear, is gone after a disposal beside a running server and at the next start, also while the
// stick is pulled out; until then it is on the list of copies to look at.
func TestBrokenOffBackupsGo(t *testing.T) {
	cfg := testSite(t)
	cfg.Backup.Dir = filepath.Join(t.TempDir(), "pulled")
	leave := func() {
		t.Helper()
		for _, name := range []string{"backup.tmp", "backup.tmp.partial"} {
			if err := errors.Join(os.MkdirAll(cfg.Path(name), 0o700), os.WriteFile(cfg.Path(name, databaseFile), []byte("髙橋"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() []string { t.Helper(); return ok(filepath.Glob(cfg.Path("backup.tmp*")))(t) }
	leave()
	withSite(t, cfg, func(s *Site) {
		if got := left(); len(got) != 0 {
			t.Errorf("after a start: left %q", got)
		}
		seed(t, s, 3)
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		leave()
		if list := strings.Join(s.CopiesToLookAt(), "\n"); !strings.Contains(list, "backup.tmp.partial: ") || !strings.Contains(list, "backup.tmp: ") {
			t.Errorf("the list of copies names neither: %s", list)
		}
		if _, err := nightly(t.Context(), cfg, disposalDay); err == nil || len(left()) != 2 {
			t.Fatalf("without the stick: %v, left %q", err, left())
		}
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 || len(left()) != 0 {
			t.Errorf("after %d disposals: left %q", len(done), left())
		}
	})
}
