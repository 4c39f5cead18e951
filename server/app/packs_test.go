package app

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/logcheck"
	"monban/server/privacy"
	"monban/server/store"
	"monban/server/web"
)

// madePack waits until the account's newest pack came to its end.
func madePack(t *testing.T, p *packPages, account string) (j web.PackJob) {
	t.Helper()
	until(t, "the pack", func() bool {
		list, err := p.PackJobs(t.Context(), account)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		j = list[0]
		return j.State == web.PackDone || j.State == web.PackFailed
	})
	if j.State != web.PackDone {
		t.Fatalf("%+v", j)
	}
	return j
}

// RR-5, PR-1, PR-3, RA-4, D10: on the pages of a running server packs are made as on the command line: a registered purpose, a reason, a leaf
// before and one with the hash, one for taking it; third parties masked; a restart goes on, and what is made stays through one. Nothing on the
// disk says a name.
func TestPacksOfThePages(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	ended := false
	defer func() {
		if !ended {
			_ = stop()
		}
	}()
	someEntries(t, a.site.Store, time.Now())
	day := thisDay(cfg)
	act := web.Action{At: time.Now(), Kind: web.ActionPackMade, Actor: "a-auditor", Address: "192.0.2.1", Reason: "監査委員の依頼"}
	ask := web.PackAsk{Kind: web.PackForAudit, From: day.AddDays(-1), To: day.AddDays(1), Names: true, Use: string(privacy.Audit)}
	for what, bad := range map[string]func(web.PackAsk, web.Action) (web.PackAsk, web.Action){
		"no reason":           func(x web.PackAsk, y web.Action) (web.PackAsk, web.Action) { y.Reason = " "; return x, y },
		"no purpose":          func(x web.PackAsk, y web.Action) (web.PackAsk, web.Action) { x.Use = ""; return x, y },
		"a purpose of nobody": func(x web.PackAsk, y web.Action) (web.PackAsk, web.Action) { x.Use = "curiosity"; return x, y },
		"nobody": func(x web.PackAsk, y web.Action) (web.PackAsk, web.Action) {
			x.Kind, x.Person = web.PackOfPerson, "p-nobody"
			return x, y
		},
	} {
		x, y := bad(ask, act)
		if _, err := a.packs.StartPack(t.Context(), x, y); err == nil {
			t.Errorf("%s: begun", what)
		}
	}
	id, err := a.packs.StartPack(t.Context(), ask, act)
	if err != nil {
		t.Fatal(err)
	}
	j := madePack(t, a.packs, act.Actor)
	if j.ID != id || j.Sum == "" {
		t.Fatalf("%+v", j)
	}
	_ = filepath.WalkDir(cfg.Path(packDir), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		for _, clear := range []string{"髙橋", "監査委員", "monban-pack", "a-auditor"} {
			if bytes.Contains(data, []byte(clear)) {
				t.Errorf("%s says %q in clear", path, clear)
			}
		}
		return err
	})
	if n := saidWhy(t, a.site.Store, act.Reason, "purpose "+ask.Use); n != 2 {
		t.Errorf("%d leaves of the pack say why and for which purpose, want the two of it", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	for verb, what := range map[string]string{"audit_export_begun": ask.From.String() + "/" + ask.To.String(), logcheck.PackVerb: j.Sum} {
		if !hasAction(t, cfg, verb, what) {
			t.Errorf("no leaf %s %s", verb, what)
		}
	}

	a, _, stop = running(t, cfg) // after a restart
	act.Kind = web.ActionPackTaken
	if _, _, err := a.packs.OpenPack(t.Context(), id, web.Action{At: time.Now(), Kind: web.ActionPackTaken, Actor: "a-other"}); err == nil {
		t.Error("another account gets it")
	}
	r, _, err := a.packs.OpenPack(t.Context(), id, act)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != j.Size {
		t.Fatal(len(data), j.Size, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	keys, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: append(keys.Before, keys.Log)})
	if err != nil || !rep.Clean() || rep.Sum != j.Sum || rep.Head.Kind != "audit" {
		t.Errorf("%v %+v", err, rep)
	}

	// What was made before the use of a record was suspended goes at once; what is asked for after it is handed out.
	record := [16]byte{3}
	twoPersons(t, a.site.Store)
	if _, err := a.retain.Restrict(t.Context(), hex.EncodeToString(record[:]), "本人の申出", kato); err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.packs.OpenPack(t.Context(), id, act); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("still handed out: %v", err)
	}
	time.Sleep(2 * time.Millisecond) // within the same millisecond it would be taken for older
	act.Kind = web.ActionPackMade
	if id, err = a.packs.StartPack(t.Context(), ask, act); err != nil {
		t.Fatal(err)
	}
	madePack(t, a.packs, act.Actor)
	if r, _, err := a.packs.OpenPack(t.Context(), id, act); err != nil {
		t.Error(err)
	} else if err := r.Close(); err != nil {
		t.Error(err)
	}
	ended = true
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if !hasAction(t, cfg, string(web.ActionPackTaken), j.Sum) {
		t.Error("taking it is no leaf")
	}
}

// saidWhy counts the leaves whose openings hold all of these words.
func saidWhy(t *testing.T, s *store.Store, words ...string) (n int) {
	t.Helper()
	err := s.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.Leaves(0, 10_000)
		if err != nil {
			return err
		}
		var all []int64
		for _, l := range list {
			all = append(all, l.Idx)
		}
		openings, err := r.Openings(all)
		for _, o := range openings {
			if o.Err == nil && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(o.Opening.Text, w) }) {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// RR-5: what a stop breaks off is begun again by the next start, with all that was asked for.
func TestPackGoesOnAfterARestart(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	someEntries(t, a.site.Store, time.Now())
	hold, held := make(chan struct{}), make(chan struct{})
	go func() { // the leaf that it is begun cannot be written
		_ = a.site.Store.Write(context.Background(), func(*store.Tx) error { close(held); <-hold; return nil })
	}()
	<-held
	act := web.Action{At: time.Now(), Kind: web.ActionPackMade, Actor: "a-auditor", Address: "192.0.2.1", Reason: "監査委員の依頼"}
	day := thisDay(cfg)
	id, err := a.packs.StartPack(t.Context(), web.PackAsk{Kind: web.PackOfDay, From: day.AddDays(-1), To: day.AddDays(1), Use: string(privacy.Audit)}, act)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() { a.packs.Close(); close(closed) }()
	time.Sleep(20 * time.Millisecond) // it may or may not wait for the leaf already: both are right
	close(hold)
	<-closed
	if list, _ := a.packs.PackJobs(t.Context(), act.Actor); len(list) != 1 || list[0].State == web.PackFailed {
		t.Fatalf("%+v", list)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	a, _, stop = running(t, cfg)
	defer func() { _ = stop() }()
	if j := madePack(t, a.packs, act.Actor); j.ID != id || strings.TrimSpace(j.Sum) == "" {
		t.Errorf("%+v", j)
	}
}

// I9, RR-5: a folder that cannot be used keeps no server from starting: packs and papers say so, and are there again as soon as it can be used.
func TestFolderThatCannotBeUsed(t *testing.T) {
	cfg := testSite(t)
	for _, dir := range []string{packDir, reportDir} {
		if err := os.WriteFile(cfg.Path(dir), []byte("not a folder"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, _, stop := running(t, cfg)
	defer func() { _ = stop() }()
	if _, err := a.packs.PackJobs(t.Context(), "a-auditor"); !errors.Is(err, web.ErrNoPlace) {
		t.Errorf("packs: %v", err)
	}
	if _, err := a.reports.ReportJobs(t.Context(), "a-auditor"); !errors.Is(err, web.ErrNoPlace) {
		t.Errorf("papers: %v", err)
	}
	a.sweepFiles(t.Context())
	for _, dir := range []string{packDir, reportDir} {
		if err := os.Remove(cfg.Path(dir)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.packs.PackJobs(t.Context(), "a-auditor"); err != nil {
		t.Errorf("packs after it was mended: %v", err)
	}
	if _, err := a.reports.ReportJobs(t.Context(), "a-auditor"); err != nil {
		t.Errorf("papers after it was mended: %v", err)
	}
}
