package app

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/notify"
	"monban/server/store"
)

// OP-2: each part is broken in turn, and exactly that item fails. The result is a leaf and stands on the page.
func TestSelfTestFindsWhatIsBroken(t *testing.T) {
	now := time.Now()
	note := filepath.Join(t.TempDir(), backupNote)
	if err := noteBackup(note, now.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	year := calendar.DateOf(now).FiscalYear()
	day := func(y calendar.FiscalYear) []directory.ClosedDay {
		return []directory.ClosedDay{{Day: directory.Date{Year: int(y), Month: 12, Day: 29}, Name: "年末年始"}}
	}
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		good := map[string]func(context.Context, time.Time) error{
			itemLog:          func(ctx context.Context, _ time.Time) error { return s.verifyLog(ctx) },
			itemClock:        func(ctx context.Context, now time.Time) error { return clock(ctx, s, now).Err },
			itemDisk:         func(context.Context, time.Time) error { return roomOf("/data", 50<<30, 100<<30) },
			itemBackup:       func(_ context.Context, now time.Time) error { return backupAge(note, now) },
			itemCertificates: func(_ context.Context, now time.Time) error { return certificates(s.CA, now).Err },
			itemHolidays:     func(context.Context, time.Time) error { return holidaysAhead(day(year+1), year) },
			itemWitness:      func(context.Context, time.Time) error { return errNotSetUp },
			itemFolders:      func(context.Context, time.Time) error { return writable(t.TempDir()) },
		}
		names := (&App{site: s}).checks().items
		run := func(item string, broken func(context.Context, time.Time) error) selfTestResult {
			c := selfTestChecks{items: names, check: map[string]func(context.Context, time.Time) error{}}
			for k, f := range good {
				c.check[k] = f
			}
			if item != "" {
				c.check[item] = broken
			}
			return c.run(t.Context(), now)
		}
		if got := run("", nil).failed(); len(got) != 0 {
			t.Fatalf("a healthy server fails %v", got)
		}
		for item, broken := range map[string]func(context.Context, time.Time) error{
			itemClock:        func(ctx context.Context, now time.Time) error { return clock(ctx, s, now.Add(-time.Hour)).Err },
			itemDisk:         func(context.Context, time.Time) error { return roomOf("/data", 4<<30, 100<<30) },
			itemBackup:       func(_ context.Context, now time.Time) error { return backupAge(note, now.Add(backupOld)) },
			itemCertificates: func(_ context.Context, now time.Time) error { return certificates(s.CA, now.AddDate(30, 0, 0)).Err },
			itemHolidays:     func(context.Context, time.Time) error { return holidaysAhead(day(year), year) },
			itemLog:          func(context.Context, time.Time) error { return errors.New("1 findings") },
			itemWitness:      func(context.Context, time.Time) error { return errors.New("old") },
			itemFolders:      func(context.Context, time.Time) error { return writable("/proc/self") },
		} {
			if got := run(item, broken).failed(); !slices.Equal(got, []string{item}) {
				t.Errorf("%s is broken, and %v fail", item, got)
			}
		}
		if err := backupAge(filepath.Join(t.TempDir(), "none"), now); err == nil {
			t.Error("no backup at all passes")
		}
		if err := roomOf("/data", 512<<20, 1<<30); err == nil {
			t.Error("half a gigabyte passes")
		}

		size := s.Store.Size()
		if err := storeSelfTest(t.Context(), s.Store, run(itemDisk, func(context.Context, time.Time) error { return errors.New("full") })); err != nil {
			t.Fatal(err)
		}
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			l, err := r.Leaf(size)
			if err == nil && (!strings.Contains(string(l.Body), `"self_test"`) || !strings.Contains(string(l.Body), `"id":"disk"`)) {
				t.Errorf("leaf %s", l.Body)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		p := &pages{store: s.Store}
		got, ok, err := p.SelfTest(t.Context())
		if err != nil || !ok || len(got.Items) != len(names) || got.Items[3].State != "failed" || got.Items[3].Note != "full" || got.Items[1].State != "not_set_up" {
			t.Errorf("page: %+v, %v, %v", got, ok, err)
		}
		if bad := (&App{site: s}).selfTestFaults(t.Context()); !slices.Equal(bad, []string{itemDisk}) {
			t.Errorf("digest names %v", bad)
		}
	})
}

// OP-2: the log that the self-test verifies is the real one: a spoilt row fails that item.
func TestSelfTestVerifiesTheLog(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		if err := s.verifyLog(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	clean, err := os.ReadFile(cfg.Path(databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.ReplaceAll(clean, []byte(`"target":"zone"`), []byte(`"target":"zonf"`))
	if bytes.Equal(clean, bad) {
		t.Fatal("no leaf in the file")
	}
	if err := os.WriteFile(cfg.Path(databaseFile), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		if err := s.verifyLog(t.Context()); err == nil || !strings.Contains(err.Error(), "monban-server verify") {
			t.Errorf("a spoilt leaf: %v", err)
		}
	})
}

// A backup says when it was made, where the self-test looks.
func TestBackupIsNoted(t *testing.T) {
	cfg := testSite(t)
	now := time.Now()
	if _, err := Backup(t.Context(), cfg, BackupOptions{Out: filepath.Join(t.TempDir(), "copy"), Now: now}); err != nil {
		t.Fatal(err)
	}
	if err := backupAge(cfg.Path(backupNote), now.Add(backupOld-time.Second)); err != nil {
		t.Error(err)
	}
	if err := backupAge(cfg.Path(backupNote), now.Add(backupOld+time.Hour)); err == nil {
		t.Error("an old one passes")
	}
}

// OP-2: a self-test that has not run for a day is no self-test that passed: the digest says so.
func TestSelfTestThatDidNotRunIsAFault(t *testing.T) {
	withSite(t, testSite(t), func(s *Site) {
		a := &App{site: s}
		for _, x := range []struct {
			age  time.Duration // 0 = it never ran
			want []string
		}{{0, []string{notify.NotRun}}, {25 * time.Hour, []string{notify.NotRun}}, {time.Hour, nil}} {
			if x.age > 0 {
				if err := storeSelfTest(t.Context(), s.Store, selfTestResult{AtMS: time.Now().Add(-x.age).UnixMilli(), Items: []selfTestItem{{Item: itemLog, State: "passed"}}}); err != nil {
					t.Fatal(err)
				}
			}
			if got := a.selfTestFaults(t.Context()); !slices.Equal(got, x.want) {
				t.Errorf("%v old: %q, want %q", x.age, got, x.want)
			}
		}
	})
}
