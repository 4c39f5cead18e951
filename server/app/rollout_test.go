package app

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/config"
	"monban/server/policypub/sitetest"
	"monban/server/rollout"
	"monban/server/store"
)

// rolloutSite is a site with a release in its folder and gateways that are heard at any time.
type rolloutSite struct {
	*rollouts
	t      *testing.T
	store  *store.Store
	clock  time.Time
	silent map[string]time.Time // who is not heard, and since when
}

const releaseNumber = 1_700_000_000

func newRolloutSite(t *testing.T) *rolloutSite {
	t.Helper()
	h := newReleaser(t)
	cfg := &config.Config{DataDir: t.TempDir()}
	number, err := takeRelease(cfg, h.makes(releaseNumber, "0~2", "program of version 2"), h.root, time.Now())
	if err != nil || number != releaseNumber {
		t.Fatal(number, err)
	}
	site := sitetest.New(t)
	s := &rolloutSite{t: t, store: site.Store, clock: time.Now(), silent: map[string]time.Time{}}
	s.rollouts = s.server(cfg.Path(rolloutDir))
	return s
}

// server is a server that starts on the site.
func (s *rolloutSite) server(dir string) *rollouts {
	s.t.Helper()
	r := &rollouts{
		store: s.store, dir: dir, now: func() time.Time { return s.clock }, since: s.clock, log: quiet, seen: map[string]rollout.Seen{},
		rules: rollout.Rules{Settle: 15 * time.Minute, Limit: time.Hour},
		hours: func(time.Time) (time.Time, bool) { return time.Time{}, true },
		heard: func(gw access.GatewayID) time.Time {
			if at, ok := s.silent[string(gw)]; ok {
				return at
			}
			return s.clock
		},
		gateways: func() []rollout.Candidate { return []rollout.Candidate{{ID: "gw-1", Doors: 2}, {ID: "gw-2", Doors: 1}} },
	}
	if err := r.load(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return r
}

var monthly = author{name: "髙橋", from: "cli", reason: "月例の更新"}

func (s *rolloutSite) begins() {
	s.t.Helper()
	if err := s.begin(s.t.Context(), releaseNumber, "", monthly); err != nil {
		s.t.Fatal(err)
	}
}

// asks has a gateway ask, and reports whether it has its turn.
func (s *rolloutSite) asks(gw string, running int64, w rollout.Word, try int) bool {
	s.t.Helper()
	got, files, err := s.said(s.t.Context(), gw, rollout.Seen{Running: running, Word: w, Number: releaseNumber, Try: try})
	if err != nil {
		s.t.Fatal(err)
	}
	if (got > 0) != (files != nil) {
		s.t.Fatalf("turn %d, files %v", got, files)
	}
	return got > 0
}

func (s *rolloutSite) verbs() (out []string) {
	for _, a := range actions(s.t, s.store) {
		if strings.HasPrefix(a.Verb, "rollout_") {
			out = append(out, a.Verb+" "+a.ID)
		}
	}
	return out
}

func (s *rolloutSite) stopFindings() (out []string) {
	s.t.Helper()
	err := s.store.Read(s.t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(false, 0, 100)
		for _, f := range list {
			if f.Kind == "rollout_stopped" {
				out = append(out, f.Gateway+" "+f.Detail)
			}
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// OP-4, RA-4: a roll-out to two gateways over a restart of the server in between; each act is a leaf, and there is nothing to find.
func TestRollout(t *testing.T) {
	s := newRolloutSite(t)
	if s.asks("gw-2", 100, rollout.Idle, 0) {
		t.Fatal("a turn before anything has begun")
	}
	s.begins()
	if s.asks("gw-1", 100, rollout.Idle, 0) {
		t.Fatal("gw-1 has more doors, and its turn is later")
	}
	if !s.asks("gw-2", 100, rollout.Idle, 0) || s.serving("gw-2") == nil || s.serving("gw-1") != nil {
		t.Fatal("gw-2 has no turn")
	}
	s.rollouts = s.server(s.dir) // the server starts anew
	if !s.asks("gw-2", 100, rollout.Fetching, 0) || s.asks("gw-1", 100, rollout.Idle, 0) {
		t.Fatal("the turn is not kept over a restart")
	}
	for range 16 {
		if s.asks("gw-2", releaseNumber, rollout.Kept, 1) {
			t.Fatal("files for who has them")
		}
		if s.asks("gw-1", 100, rollout.Idle, 0) && s.plan.Find("gw-2").Stage != rollout.Good {
			t.Fatal("two turns at once")
		}
		s.clock = s.clock.Add(time.Minute)
	}
	for range 16 {
		s.asks("gw-2", releaseNumber, rollout.Kept, 1)
		s.asks("gw-1", releaseNumber, rollout.Kept, 1)
		s.clock = s.clock.Add(time.Minute)
	}
	if st := s.status(); st.State != rollout.Done {
		t.Fatalf("%+v", st)
	}
	want := []string{"rollout_begun 0-2", "rollout_turn gw-2", "rollout_gateway_done gw-2", "rollout_turn gw-1", "rollout_gateway_done gw-1", "rollout_finished 0-2"}
	if got := s.verbs(); !slices.Equal(got, want) {
		t.Errorf("leaves %q", got)
	}
	if f := s.stopFindings(); len(f) != 0 {
		t.Errorf("findings %q", f)
	}
	if s.rollouts = s.server(s.dir); s.plan.State != rollout.Done || s.asks("gw-1", 100, rollout.Idle, 0) {
		t.Error("after the end")
	}
}

// OP-4, AL-1: a gateway that goes back stops the roll-out: a finding, and nobody has a turn, over a restart too, until somebody goes on.
// A person's stop is no finding.
func TestRolloutStopped(t *testing.T) {
	s := newRolloutSite(t)
	s.begins()
	s.asks("gw-2", 100, rollout.Idle, 0)
	s.asks("gw-2", 100, rollout.Failed, 1)
	s.rollouts = s.server(s.dir)
	for range 100 {
		s.clock = s.clock.Add(time.Minute)
		if s.asks("gw-2", 100, rollout.Failed, 1) || s.asks("gw-1", 100, rollout.Idle, 0) || s.serving("gw-1") != nil || s.serving("gw-2") != nil {
			t.Fatal("a turn while it is stopped")
		}
	}
	if st := s.status(); st.State != rollout.Stopped || st.Cause != rollout.RolledBack || st.Where != "gw-2" {
		t.Fatalf("%+v", st)
	}
	if f := s.stopFindings(); !slices.Equal(f, []string{"gw-2 rolled_back/0-2"}) {
		t.Errorf("findings %q", f)
	}
	if err := s.resume(t.Context(), "gw-9", monthly); err == nil {
		t.Error("resumed without a gateway that is not there")
	}
	if err := s.resume(t.Context(), "gw-2", monthly); err != nil {
		t.Fatal(err)
	}
	if s.asks("gw-2", 100, rollout.Failed, 1) || !s.asks("gw-1", 100, rollout.Idle, 0) {
		t.Error("gw-2 is left out, and gw-1 has its turn")
	}
	if err := s.stop(t.Context(), monthly); err != nil {
		t.Fatal(err)
	}
	if s.serving("gw-1") != nil || len(s.stopFindings()) != 1 {
		t.Error("a person's stop")
	}
	if err := s.begin(t.Context(), releaseNumber, "gw-1", monthly); err != nil { // instead of going on
		t.Fatal(err)
	}
	if !s.asks("gw-1", 100, rollout.Idle, 0) {
		t.Error("gw-1 was to be the first")
	}
}

// OP-4, I4: what cannot be written does not happen: no turn, and the plan stays what the database says.
func TestRolloutNotWritten(t *testing.T) {
	s := newRolloutSite(t)
	s.begins()
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
	if try, files, err := s.said(t.Context(), "gw-2", rollout.Seen{Running: 100, Word: rollout.Idle}); err == nil || try != 0 || files != nil {
		t.Errorf("%d %v %v", try, files, err)
	}
	if s.serving("gw-2") != nil {
		t.Error("files without a turn that is written down")
	}
	if err := s.stop(t.Context(), monthly); err == nil {
		t.Error("stopped without a leaf")
	}
}

// OP-4: what is wrong with a release is said, and nothing of it lies in the folder that gateways fetch from.
func TestTakeRelease(t *testing.T) {
	h, other := newReleaser(t), newReleaser(t)
	good := h.makes(500, "0~2", "program")
	for name, c := range map[string]struct {
		dir, root string
		words     string
	}{
		"another's keys":          {other.makes(500, "0~2", "program"), h.root, "not signed"},
		"no root":                 {good, filepath.Join(t.TempDir(), "none"), "none"},
		"no program for gateways": {h.makes(500, "0~2", ""), h.root, "no program for gateways"},
		"a changed program": {func() string {
			dir := h.makes(500, "0~2", "program")
			if err := os.WriteFile(filepath.Join(dir, "programs/monban-gateway-amd64"), []byte("Program"), 0o600); err != nil {
				t.Fatal(err)
			}
			return dir
		}(), h.root, "is not the file that was signed"},
		"no release at all": {t.TempDir(), h.root, "STAMP"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := &config.Config{DataDir: t.TempDir()}
			number, err := takeRelease(cfg, c.dir, c.root, time.Now())
			if err == nil { // the server looks again
				_, err = openRelease(cfg.Path(rolloutDir), number, time.Now())
			}
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Fatalf("%v, want %q", err, c.words)
			}
			if _, err := openRelease(cfg.Path(rolloutDir), 500, time.Now()); err == nil {
				t.Error("it can be served")
			}
		})
	}
	cfg := &config.Config{DataDir: t.TempDir()}
	for range 2 {
		if _, err := takeRelease(cfg, good, h.root, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	r, err := openRelease(cfg.Path(rolloutDir), 500, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"STAMP": true, "MANIFEST": true, "root/1": true, "programs/monban-gateway-amd64": true, "programs/other": false, "packages/other.deb": false,
		"root/2": false, "root/../STAMP": false, "../trust": false, "": false, "amd64": false, "programs/monban-gateway-": false,
	} {
		if _, ok := r.find(path); ok != want {
			t.Errorf("%q: %t", path, ok)
		}
	}
	if _, err := takeRelease(cfg, h.makes(400, "0~1", "older"), h.root, time.Now()); err == nil || !strings.Contains(err.Error(), "older") {
		t.Errorf("an older release: %v", err)
	}
}

// OP-4: only the owner of the data directory may put a release there.
func TestTakeReleaseAsOwner(t *testing.T) {
	dir := t.TempDir()
	if err := asOwner(os.Geteuid(), dir); err != nil {
		t.Error(err)
	}
	if err := asOwner(os.Geteuid()+1, dir); err == nil || !strings.Contains(err.Error(), "sudo -u") {
		t.Errorf("%v", err)
	}
	if err := asOwner(0, filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// OP-4: the commands beside a running server, and what they say when there is nothing to do.
func TestRolloutCommands(t *testing.T) {
	cfg := testSite(t)
	cfg.Updates.Listen = "127.0.0.1:0"
	h := newReleaser(t)
	dir := h.makes(releaseNumber, "0~2", "program")
	b := RolloutBegin{Dir: dir, Root: h.root, By: "髙橋", Reason: "月例の更新"}
	if _, err := BeginRollout(t.Context(), cfg, b); err == nil || !strings.Contains(err.Error(), "does not run") {
		t.Errorf("without a server: %v", err)
	}
	_, _, stop := running(t, cfg)
	if s, err := AskRollout(t.Context(), cfg); err != nil || s.Number != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := StopRollout(t.Context(), cfg, "髙橋", "x"); err == nil {
		t.Error("stopped what does not run")
	}
	noReason := b
	noReason.Reason = " "
	if _, err := BeginRollout(t.Context(), cfg, noReason); err == nil {
		t.Error("begun without a reason")
	}
	wrong := b
	wrong.First = "gw-77"
	if _, err := BeginRollout(t.Context(), cfg, wrong); err == nil || !strings.Contains(err.Error(), "gw-77") {
		t.Errorf("%v", err)
	}
	b.First = "gw-1"
	s, err := BeginRollout(t.Context(), cfg, b)
	if err != nil || s.State != rollout.Running || len(s.Gateways) == 0 || s.Gateways[0].ID != "gw-1" {
		t.Fatalf("%+v %v", s, err)
	}
	if _, err := BeginRollout(t.Context(), cfg, b); err == nil || !strings.Contains(err.Error(), "is running") {
		t.Errorf("a second one: %v", err)
	}
	if s, err = StopRollout(t.Context(), cfg, "髙橋", "x"); err != nil || s.Cause != rollout.Person {
		t.Fatalf("%+v %v", s, err)
	}
	if s, err = ResumeRollout(t.Context(), cfg, "gw-1", "髙橋", "x"); err != nil || s.State != rollout.Running || s.Gateways[0].Stage != rollout.LeftOut {
		t.Fatalf("%+v %v", s, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(site *Site) {
		var got []string
		for _, a := range actions(t, site.Store) {
			if strings.HasPrefix(a.Verb, "rollout_") {
				got = append(got, a.Verb)
				if a.From != "cli" || !a.Reason {
					t.Errorf("%+v", a)
				}
			}
		}
		if want := []string{"rollout_begun", "rollout_stopped", "rollout_resumed", "rollout_gateway_left_out"}; !slices.Equal(got, want) {
			t.Errorf("%q", got)
		}
	})
	cfg.Updates.Listen = ""
	if _, err := BeginRollout(t.Context(), cfg, b); err == nil || !strings.Contains(err.Error(), "[updates] listen") {
		t.Errorf("without a port: %v", err)
	}
}
