package ca

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// After a year the server's certificates are made anew with the root's key from wherever it is kept; gateways with old
// certificates are still known, and a crash at any step leaves the old or the new set, never a mixed one.
func TestRenewServer(t *testing.T) {
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	dir := filepath.Join(t.TempDir(), "ca")
	c, err := Create(dir, Options{Site: "hall", Names: []string{"monban.example", "192.0.2.10"}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := c.IssueGateway("gw-1", DefaultValidity, now)
	if err != nil {
		t.Fatal(err)
	}
	away := filepath.Join(t.TempDir(), "root.key")
	if err := os.Rename(filepath.Join(dir, "root.key"), away); err != nil {
		t.Fatal(err)
	}
	later := now.Add(360 * 24 * time.Hour)
	if err := Renew(dir, away, []string{"new.example"}, later); err != nil {
		t.Fatal(err)
	}
	next, err := Open(dir, later)
	if err != nil {
		t.Fatal(err)
	}
	names := next.server.Leaf.DNSNames
	if !slices.Contains(names, "monban.example") || !slices.Contains(names, "new.example") || next.Expires().Before(later.Add(300*24*time.Hour)) {
		t.Errorf("names %v, until %v", names, next.Expires())
	}
	if err := next.server.Leaf.VerifyHostname("192.0.2.10"); err != nil {
		t.Error(err)
	}
	if block := gateway.Serial; !next.wasIssued(block, "gw-1") {
		t.Error("a gateway's earlier certificate is not known any more")
	}
	if next.root.SerialNumber.Cmp(c.root.SerialNumber) != 0 {
		t.Error("another root: every gateway would have to be enrolled again")
	}
	if err := Renew(dir, filepath.Join(dir, "issuing.key"), nil, later); err == nil || !strings.Contains(err.Error(), "root certificate") {
		t.Errorf("with a wrong key: %v", err)
	}
	// Crash points: everything beside the old set, then after each rename.
	for cut := range len(renewFiles()) + 1 {
		before := mustRead(t, filepath.Join(dir, "server.crt"))
		if err := Renew(dir, away, nil, later); err != nil {
			t.Fatal(err)
		}
		after := map[string][]byte{}
		for _, f := range renewFiles() {
			after[f] = mustRead(t, filepath.Join(dir, f))
		}
		// Put the clock of the swap back: the first cut files are in place, the others still beside it.
		for i, f := range renewFiles() {
			if i >= cut {
				if err := os.Rename(filepath.Join(dir, f), filepath.Join(dir, f+".next")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(filepath.Join(dir, renewReady), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir, later); err != nil {
			t.Fatalf("cut %d: %v", cut, err)
		}
		for _, f := range renewFiles() {
			if string(mustRead(t, filepath.Join(dir, f))) != string(after[f]) {
				t.Errorf("cut %d: %s is not the new one", cut, f)
			}
		}
		if string(before) == string(after["server.crt"]) {
			t.Error("nothing was renewed")
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
