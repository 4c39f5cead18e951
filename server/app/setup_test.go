package app

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"monban/server/config"
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
