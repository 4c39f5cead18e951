package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/signer"
)

var quiet = slog.New(slog.DiscardHandler)

func contains(b []byte, s string) bool { return bytes.Contains(b, []byte(s)) }

// testConfig is a site in a new folder, on ports that the system chooses.
func testConfig(t *testing.T) *config.Config {
	t.Helper()
	text := fmt.Sprintf("site = \"test-city\"\ntime_zone = \"Asia/Tokyo\"\ndata_dir = %q\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n[login]\nsecond_factor_roles = []\npassword_step_up = true\n", filepath.Join(t.TempDir(), "data"))
	cfg, err := config.Parse("server.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// testSite is a new site with the sample directory, closed.
func testSite(t *testing.T) *config.Config {
	t.Helper()
	cfg := testConfig(t)
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) { importSample(t, s) })
	return cfg
}

func withSite(t *testing.T, cfg *config.Config, f func(*Site)) {
	t.Helper()
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	f(s)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func importSample(t *testing.T, s *Site) {
	t.Helper()
	files, err := directory.SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Import(context.Background(), files, ImportOptions{Reason: "sample", Now: time.Now(), Relative: true}); err != nil {
		t.Fatal(err)
	}
}

// wantLine fails unless err is one line that mentions all words.
func wantLine(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want an error with %q", words)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not mention %q", err, w)
		}
	}
}

func TestCreateSiteTwice(t *testing.T) {
	cfg := testConfig(t)
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(cfg.Path(siteKeysFile))
	if err != nil {
		t.Fatal(err)
	}
	wantLine(t, CreateSite(cfg, time.Now(), quiet), cfg.DataDir, "nothing was changed")
	after, err := os.ReadFile(cfg.Path(siteKeysFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("keys changed, %v", err)
	}
	// Everything in it is its owner's alone.
	err = filepath.WalkDir(cfg.DataDir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 && !strings.HasSuffix(p, "-shm") && !strings.HasSuffix(p, "-wal") {
			t.Errorf("%s has mode %v", p, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// A set-up that broke off at any point is told to whoever opens the site, and is begun anew.
func TestCreateSiteAfterCrash(t *testing.T) {
	whole := testConfig(t)
	if err := CreateSite(whole, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	parts := siteParts(whole)
	// The parts in the order in which they come into being.
	made := []string{whole.CA.Dir, whole.Path(keysDir), whole.Path(masterFile), whole.Path(keyStoreFile), whole.Path(siteKeysFile), whole.Path(databaseFile)}
	for _, m := range made {
		if !slices.Contains(parts, m) {
			t.Fatalf("siteParts has no %s", m)
		}
	}
	for n := range len(made) + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			cfg := testConfig(t)
			if err := CreateSite(cfg, time.Now(), quiet); err != nil {
				t.Fatal(err)
			}
			old, err := os.ReadFile(cfg.Path(siteKeysFile))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range made[n:] { // as if it had not come so far
				rel, err := filepath.Rel(whole.DataDir, m)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(cfg.Path(rel)); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(cfg.Path(unfinishedFile), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = OpenSite(cfg, time.Now(), quiet)
			wantLine(t, err, "setup")
			if err := CreateSite(cfg, time.Now(), quiet); err != nil {
				t.Fatal(err)
			}
			withSite(t, cfg, func(s *Site) {
				if s.Store.Size() != 1 {
					t.Errorf("%d leaves, want the genesis", s.Store.Size())
				}
			})
			fresh, err := os.ReadFile(cfg.Path(siteKeysFile))
			if err != nil || bytes.Equal(old, fresh) {
				t.Errorf("keys of the broken-off set-up are still in use, %v", err)
			}
		})
	}
}

// Each broken piece of a data directory gives one line that names it.
func TestOpenSiteErrors(t *testing.T) {
	for name, c := range map[string]struct {
		breakIt func(cfg *config.Config) error
		words   []string
	}{
		"nothing there": {func(cfg *config.Config) error { return os.RemoveAll(cfg.DataDir) }, []string{"setup"}},
		"database lost": {func(cfg *config.Config) error { return os.Remove(cfg.Path(databaseFile)) }, []string{"monban.db", "backup"}},
		"database garbage": {func(cfg *config.Config) error {
			return os.WriteFile(cfg.Path(databaseFile), bytes.Repeat([]byte("no database\n"), 999), 0o600)
		}, []string{"monban.db"}},
		"key readable":      {func(cfg *config.Config) error { return os.Chmod(cfg.Path(keysDir, "log.key"), 0o644) }, []string{"log.key"}},
		"key lost":          {func(cfg *config.Config) error { return os.Remove(cfg.Path(keysDir, "link.key")) }, []string{"link.key"}},
		"keys note lost":    {func(cfg *config.Config) error { return os.Remove(cfg.Path(keysDir, keysNoteFile)) }, []string{"keys.note"}},
		"master key lost":   {func(cfg *config.Config) error { return os.Remove(cfg.Path(masterFile)) }, []string{"master.key"}},
		"site keys garbage": {func(cfg *config.Config) error { return os.WriteFile(cfg.Path(siteKeysFile), []byte("{"), 0o600) }, []string{"site-keys.json"}},
		"certificate lost":  {func(cfg *config.Config) error { return os.Remove(filepath.Join(cfg.CA.Dir, "server.crt")) }, []string{"server.crt"}},
		"another site":      {func(cfg *config.Config) error { cfg.Site = "other-city"; return nil }, []string{"other-city", "test-city"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			if err := CreateSite(cfg, time.Now(), quiet); err != nil {
				t.Fatal(err)
			}
			if err := c.breakIt(cfg); err != nil {
				t.Fatal(err)
			}
			_, err := OpenSite(cfg, time.Now(), quiet)
			wantLine(t, err, c.words...)
			if name == "database lost" {
				if there, _ := exists(cfg.Path(databaseFile)); there {
					t.Error("an empty database took the place of the lost one")
				}
			}
			// serve says the same, and gives its port back.
			_, err = New(t.Context(), cfg, quiet, &bytes.Buffer{})
			wantLine(t, err, c.words...)
		})
	}
	t.Run("certificate over", func(t *testing.T) {
		cfg := testConfig(t)
		if err := CreateSite(cfg, time.Now(), quiet); err != nil {
			t.Fatal(err)
		}
		key := filepath.Join(cfg.CA.Dir, "root.key")
		if err := os.Rename(key, key+".offline"); err != nil {
			t.Fatal(err)
		}
		_, err := OpenSite(cfg, time.Now().AddDate(2, 0, 0), quiet)
		wantLine(t, err, "ended on")
		if err := os.Rename(key+".offline", key); err != nil { // then nobody is needed
			t.Fatal(err)
		}
		s, err := OpenSite(cfg, time.Now().AddDate(2, 0, 0), quiet)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestSiteLock(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(*Site) {
		_, err := OpenSite(cfg, time.Now(), quiet)
		wantLine(t, err, "another monban-server", lockFile)
		wantLine(t, CreateSite(cfg, time.Now(), quiet), "another monban-server")
	})
	withSite(t, cfg, func(*Site) {}) // the lock came back
}

func TestAddGateway(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		wantLine(t, s.KnowsGateway(t.Context(), "gw-9"), "gw-9", "directory")
		if err := s.KnowsGateway(t.Context(), "gw-1"); err != nil {
			t.Error(err)
		}
		if _, err := s.Verifier("gw-1"); err == nil {
			t.Error("a gateway without an identity has a verifier")
		}
		if _, err := s.Verifier("../keys/log"); err == nil {
			t.Error("an id that is a path has a verifier")
		}
		out := filepath.Join(t.TempDir(), "gw-1")
		if err := s.AddGateway("gw-1", out, time.Now()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"tls.crt", "tls.key", "ca.crt", "note.key", "keys.note", "root.vkey", "symmetric.json"} {
			info, err := os.Stat(filepath.Join(out, name))
			if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		first, err := s.Verifier("gw-1")
		if err != nil {
			t.Fatal(err)
		}
		sym, err := os.ReadFile(filepath.Join(out, "symmetric.json"))
		if err != nil {
			t.Fatal(err)
		}

		// A second try into the same folder changes nothing: the gateway at work goes on.
		wantLine(t, s.AddGateway("gw-1", out, time.Now()), out, "not overwritten")
		// Nor does one that cannot write its bundle.
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.AddGateway("gw-1", filepath.Join(file, "below"), time.Now()); err == nil {
			t.Error("a bundle below a file")
		}
		if v, err := s.Verifier("gw-1"); err != nil || v.KeyHash() != first.KeyHash() {
			t.Errorf("a failed try changed the verifier: %v", err)
		}

		// A new identity has a new note key and the same symmetric keys.
		again := filepath.Join(t.TempDir(), "again")
		if err := s.AddGateway("gw-1", again, time.Now()); err != nil {
			t.Fatal(err)
		}
		if v, err := s.Verifier("gw-1"); err != nil || v.KeyHash() == first.KeyHash() {
			t.Errorf("the note key is the old one: %v", err)
		}
		same, err := os.ReadFile(filepath.Join(again, "symmetric.json"))
		if err != nil || !bytes.Equal(sym, same) {
			t.Errorf("symmetric keys changed: %v", err)
		}
	})
}

// OP-9: another device in a gateway's place gets keys of its own; the old one's certificate is refused; the site's keys stay, so no card
// is enrolled again.
func TestReplaceGateway(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		dir := t.TempDir()
		if err := s.ReplaceGateway("gw-1", filepath.Join(dir, "first"), "admin", time.Now()); err != nil { // nothing to refuse yet
			t.Fatal(err)
		}
		before := s.Keys
		if err := s.ReplaceGateway("gw-1", filepath.Join(dir, "second"), "admin", time.Now()); err != nil {
			t.Fatal(err)
		}
		a, b := before.Gateways["gw-1"], s.Keys.Gateways["gw-1"]
		if a.Token == b.Token || a.Ask == b.Ask || before.CardKey != s.Keys.CardKey || before.PINKey != s.Keys.PINKey {
			t.Error("the spare has keys of the dead one, or the site's have changed")
		}
		saved, err := policypub.LoadKeys(cfg.Path(siteKeysFile))
		if err != nil || saved.Gateways["gw-1"] != b {
			t.Errorf("not saved: %v", err)
		}
		serial := func(name string) string {
			t.Helper()
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name, "tls.crt"), filepath.Join(dir, name, "tls.key"))
			if err != nil {
				t.Fatal(err)
			}
			return pair.Leaf.SerialNumber.Text(16)
		}
		if !s.CA.Denied(serial("first")) || s.CA.Denied(serial("second")) {
			t.Error("the old certificate is taken, or the new one refused")
		}
		wantLine(t, s.ReplaceGateway("gw-1", filepath.Join(dir, "second"), "admin", time.Now()), "not overwritten")
	})
}

// The running server looks a gateway's key up once, and never for an unknown one.
func TestVerifiers(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		v := newVerifiers(s)
		if _, ok := v.Verifier("gw-1"); ok {
			t.Error("gw-1 has no identity yet")
		}
		if err := s.AddGateway("gw-1", filepath.Join(t.TempDir(), "i"), time.Now()); err != nil {
			t.Fatal(err)
		}
		k, ok := v.Verifier("gw-1")
		if !ok || k.Name() != signer.GatewayKeyName(cfg.Site, "gw-1") {
			t.Errorf("verifier %v, %v", k, ok)
		}
	})
}

// The signer's floor reads what the publisher signs, and nothing else.
func TestManifestVersion(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
			if err := s.AddGateway(gw, filepath.Join(t.TempDir(), string(gw)), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		pub, err := s.publisher()
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		sealed, err := pub.Manifest("gw-1")
		if err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(string(sealed), "\n\n")
		gw, version, err := manifestVersion(text + "\n")
		if err != nil || gw != "gw-1" || version == 0 {
			t.Errorf("gateway %q, version %d, %v", gw, version, err)
		}
		for _, bad := range []string{"", "{}", text, `{"monban":1,"kind":"policy","topic":"x","body":{}}` + "\n", strings.Replace(text, `"body"`, `"bodies"`, 1) + "\n"} {
			if _, _, err := manifestVersion(bad); err == nil {
				t.Errorf("%.60q has a version", bad)
			}
		}
		if _, err := wire.ParseManifest([]byte("{}")); err == nil {
			t.Error("an empty manifest parses")
		}
	})
}

func TestImport(t *testing.T) {
	cfg := testConfig(t)
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		files, err := directory.SampleFiles()
		if err != nil {
			t.Fatal(err)
		}
		o := ImportOptions{Reason: "try", Now: time.Now(), Relative: true, DryRun: true}
		planned, err := s.Import(t.Context(), files, o)
		if err != nil || len(planned) == 0 {
			t.Fatalf("dry run: %d changes, %v", len(planned), err)
		}
		if dir, err := s.Directory(t.Context()); err != nil || len(dir.People) != 0 || s.Store.Size() != 1 {
			t.Fatalf("a dry run left %d people and %d leaves, %v", len(dir.People), s.Store.Size(), err)
		}
		o.DryRun = false
		done, err := s.Import(t.Context(), files, o)
		if err != nil || len(done) != len(planned) {
			t.Fatalf("%d changes, planned %d, %v", len(done), len(planned), err)
		}
		again, err := s.Import(t.Context(), files, o)
		if err != nil || len(again) != 0 {
			t.Errorf("the same files again: %d changes, %v", len(again), err)
		}
		if _, err := s.SetCardStatus(t.Context(), "C-001", "lost", "紛失"); err != nil {
			t.Error(err)
		}
		if _, err := s.SetCardStatus(t.Context(), "C-001", "eaten", "x"); err == nil {
			t.Error("a status that there is not")
		}
		if _, err := s.SetCardStatus(t.Context(), "C-999", "lost", "x"); err == nil {
			t.Error("a card that there is not")
		}
		var plain, open bytes.Buffer
		if err := s.PrintLog(t.Context(), &plain, false); err != nil {
			t.Error(err)
		}
		size := s.Store.Size()
		sum, err := s.PrintOpenings(t.Context(), &open, true, ExportOptions{Reason: "点検", By: "kato", Now: time.Now()})
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(plain.String(), "紛失") || !strings.Contains(open.String(), "紛失") {
			t.Error("reasons belong into the openings and only there")
		}
		// RA-4: to read the openings is an action, and is in the list that it gives; the hash of that list is another one (RR-5).
		acts := actions(t, s.Store)
		if s.Store.Size() != size+2 || acts[len(acts)-2].Verb != "view_openings" || !strings.Contains(open.String(), "view_openings") {
			t.Errorf("reading the openings left %d leaves", s.Store.Size()-size)
		}
		if last := acts[len(acts)-1]; last.Verb != "view_openings_hash" || last.ID != sum || sum != sumOf(open.Bytes()) {
			t.Errorf("the hash of the list is %s, given %s, in the log %s", sumOf(open.Bytes()), sum, last.ID)
		}
	})
}

// AD-5: a new site in Japan knows the national holidays of the law without any file: 2026-09-22 (国民の休日),
// 2027-03-22 (振替休日) and 12/29–1/3 are closed, for five fiscal years. A second import changes nothing.
func TestImportHolidays(t *testing.T) {
	cfg := testConfig(t)
	now := time.Date(2026, 4, 1, 0, 0, 0, 0, cfg.Location())
	if err := CreateSite(cfg, time.Now(), quiet); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		n, err := s.ImportHolidays(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		dir, err := s.Directory(t.Context())
		if err != nil || len(dir.ClosedDays) != n || n < 5*20 {
			t.Fatalf("%d days, %d in the directory, %v", n, len(dir.ClosedDays), err)
		}
		closed := map[string]bool{}
		for _, d := range dir.ClosedDays {
			closed[d.Day.String()] = true
		}
		for day, want := range map[string]bool{"2026-09-22": true, "2026-11-23": true, "2027-03-22": true, "2026-12-28": false, "2026-12-29": true, "2027-01-03": true, "2027-01-04": false, "2026-11-24": false, "2026-03-20": false, "2031-03-21": true, "2031-04-29": false} {
			if closed[day] != want {
				t.Errorf("%s: closed %v", day, closed[day])
			}
		}
		if n, err := s.ImportHolidays(t.Context(), now); err != nil || n != 0 {
			t.Errorf("again: %d changes, %v", n, err)
		}
	})
	withSite(t, cfg, func(s *Site) {
		s.Config.TimeZone = "Europe/Berlin"
		if n, err := s.ImportHolidays(t.Context(), now.AddDate(10, 0, 0)); err != nil || n != 0 {
			t.Errorf("elsewhere: %d changes, %v", n, err)
		}
	})
}

func TestReadImport(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadImport(dir)
	wantLine(t, err, dir, "no CSV file")
	for name, text := range map[string]string{"people.csv": "person_id,name\n", "note.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files, err := ReadImport(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "poeple.csv"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = ReadImport(dir)
	wantLine(t, err, "poeple.csv")
	_, err = ReadImport(filepath.Join(dir, "nowhere"))
	wantLine(t, err, "nowhere")
	if errors.Is(err, errDryRun) {
		t.Error("BUG")
	}
}
