package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/config"
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
