package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/report"
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
