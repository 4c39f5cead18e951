package ca

import (
	"crypto/x509"
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
	names := next.held().server.Leaf.DNSNames
	if !slices.Contains(names, "monban.example") || !slices.Contains(names, "new.example") || next.held().issuing.NotAfter.Before(later.Add(300*24*time.Hour)) {
		t.Errorf("names %v, until %v", names, next.Expires())
	}
	if err := next.held().server.Leaf.VerifyHostname("192.0.2.10"); err != nil {
		t.Error(err)
	}
	if block := gateway.Serial; !next.wasIssued(block, "gw-1") {
		t.Error("a gateway's earlier certificate is not known any more")
	}
	if next.held().root.SerialNumber.Cmp(c.held().root.SerialNumber) != 0 {
		t.Error("another root: every gateway would have to be enrolled again")
	}
	if err := Renew(dir, filepath.Join(dir, "issuing.key"), nil, later); err == nil || !strings.Contains(err.Error(), "root certificate") {
		t.Errorf("with a wrong key: %v", err)
	}
	// Crash points: everything beside the old set, then after each rename.
	files := renewFiles()[:4] // without the root's
	for cut := range len(files) + 1 {
		before := mustRead(t, filepath.Join(dir, "server.crt"))
		if err := Renew(dir, away, nil, later); err != nil {
			t.Fatal(err)
		}
		after := map[string][]byte{}
		for _, f := range files {
			after[f] = mustRead(t, filepath.Join(dir, f))
		}
		// Put the clock of the swap back: the first cut files are in place, the others still beside it.
		for i, f := range files {
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
		for _, f := range files {
			if string(mustRead(t, filepath.Join(dir, f))) != string(after[f]) {
				t.Errorf("cut %d: %s is not the new one", cut, f)
			}
		}
		if string(before) == string(after["server.crt"]) {
			t.Error("nothing was renewed")
		}
	}
}

// From half of their life on the server's certificates are renewed by themselves: the server's by the issuing key, the issuing one
// where the root's key lies on the machine. Open connections' configurations take the new one.
func TestUpkeep(t *testing.T) {
	start := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	for _, rootHere := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "ca")
		c, err := Create(dir, Options{Site: "hall", Names: []string{"monban.example"}, Now: start})
		if err != nil {
			t.Fatal(err)
		}
		if !rootHere {
			if err := os.Remove(filepath.Join(dir, "root.key")); err != nil {
				t.Fatal(err)
			}
		}
		live := c.ServerTLS()
		for _, s := range []struct {
			day  int
			want Kept
		}{
			{89, Kept{}},
			{91, Kept{Server: true}},
			{92, Kept{}},
			{180, Kept{}},
			{183, Kept{Server: true, Issuing: rootHere}}, // half of both
			{184, Kept{}},
		} {
			got, err := Upkeep(dir, day(s.day))
			if err != nil || got != s.want {
				t.Fatalf("root here %v, day %d: %+v, %v; want %+v", rootHere, s.day, got, err, s.want)
			}
			if err := c.Reload(day(s.day)); err != nil {
				t.Fatal(err)
			}
			conf, err := live.GetConfigForClient(nil)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(conf.Certificates[0].Certificate[0])
			if err != nil || pastHalf(leaf, day(s.day)) || leaf.VerifyHostname("monban.example") != nil {
				t.Fatalf("root here %v, day %d: a new connection gets a certificate until %v (%v)", rootHere, s.day, leaf.NotAfter, err)
			}
		}
		server, issuing, _, automatic := c.Ends()
		if automatic != rootHere {
			t.Errorf("renewed by itself: %v, want %v", automatic, rootHere)
		}
		if !rootHere {
			if !issuing.Equal(day(365)) || server.After(issuing) {
				t.Errorf("without the root's key: the issuing certificate ends %v, the server's %v", issuing, server)
			}
			// Nothing more can be gained; and what has ended is not made to look alive.
			if got, err := Upkeep(dir, day(364)); got != (Kept{Server: true}) || err != nil { // to the end of the issuing one
				t.Errorf("the day before the end: %+v, %v", got, err)
			}
			if got, err := Upkeep(dir, day(364)); got != (Kept{}) || err != nil {
				t.Errorf("the day before the end, again: %+v, %v", got, err)
			}
			if got, err := Upkeep(dir, day(366)); got != (Kept{}) || err != nil {
				t.Errorf("after the end: %+v, %v", got, err)
			}
		} else if got, err := Upkeep(dir, day(600)); err != nil || !got.Issuing { // off for a year
			t.Errorf("after the end: %+v, %v", got, err)
		} else if err := c.Reload(day(600)); err != nil {
			t.Error(err)
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
