package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	if err := PlaceBackups(cfg.Backup.Dir, cfg.DataDir, "test"); err != nil {
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

// OP-2: a backup on the data's own disk dies with it: such a place is refused when it is made and each night, also when the mark was written before the
// stick was mounted over it, unless somebody said why; then the doctor says so.
func TestBackupOnTheSameDisk(t *testing.T) {
	cfg := testSite(t)
	_, public, err := sealed.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Backup.Dir, cfg.Backup.Recipients, cfg.Backup.Keep = t.TempDir(), filepath.Join(t.TempDir(), "to"), 2
	write(t, cfg.Backup.Recipients, public+"\n")
	if err := PlaceBackups(cfg.Backup.Dir, cfg.DataDir, ""); err == nil || !strings.Contains(err.Error(), "--same-disk") {
		t.Errorf("a place on the same disk: %v", err)
	}
	if err := PlaceBackups(cfg.Backup.Dir, "", ""); err != nil { // no configuration yet
		t.Fatal(err)
	}
	if _, err := nightly(t.Context(), cfg, time.Unix(1e9, 0)); err == nil || !strings.Contains(err.Error(), "lies on the disk of") {
		t.Errorf("a backup onto the same disk: %v", err)
	}
	if err := PlaceBackups(cfg.Backup.Dir, cfg.DataDir, "one\ndisk"); err != nil {
		t.Fatal(err)
	}
	if same, err := placeSaid(cfg); err != nil || same != "one disk" {
		t.Errorf("with a reason: %q, %v", same, err)
	}
	if err := otherDisk("/proc", cfg.DataDir); err != nil {
		t.Errorf("another file system: %v", err)
	}
	if err := writable("/proc/self"); err == nil || !strings.Contains(err.Error(), "cannot be written") {
		t.Errorf("a folder that cannot be written: %v", err)
	}
	if left := ok(filepath.Glob(filepath.Join(cfg.Backup.Dir, ".monban-probe*")))(t); len(left) != 0 {
		t.Errorf("probes are left: %v", left)
	}
}

// OP-2: a stick that is full recovers: what cut-off nights left goes, and the oldest backup goes before the new one is written and not after; one that was
// read back always stays, and so do the backups of another site.
func TestFullStick(t *testing.T) {
	t.Parallel()
	dir, folder := t.TempDir(), t.TempDir()
	write(t, filepath.Join(folder, "monban.db"), strings.Repeat("x", 5000))
	all := []string{"monban-a-20261124T173000Z.tar.age", "monban-a-20261125T173000Z.tar.age", "monban-a-b-20261101T173000Z.tar.age", "monban-a-b-20261101T173000Z.tar.age.partial"}
	for _, name := range append(all, "monban-a-20261123T173000Z.tar.age.partial") {
		write(t, filepath.Join(dir, name), "x")
	}
	pattern := filepath.Join(dir, "monban-a"+nightStamp+sealedEnd)
	for _, x := range []struct {
		free uint64
		keep int
		want []string
	}{
		{1 << 30, 2, all}, {1 << 20, 3, all}, {1 << 20, 2, all[1:]}, {0, 1, all[1:]},
	} {
		if err := makeRoom(folder, pattern, x.keep, func(string) (uint64, error) { return x.free, nil }); err != nil {
			t.Fatal(err)
		}
		list := ok(os.ReadDir(dir))(t)
		var got []string
		for _, e := range list {
			got = append(got, e.Name())
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%d bytes free, keep %d: %v", x.free, x.keep, got)
		}
	}
}

// OP-2, OP-7: a folder for reception's copy or for a further key file that cannot be written is told by self-test, doctor and set-up, with the line
// for the unit; the fixed places are in the unit that is shipped.
func TestFoldersOfCopies(t *testing.T) {
	cfg := testSite(t)
	look := func() (doctor, selfTest error) {
		withSite(t, cfg, func(s *Site) {
			selfTest = (&App{site: s}).checks().check[itemFolders](t.Context(), time.Now())
			doctor = errNotSetUp
			for _, c := range siteChecks(t.Context(), s, time.Now()) {
				if c.Name == "folders of muster and key copies" {
					doctor = c.Err
				}
			}
		})
		return doctor, selfTest
	}
	if d, s := look(); !errors.Is(d, errNotSetUp) || !errors.Is(s, errNotSetUp) {
		t.Errorf("nothing is configured: %v, %v", d, s)
	}
	cfg.Muster.Dir = t.TempDir()
	if d, s := look(); d != nil || s != nil {
		t.Errorf("a folder that can be written: %v, %v", d, s)
	}
	cfg.Muster.Dir = "/proc/self"
	if d, s := look(); d == nil || s == nil || !strings.Contains(d.Error(), "/proc/self cannot be written") {
		t.Errorf("a folder that cannot be written: %v, %v", d, s)
	}
	cfg.Muster.Dir, cfg.KeyCopies = "", []string{"/proc/self/keystore.json"}
	if err := foldersWritable(cfg); err == nil || errors.Is(err, errNotSetUp) {
		t.Errorf("a key file's folder: %v", err)
	}
	unit := ok(os.ReadFile("../../packaging/files/monban-server.service"))(t)
	for _, dir := range []string{"-/mnt/monban-backup", "-/mnt/monban-muster", "-/mnt/monban-keys"} {
		if !regexp.MustCompile(`(?m)^ReadWritePaths=.*` + dir + `\b`).Match(unit) {
			t.Errorf("the unit does not let the server write %s", dir)
		}
	}
}
