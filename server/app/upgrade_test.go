package app

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// oldSite unpacks the data directory that an older program of this repository has left (scripts/old-site), and gives when.
func oldSite(t *testing.T, file string) (*config.Config, time.Time) {
	t.Helper()
	cfg := testConfig(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // only read
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(cfg.DataDir, filepath.FromSlash(h.Name)) // our own file
		if h.Typeflag == tar.TypeDir {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		data, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(path, data, fs.FileMode(h.Mode).Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(cfg.Path("MADE"))
	if err != nil {
		t.Fatal(err)
	}
	_, made, ok := strings.Cut(string(text), "\nmade ")
	at, err := strconv.ParseInt(strings.TrimSpace(made), 10, 64)
	if !ok || err != nil {
		t.Fatalf("MADE: %q", text)
	}
	cfg.Site = "demo-city"
	return cfg, time.Unix(at, 0)
}

// OP-4, EV-1, EV-3: databases that older programs have written, at five places of the schema's history, come to the present one by today's
// program: every leaf and row verifies, what the log held it holds, the chain of checkpoints goes on from the old one, pages open, and a
// person's password of then signs in.
func TestUpgradeFromOlder(t *testing.T) {
	files, err := filepath.Glob("testdata/old/*.tar.gz")
	if err != nil || len(files) < 5 {
		t.Fatalf("%v: %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".tar.gz"), func(t *testing.T) {
			cfg, made := oldSite(t, file)
			before, err := store.HeadOf(t.Context(), cfg.Path(databaseFile))
			if err != nil {
				t.Fatal(err)
			}
			bodies := leafBodies(t, cfg.Path(databaseFile), before.Size)
			if before.Size < 20 {
				t.Fatalf("an old log of %d leaves is none", before.Size)
			}
			upgradeOldSite(t, cfg, made, before, bodies)
			pagesOfOldSite(t, cfg)
			verifyClean(t, cfg)
		})
	}
}

func upgradeOldSite(t *testing.T, cfg *config.Config, made time.Time, before store.Head, bodies []string) {
	t.Helper()
	s, err := OpenSite(cfg, made, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Store.SignErr(); err != nil {
		t.Fatal(err)
	}
	err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AppendAction(entrylog.Action{Verb: UpdateDone, Target: "version", ID: "0-2", From: "cli", Result: "ok", AtMS: made.UnixMilli()}, nil)
		return err
	})
	if err == nil {
		err = s.Store.SignNow(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	after, err := entrylog.OpenCheckpoint([]byte(s.Store.Checkpoint()), logKeyOf(t, cfg))
	if err != nil || after.Size <= before.Size {
		t.Fatalf("the next checkpoint: %+v, %v; the old one had %d leaves", after, err, before.Size)
	}
	old, err := entrylog.OpenCheckpoint([]byte(before.Checkpoint), logKeyOf(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		for i, want := range bodies {
			l, err := r.Leaf(int64(i))
			if err != nil || string(l.Body) != want {
				t.Errorf("leaf %d is another one: %v", i, err)
			}
		}
		people, err := r.NewestPersonAttempt()
		if err != nil || people.ToMS == 0 {
			t.Errorf("no entry of a person of then: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if old.Size > before.Size {
		t.Errorf("the old checkpoint has %d leaves, the log had %d", old.Size, before.Size)
	}
}

// leafBodies reads the leaves of a database of any schema.
func leafBodies(t *testing.T, path string, size int64) (out []string) {
	t.Helper()
	err := store.ReadFile(t.Context(), path, nil, directory.Terms{}, func(r *store.ReadTx) error {
		for i := range size {
			l, err := r.Leaf(i)
			if err != nil {
				return err
			}
			out = append(out, string(l.Body))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func logKeyOf(t *testing.T, cfg *config.Config) note.Verifier {
	t.Helper()
	opt, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		t.Fatal(err)
	}
	return opt.Log
}

func verifyClean(t *testing.T, cfg *config.Config) {
	t.Helper()
	opt, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		t.Fatal(err)
	}
	opt.Structure = true
	res, err := store.VerifyFile(t.Context(), cfg.Path(databaseFile), opt)
	if err != nil || !res.Clean() {
		t.Errorf("verify: %v, %v", res.Findings, err)
	}
}

func pagesOfOldSite(t *testing.T, cfg *config.Config) {
	t.Helper()
	a, _, stop := running(t, cfg)
	base := "http://" + a.listener.Addr().String()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	do := func(method, path string, form url.Values) (*http.Response, string) {
		req, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		if method == http.MethodPost {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	do(http.MethodPost, "/login", url.Values{"name": {"sakiyama"}, "password": {"an older program of ours"}})
	for _, page := range []string{"/live", "/log", "/findings", "/doors", "/me"} {
		res, body := do(http.MethodGet, page, nil)
		if res.StatusCode != http.StatusOK || res.Request.URL.Path != page {
			t.Errorf("%s: %d at %s: %.200s", page, res.StatusCode, res.Request.URL.Path, body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
