package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/store"
)

// EV-1, RA-4: an export of the log asks why, is an entry before it is made and leaves its hash in the log after; a
// site that was restored exports both logs' keys. What `verify` says of database, backup and bundle is one check.
func TestExportBundle(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 5)
	out := filepath.Join(t.TempDir(), "log.monban")
	held := filepath.Join(t.TempDir(), "mail.txt") // what was sent before
	if _, err := copyFile(cfg.Path(anchorFile), held); err != nil {
		t.Fatal(err)
	}
	o := ExportOptions{Out: out, By: "Kato", Now: time.Now(), Version: "1"}
	if _, _, err := ExportBundle(t.Context(), cfg, BundleExport{Openings: true}, o, quiet); err == nil {
		t.Error("exports without a reason")
	}
	o.Reason = "監査委員の依頼"
	head, sum, err := ExportBundle(t.Context(), cfg, BundleExport{Openings: true}, o, quiet)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if head.To < 6 || !strings.Contains(string(data), sum) || !strings.Contains(string(data), `"verb":"bundle_openings_exported"`) {
		t.Errorf("head %+v, sum %s; its own entry is not in it", head, sum)
	}
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	last, err := s.Store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	err = s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		l, err := r.Leaf(last.Size - 1)
		if err != nil {
			return err
		}
		a, err := entrylog.ParseAction(l.Body)
		found = a.Verb == "bundle_openings_exported_hash" && a.ID == sum
		return err
	})
	if err != nil || !found {
		t.Errorf("the log does not keep the hash: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ExportBundle(t.Context(), cfg, BundleExport{Openings: true}, o, quiet); err == nil {
		t.Error("overwrites a file")
	}
	for _, what := range []string{out, backupOf(t, cfg), cfg.Path(databaseFile)} {
		var text bytes.Buffer
		n, err := Verify(t.Context(), VerifyOptions{Database: what, Keys: cfg.DataDir, Held: []string{held}, Out: &text})
		if err != nil || n != 0 {
			t.Errorf("%s: %d findings, %v\n%s", what, n, err, text.String())
		}
		if what == out && !strings.Contains(text.String(), "others hold") {
			t.Errorf("says nothing of the held checkpoint:\n%s", text.String())
		}
	}
}
