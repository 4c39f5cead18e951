package app

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/keystore"
	"monban/server/review"
)

// sticks are two media.
func sticks(t *testing.T, cfg *config.Config, now time.Time) (dirs, files [2]string) {
	t.Helper()
	for i := range dirs {
		dirs[i] = t.TempDir()
		path, have, err := CopyMaster(cfg, dirs[i], now)
		if err != nil || have != i+1 {
			t.Fatalf("copy %d: %d, %v", i, have, err)
		}
		files[i] = path
	}
	return dirs, files
}

// OP-10: set-up is finished with two copies of the master key that were read back, not before; each later fault of a copy is named.
func TestMasterCopies(t *testing.T) {
	cfg := testSite(t)
	now := time.Now()
	check := func() string {
		if c := masterCopies(cfg, now); c.Err != nil {
			return c.Err.Error()
		}
		return ""
	}
	if !strings.Contains(check(), "0 of 2: set-up is not finished") {
		t.Errorf("without copies: %q", check())
	}
	one := t.TempDir()
	if _, _, err := CopyMaster(cfg, one, now); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(check(), "1 of 2") {
		t.Errorf("with one: %q", check())
	}
	for name, dir := range map[string]string{"the same stick": one, "the data directory": cfg.DataDir, "a folder in it": cfg.Path(keysDir), "nowhere": one + "/none"} {
		if _, _, err := CopyMaster(cfg, dir, now); err == nil {
			t.Errorf("a second copy in %s", name)
		}
	}
	there, err := filepath.Glob(one + "/*.txt")
	if err != nil || len(there) != 1 {
		t.Fatal(there, err)
	}
	data, err := os.ReadFile(there[0])
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "copy.txt") // a copy of the copy is the same one
	if err := os.WriteFile(again, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, have, err := CheckMasterCopy(cfg, again, now); err != nil || have != 1 {
		t.Errorf("a copy of the copy: %d, %v", have, err)
	}
	two := t.TempDir()
	path, have, err := CopyMaster(cfg, two, now)
	if err != nil || have != 2 || check() != "" {
		t.Fatalf("two copies: %d, %v, %q", have, err, check())
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good { // any character of it
		spoilt := bytes.Clone(good)
		spoilt[i] ^= 4
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bytes.TrimSpace(spoilt), bytes.TrimSpace(good)) {
			continue
		}
		if check() == "" {
			t.Fatalf("character %d of a copy is another one, and nothing is said: %q", i, spoilt)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil { // in the safe
		t.Fatal(err)
	}
	if check() != "" {
		t.Errorf("a copy in the safe: %q", check())
	}
	now = now.Add(copyOld + time.Hour)
	if !strings.Contains(check(), "was read back last") {
		t.Errorf("a copy that nobody has read for half a year: %q", check())
	}
	other := testSite(t)
	if _, err := os.Stat(path); err == nil {
		t.Fatal("the copy is still there")
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := CheckMasterCopy(other, path, now); err == nil || !strings.Contains(err.Error(), "another master key") {
		t.Errorf("another site's: %v", err)
	}
}

// OP-10: as long as fewer than two copies were read back within half a year there is one open finding.
func TestCopiesAreAskedFor(t *testing.T) {
	cfg := testSite(t)
	now := time.Now()
	withSite(t, cfg, func(s *Site) {
		remind := func(want int) {
			t.Helper()
			for range 3 {
				if _, err := remindCopies(t.Context(), cfg, s.Store, now); err != nil {
					t.Fatal(err)
				}
			}
			if n := countFindings(t, s.Store, review.KeyCopiesDue); n != want {
				t.Errorf("%d findings, want %d", n, want)
			}
		}
		remind(1) // none
		dirs, _ := sticks(t, cfg, now)
		now = now.Add(copyOld - time.Hour)
		remind(1)
		if _, _, err := CheckMasterCopy(cfg, dirs[0], now); err != nil {
			t.Fatal(err)
		}
		now = now.Add(2 * time.Hour)
		remind(2) // one of two
		if _, _, err := CheckMasterCopy(cfg, dirs[1], now); err != nil {
			t.Fatal(err)
		}
		remind(2)
	})
}

// OP-10: either copy brings the master key back; a wrong one, and one where a key is, change nothing.
func TestMasterRestored(t *testing.T) {
	cfg, other := testSite(t), testSite(t)
	_, files := sticks(t, cfg, time.Now())
	leaves(t, cfg, 2) // something is encrypted
	master := cfg.Path(masterFile)
	want, err := os.ReadFile(master)
	if err != nil {
		t.Fatal(err)
	}
	if err := RestoreMaster(cfg, files[0]); err == nil {
		t.Error("a master key is written over")
	}
	_, foreign := sticks(t, other, time.Now())
	for _, f := range files {
		if err := os.Remove(master); err != nil {
			t.Fatal(err)
		}
		if err := RestoreMaster(cfg, foreign[0]); err == nil {
			t.Error("another site's key is taken")
		}
		if err := RestoreMaster(cfg, f); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(master); err != nil || !bytes.Equal(got, want) {
			t.Errorf("restored %q, %v", got, err)
		}
		withSite(t, cfg, func(s *Site) {
			if err := s.verifyLog(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// OP-10: a copy that others on this machine can read is a copy, and the doctor says so in both languages; one that they cannot read has no note.
func TestCopyThatOthersCanRead(t *testing.T) {
	cfg := testSite(t)
	now := time.Now()
	_, files := sticks(t, cfg, now)
	line := func(ja bool) string {
		c := masterCopies(cfg, now)
		return c.Line(ja)
	}
	if got := line(false); strings.Contains(got, "read by others") {
		t.Errorf("0600: %s", got)
	}
	if err := os.Chmod(files[1], 0o644); err != nil {
		t.Fatal(err)
	}
	want := filepath.Base(files[1]) + " can be read by others while it is mounted: mount a FAT stick with -o uid="
	if got := line(false); !strings.HasPrefix(got, "ok ") || !strings.Contains(got, want) || !strings.Contains(got, ",umask=077") {
		t.Errorf("0644: %s", got)
	}
	if got := line(true); !strings.Contains(got, "ほかの利用者にも読めます") {
		t.Errorf("0644: %s", got)
	}
}

// fatStick mounts a FAT of its own, with the given options.
func fatStick(t *testing.T, options string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounts a FAT: needs root")
	}
	img, dir := filepath.Join(t.TempDir(), "fat.img"), t.TempDir()
	if err := os.WriteFile(img, make([]byte, 8<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	mkfs, err := exec.LookPath("mkfs.vfat")
	if err != nil {
		if mkfs = "/usr/sbin/mkfs.vfat"; exec.Command(mkfs, "--help").Run() != nil {
			t.Skip("mounts a FAT: needs mkfs.vfat of dosfstools")
		}
	}
	if out, err := exec.Command(mkfs, img).CombinedOutput(); err != nil {
		t.Skipf("no FAT: %v: %s", err, out)
	}
	if out, err := exec.Command("mount", "-t", "vfat", "-o", "loop,"+options, img, dir).CombinedOutput(); err != nil {
		t.Skipf("no FAT on a loop device: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

// OP-10: on a real FAT stick copies of the master key and of the year keys are written and read back; mounted so that others can read, the doctor and
// the key store say which options help; mounted as they say, nothing is said.
func TestCopiesOnFAT(t *testing.T) {
	for _, c := range []struct {
		options string
		open    bool
	}{{"umask=022", true}, {"umask=077", false}} {
		cfg := testSite(t)
		now := time.Now()
		dir := fatStick(t, c.options)
		path, _, err := CopyMaster(cfg, dir, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := CheckMasterCopy(cfg, dir, now); err != nil {
			t.Error(err)
		}
		if _, _, err := CopyMaster(cfg, t.TempDir(), now); err != nil {
			t.Fatal(err)
		}
		check := masterCopies(cfg, now)
		if open := OpenToOthers(path) != ""; open != c.open || check.Err != nil || strings.Contains(check.Note, "umask=077") != c.open {
			t.Errorf("%s: %s, %v", c.options, check.Note, check.Err)
		}
		for range 2 { // when it is made, and at the next start
			keys, err := keystore.Open(cfg.Path(keyStoreFile), cfg.Path(masterFile), rand.Reader, filepath.Join(dir, "keystore.json"))
			if err != nil {
				t.Fatal(err)
			}
			err = keys.Copies()[0].Err
			if (err != nil) != c.open || c.open && !strings.Contains(err.Error(), "umask=077") {
				t.Errorf("%s: the copy of the year keys: %v", c.options, err)
			}
		}
	}
}
