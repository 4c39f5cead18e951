package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/ca"
)

// D18: the end of a change of the roots waits for every gateway; a crash at any step can be gone on from; the list of role keys is never
// without a root that gateways trust at that moment.
func TestRollCommands(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
			if err := s.AddGateway(gw, filepath.Join(t.TempDir(), string(gw)), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	})
	o := RollOptions{User: "admin", Reason: "test", Now: time.Now()}
	wantLine(t, FinishRoll(cfg, o), "no change of the root is under way", "ca roll")
	wrong := o
	wrong.RootKey = cfg.Path(keysDir, "link.key")
	wantLine(t, StartRoll(cfg, wrong), "link.key", "not the key that signs")
	wrong.RootKey = filepath.Join(cfg.CA.Dir, "root.key")
	wantLine(t, StartRoll(cfg, wrong), "holds no note key")

	// Crash points of the start: whatever was made before the announcement is used again.
	before, err := os.ReadFile(cfg.Path(keysDir, keysNoteFile))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ca.StartRoll(cfg.CA.Dir, o.Now); err != nil {
		t.Fatal(err)
	}
	vkey, err := makeNextRoot(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := StartRoll(cfg, o); err != nil {
		t.Fatal(err)
	}
	roots, keys, err := readRoll(cfg)
	if err != nil || !roots.announced || keys.NextRoot != vkey || keys.Version != 2 || len(keys.Roots()) != 2 {
		t.Fatalf("announced: %+v, %+v, %v", roots, keys, err)
	}
	wantLine(t, StartRoll(cfg, o), "under way already")
	withSite(t, cfg, func(s *Site) { // it can be served meanwhile, and gateways' identities name both
		if _, err := wire.OpenKeys(roots.old, cfg.Site, string(s.keysNote)); err != nil || strings.Count(string(s.CA.RootPEM()), "BEGIN") != 2 {
			t.Errorf("the site during the change: %v", err)
		}
	})
	confirm := func(gw, version string) {
		t.Helper()
		if err := writeFile(confirmedPath(cfg, gw), []byte(version+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	wantLine(t, FinishRoll(cfg, o), "gw-1, gw-2 would be cut off")
	confirm("gw-1", "2")
	confirm("gw-2", "1") // of before
	wantLine(t, FinishRoll(cfg, o), "gw-2 would be cut off")
	if st, err := Rolling(cfg); err != nil || !st.UnderWay || len(st.Waiting) != 1 || st.Waiting[0] != "gw-2" {
		t.Errorf("status %+v, %v", st, err)
	}
	confirm("gw-2", "damaged")
	wantLine(t, FinishRoll(cfg, o), "gw-2 would be cut off")
	wrong.RootKey, wrong.Without = cfg.Path(keysDir, rootKeyFile), []string{"gw-2"}
	wantLine(t, FinishRoll(cfg, wrong), "not the next root's key")

	// Crash point 1 of the end: the authority is swapped, the list is still the old one.
	if err := ca.FinishRoll(cfg.CA.Dir); err != nil {
		t.Fatal(err)
	}
	wantLine(t, FinishRoll(cfg, o), "gw-2 would be cut off") // and it still waits
	o.Without = []string{"gw-2"}
	if err := FinishRoll(cfg, o); err != nil {
		t.Fatal(err)
	}
	roots, keys, err = readRoll(cfg)
	if err != nil || roots.next != nil || roots.announced || keys.NextRoot != "" || keys.Version != 3 || len(keys.Roots()) != 1 || vkeyOf(t, cfg.Path(keysDir, "root.vkey")) != vkey {
		t.Fatalf("ended: %+v, %+v, %v", roots, keys, err)
	}
	wantLine(t, FinishRoll(cfg, o), "no change of the root is under way")
	withSite(t, cfg, func(s *Site) {
		if strings.Count(string(s.CA.RootPEM()), "BEGIN") != 1 {
			t.Error("the old TLS root is still trusted")
		}
		if _, err := wire.OpenKeys(roots.old, cfg.Site, string(before)); err == nil {
			t.Error("the new root has signed the first list")
		}
	})

	// Crash point 2 of the end: the list is the new root's, its files not moved yet. The root's key was taken offline, too.
	if err := StartRoll(cfg, o); err != nil {
		t.Fatal(err)
	}
	o.Without = []string{"gw-1", "gw-2"}
	aside := filepath.Join(t.TempDir(), "root.key")
	if err := os.Rename(cfg.Path(keysDir, nextKeysDir, rootKeyFile), aside); err != nil {
		t.Fatal(err)
	}
	wantLine(t, FinishRoll(cfg, o), "--root-key")
	o.RootKey = aside
	roots, keys, err = readRoll(cfg)
	if err == nil {
		err = endOverlap(cfg, o, roots, keys)
	}
	if err != nil {
		t.Fatal(err)
	}
	if roots, _, err = readRoll(cfg); err != nil || !roots.finished {
		t.Fatalf("half way: %+v, %v", roots, err)
	}
	withSite(t, cfg, func(*Site) {}) // opens
	if err := FinishRoll(cfg, o); err != nil {
		t.Fatal(err)
	}
	if roots, keys, err = readRoll(cfg); err != nil || roots.next != nil || keys.Version != 5 {
		t.Fatalf("ended: %+v, %d, %v", roots, keys.Version, err)
	}
	if _, err := os.Stat(cfg.Path(keysDir, rootKeyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a root's key lies in its place that is not this root's: %v", err)
	}
}

func vkeyOf(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return firstLine(b)
}
