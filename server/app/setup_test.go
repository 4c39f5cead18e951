package app

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/report"
	"monban/server/sealed"
	"monban/server/setup"
	"monban/server/web"
)

// D18: a configuration that names a signer of its own from the start is set up all the same: the keys are made here, then moved by
// `signer split`, and only then is the signer needed.
func TestSetUpWithSignerNamed(t *testing.T) {
	cfg := testConfig(t)
	cfg.Signer = config.Signer{Socket: filepath.Join(t.TempDir(), "s"), KeysDir: filepath.Join(t.TempDir(), "signer")}
	days, err := SetUp(t.Context(), cfg, time.Now(), quiet)
	if err != nil || days < 50 {
		t.Fatalf("%d closed days, %v", days, err)
	}
	_, err = OpenSite(cfg, time.Now(), quiet)
	wantLine(t, err, "monban-server signer", cfg.Signer.Socket, "signer split")
	if err := SplitSigner(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- RunSigner(ctx, cfg, quiet) }()
	until(t, "the signer's socket", func() bool { _, err := os.Stat(cfg.Signer.Socket); return err == nil })
	withSite(t, cfg, func(s *Site) {
		if n, err := s.ImportHolidays(t.Context(), time.Now()); err != nil || n != 0 {
			t.Errorf("the closed days are not there: %d more, %v", n, err)
		}
	})
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// OP-10, A33: the step of forms is done when whose papers these are is said, the names are compared, and a paper was made: each by itself
// leaves it open, and each change is a leaf.
func TestFormsStepByWhatWasDone(t *testing.T) {
	cfg := testSite(t)
	step := func() (setup.State, string) {
		t.Helper()
		steps, err := SetupSteps(t.Context(), cfg, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return steps[1].State, steps[1].Page
	}
	act := web.Action{At: time.Now(), Kind: web.ActionOrganisation, Actor: "acc-1", Address: "192.0.2.7", Reason: "初期設定"}
	org := report.Organisation{Name: "多賀城市", Section: "情報政策課", Phone: "022-368-1141"}
	for _, c := range []struct {
		page string
		do   func(*Site) error
	}{
		{"/reports/organisation", func(s *Site) error {
			return (&reportPages{pages: &pages{store: s.Store, now: time.Now}}).SaveOrganisation(t.Context(), org, act)
		}},
		{"/ledgers/forms", func(s *Site) error {
			return (&reportPages{pages: &pages{store: s.Store, now: time.Now}}).SaveReportForm(t.Context(), "entry_register", "", report.Form{Number: "様式第2号"}, act)
		}},
		{"/reports", func(s *Site) error {
			p := &reportPages{pages: &pages{store: s.Store, now: time.Now}}
			return p.reportLeaf(t.Context(), web.ReportAsk{Kind: "entry_register", Use: "entry_control", Format: "csv"}, &report.Output{}, act)
		}},
	} {
		if state, page := step(); state != setup.Open || page != c.page {
			t.Errorf("before %s: state %d, page %q", c.page, state, page)
		}
		withSite(t, cfg, func(s *Site) {
			before := s.Store.Size()
			if err := c.do(s); err != nil {
				t.Fatal(c.page, err)
			}
			if n := s.Store.Size(); n != before+1 {
				t.Errorf("%s: %d leaves", c.page, n-before)
			}
		})
	}
	if state, _ := step(); state != setup.Done {
		t.Errorf("all three are done, and the step is %d", state)
	}
	withSite(t, cfg, func(s *Site) {
		if o, err := organisation(t.Context(), s.Store); err != nil || o != org {
			t.Errorf("%+v %v", o, err)
		}
	})
}

// OP-10: whatever is wrong on the way of set-up is said in one line with what to do, in its own step, and the other steps stand all the same.
func TestSetupOfWrongInputs(t *testing.T) {
	cfg := testConfig(t)
	_, err := SetupSteps(t.Context(), cfg, time.Now())
	wantLine(t, err, "no site here yet", "monban-server setup")
	cfg = testSite(t)
	step := func(n int) setup.Step {
		t.Helper()
		steps, err := SetupSteps(t.Context(), cfg, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return steps[n]
	}
	doctor := func(name string) (found bool, err error) {
		withSite(t, cfg, func(s *Site) {
			for _, c := range siteChecks(t.Context(), s, time.Now()) {
				if c.Name == name {
					found, err = true, c.Err
				}
			}
		})
		return found, err
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		make func(cert, key string)
		want string
	}{
		"files are missing": {func(string, string) {}, "no such file"},
		"files are empty":   {func(cert, key string) { write(t, cert, ""); write(t, key, "") }, "PEM"},
	} {
		dir := t.TempDir() // the order of the cases is nobody's
		cert, key := filepath.Join(dir, "pages.crt"), filepath.Join(dir, "pages.key")
		c.make(cert, key)
		cfg.HTTP.TLSCert, cfg.HTTP.TLSKey = cert, key
		if s := step(2); s.State != setup.Open || !strings.Contains(s.What.In(setup.English), c.want) || !strings.Contains(s.What.In(setup.Japanese), cert) || s.Do.In(setup.Japanese) == "" {
			t.Errorf("%s: %+v", name, s)
		}
		there, err := doctor("certificate of the pages")
		if !there {
			t.Errorf("%s: the doctor does not look at the certificate of the pages", name)
		}
		wantLine(t, err, cert, "PEM")
		_, err = New(t.Context(), cfg, quiet, io.Discard)
		wantLine(t, err, cert)
	}
	cfg.HTTP.TLSCert, cfg.HTTP.TLSKey = "", ""

	// The stick for backups is not plugged in: its step, the doctor and the self-test say so at once, and no longer once it is there.
	cfg.Backup.Dir, cfg.Backup.Recipients = filepath.Join(dir, "stick"), filepath.Join(dir, "to")
	_, public, err := sealed.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	if s := step(10); s.State != setup.Open || !strings.Contains(s.What.In(setup.Japanese), cfg.Backup.Dir) {
		t.Errorf("without the stick: %+v", s)
	}
	_, err = doctor("place of nightly backups")
	wantLine(t, err, cfg.Backup.Dir, "backup place")
	selfTest := func() (err error) {
		withSite(t, cfg, func(s *Site) {
			if err := noteBackup(cfg.Path(backupNote), time.Now()); err != nil {
				t.Fatal(err)
			}
			err = (&App{site: s}).checks().check[itemBackup](t.Context(), time.Now())
		})
		return err
	}
	wantLine(t, selfTest(), cfg.Backup.Dir, "plug the stick in")
	wantLine(t, PlaceBackups(cfg.Backup.Dir, cfg.DataDir, ""), cfg.Backup.Dir, "another disk")
	if err := os.Mkdir(cfg.Backup.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := PlaceBackups(cfg.Backup.Dir, cfg.DataDir, "test"); err != nil {
		t.Fatal(err)
	}
	if there, err := doctor("place of nightly backups"); !there || err != nil {
		t.Errorf("with the stick: %v, %v", there, err)
	}
	// A file of public keys that is not there, or not to be read, is told before the night.
	_, err = doctor("keys of nightly backups")
	wantLine(t, err, cfg.Backup.Recipients)
	wantLine(t, selfTest(), cfg.Backup.Recipients)
	write(t, cfg.Backup.Recipients, public+"\n")
	if there, err := doctor("keys of nightly backups"); !there || err != nil {
		t.Errorf("with the keys: %v, %v", there, err)
	}
	if err := selfTest(); err != nil {
		t.Errorf("with the stick: %v", err)
	}

	// A medium for the master key that is not there.
	_, _, err = CopyMaster(cfg, filepath.Join(dir, "away"), time.Now())
	wantLine(t, err, "away", "plug the stick in")
	_, _, err = CheckMasterCopy(cfg, filepath.Join(dir, "away.txt"), time.Now())
	wantLine(t, err, "away.txt", "plug the stick in")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
