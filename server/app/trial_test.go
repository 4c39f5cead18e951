package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/store"
)

// onTrial starts the server with a new version on trial; done gives what Trial returned.
func onTrial(t *testing.T, cfg *config.Config) (done <-chan error, stop func()) {
	t.Helper()
	if err := os.RemoveAll(cfg.Path(requestDir)); err != nil { // else it is asked before it has made that folder anew
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	result := make(chan error, 1)
	var once sync.Once
	go func() { result <- Trial(ctx, cfg, quiet); close(result) }()
	until(t, "the server on trial answers", func() bool {
		s, err := AskUpdateState(ctx, cfg)
		return err == nil && s.Trial
	})
	return result, func() { once.Do(cancel) }
}

// I4, EV-3, OP-4: while a new version is tried nothing is written, signed or acknowledged, so that the database of before can be put back;
// after it has opened nothing is put back any more.
func TestTrialHoldsBack(t *testing.T) {
	cfg := testSite(t)
	var size int64
	var head string
	withSite(t, cfg, func(s *Site) {
		if err := s.Store.SignNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		size, head = s.Store.Size(), s.Store.Checkpoint()
	})
	if err := Trial(t.Context(), cfg, quiet); err != nil {
		t.Fatalf("with nothing to be tried: %v", err)
	}
	before := filepath.Join(cfg.DataDir, "before")
	if err := TakeBack(cfg, before, "0~2"); err != nil {
		t.Fatal(err)
	}
	done, stop := onTrial(t, cfg)
	s, err := AskUpdateState(t.Context(), cfg)
	if err != nil || s.Leaves != size {
		t.Errorf("state: %+v, %v; want %d leaves", s, err, size)
	}
	if err := NoteUpdate(t.Context(), cfg, UpdateNote{Verb: UpdateDone, Version: "0~2", Reason: "r", By: "b"}, quiet); err == nil || !strings.Contains(err.Error(), errShut.Error()) {
		t.Errorf("a leaf while on trial: %v", err)
	}
	if _, err := SetCard(t.Context(), cfg, "C-001", "revoked", "lost", quiet); err == nil {
		t.Error("a card was changed while on trial")
	}
	page := httptest.NewRecorder()
	shutPage(page, 0)
	if page.Code != http.StatusServiceUnavailable || !strings.Contains(page.Body.String(), "新しい版") {
		t.Errorf("pages: %d %s", page.Code, page.Body)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatalf("ended: %v", err)
	}
	// A command beside the stopped server writes nothing either: the way back would lose it.
	if _, err := SetCard(t.Context(), cfg, "C-001", "revoked", "lost", quiet); err == nil || !strings.Contains(err.Error(), "being tried") {
		t.Errorf("a card was changed between stop and way back: %v", err)
	}
	if there, err := exists(cfg.Path(trialFile)); err != nil || !there {
		t.Errorf("a server that was ended while on trial is on trial: %t, %v", there, err)
	}
	// A database that the new version has changed, as a migration does.
	if err := os.WriteFile(cfg.Path(databaseFile), []byte("of the new version"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time as after a power cut
		if err := writeFile(cfg.Path(trialFile), []byte("0~2\n")); err != nil {
			t.Fatal(err)
		}
		if err := PutBack(cfg, before); err != nil {
			t.Fatal(err)
		}
	}
	withSite(t, cfg, func(s *Site) {
		if err := s.Store.SignErr(); err != nil || s.Store.Size() != size || s.Store.Checkpoint() != head {
			t.Errorf("put back: %d leaves, want %d; %v; the same head: %t", s.Store.Size(), size, err, s.Store.Checkpoint() == head)
		}
	})

	if err := writeFile(cfg.Path(trialFile), []byte("0~2\n")); err != nil {
		t.Fatal(err)
	}
	done, _ = onTrial(t, cfg)
	if err := OpenTrial(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("opened: %v", err)
	}
	if err := PutBack(cfg, before); err == nil || !strings.Contains(err.Error(), "has opened") {
		t.Errorf("put back after it has opened: %v", err)
	}
	_, _, end := running(t, cfg)
	if err := NoteUpdate(t.Context(), cfg, UpdateNote{Verb: UpdateDone, Version: "0~2", Reason: "月例の更新", By: "髙橋"}, quiet); err != nil {
		t.Error(err)
	}
	if err := NoteUpdate(t.Context(), cfg, UpdateNote{Verb: "door_opened", Version: "0~2", Reason: "r", By: "b"}, quiet); err == nil {
		t.Error("a leaf with a verb of something else was written")
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		found := false
		for _, x := range actions(t, s.Store) {
			found = found || x.Verb == UpdateDone && x.ID == "0-2" && x.Reason
		}
		if !found {
			t.Error("no leaf of the update")
		}
	})
}

// I1, I4, I5: a gateway gets nothing from a server on trial but that it is heard: no answer, no ack, no welcome, no lease, no policy.
func TestTrialAnswersNobody(t *testing.T) {
	s := shut{newHealth(time.Now())}
	if _, err := s.Answer(t.Context(), "gw-1", wire.Ask{}, time.Now()); err == nil {
		t.Error("an answer")
	}
	if _, err := s.Handle(t.Context(), "gw-1", wire.Events{}, time.Now()); err == nil {
		t.Error("an ack")
	}
	if _, err := s.Watermark(t.Context(), "gw-1", wire.Hello{Software: "2"}); err == nil {
		t.Error("a welcome")
	}
	if _, ok := s.Versions("gw-1"); ok {
		t.Error("a lease")
	}
	if _, ok := s.Manifest("gw-1"); ok {
		t.Error("a policy")
	}
	s.Heartbeat("gw-1", wire.Heartbeat{Gateway: "gw-1"}, time.Now())
	if got := s.heard.linkedNow(time.Now()); len(got) != 1 || got[0] != "gw-1" {
		t.Errorf("linked: %v", got)
	}
	if b, _ := s.heard.last(access.GatewayID("gw-1")); b.software != "2" {
		t.Errorf("software: %q", b.software)
	}
}

// EV-3: the store itself refuses while it is held, whoever asks.
func TestHeldStoreWritesNothing(t *testing.T) {
	cfg := testSite(t)
	s, err := openSite(&Site{Config: cfg, held: true}, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	size := s.Store.Size()
	for name, write := range map[string]func(context.Context, func(*store.Tx) error) error{"write": s.Store.Write, "urgent": s.Store.WriteUrgent} {
		if err := write(t.Context(), func(*store.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, store.ErrTrial) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Store.SignNow(t.Context()); !errors.Is(err, store.ErrTrial) || inDoubt(s.Store) == nil || s.Store.Checkpoint() != "" {
		t.Errorf("signs: %v", err)
	}
	if err := s.Close(); err != nil || s.Store.Size() != size {
		t.Error(err)
	}
}

// OP-4, EV-8: a version on trial takes over a site whose key store has no MAC of its lists yet, and leaves its file alone: the program of before may have to
// read it. The MAC comes when it has opened.
func TestTrialLeavesTheKeyStore(t *testing.T) {
	files, err := filepath.Glob("testdata/old/*.tar.gz")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	cfg, made := oldSite(t, files[0])
	before, err := os.ReadFile(cfg.Path(keyStoreFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, held := range []bool{true, false} {
		s, err := openSite(&Site{Config: cfg, held: held}, made, quiet)
		if err != nil {
			t.Fatalf("on trial: %t: %v", held, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		after, err := os.ReadFile(cfg.Path(keyStoreFile))
		if err != nil || bytes.Equal(before, after) != held {
			t.Errorf("on trial: %t: the file is the same: %t, %v", held, bytes.Equal(before, after), err)
		}
	}
}

// EV-8: copies that an update left, killed at its worst moment, are gone at the next start, and after a disposal beside a running server; the stopped
// server's database stays for the way back while a version is tried.
func TestUpdateCopiesGo(t *testing.T) {
	cfg := testSite(t)
	leave := func() {
		t.Helper()
		for _, name := range []string{"update-backup", "update-backup.partial", "update-try", "update-before"} {
			if err := errors.Join(os.MkdirAll(cfg.Path(name), 0o700), os.WriteFile(cfg.Path(name, databaseFile), []byte("髙橋"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
	}
	left := func() []string {
		t.Helper()
		names, err := filepath.Glob(cfg.Path("update-*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	leave()
	s, err := openSite(&Site{Config: cfg, held: true}, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil || len(left()) != 4 {
		t.Errorf("on trial: %v; left %q", err, left())
	}
	withSite(t, cfg, func(s *Site) {
		if got := left(); len(got) != 0 {
			t.Errorf("after a start: left %q", got)
		}
		seed(t, s, 3)
		r := retainer(s)
		approve2021(t, r, entrylog.ClassRegister)
		leave()
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 || len(left()) != 0 {
			t.Errorf("after %d disposals: left %q", len(done), left())
		}
	})
}

// OP-4: what a backup leaves for the rehearsal is tried under one name, says its format and what it brings, and counts as no backup.
func TestTryUpdate(t *testing.T) {
	cfg := testSite(t)
	backup := cfg.Path("update-backup")
	if err := CopyForTry(t.Context(), cfg, backup); err != nil {
		t.Fatal(err)
	}
	if there, err := exists(cfg.Path(backupNote)); err != nil || there {
		t.Errorf("the self-test knows of a backup that will be gone: %t, %v", there, err)
	}
	if err := os.MkdirAll(cfg.Path("update-try", "of one that was killed"), 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := TryUpdate(t.Context(), cfg, backup)
	if err != nil || r.Format != 1 || r.Applied == nil || r.Leaves == 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if there, err := exists(cfg.Path("update-try")); err != nil || there {
		t.Errorf("the copy stays behind: %v", err)
	}
}

// I4: the program says whether it can read what another version has left in the data directory; a form that it does not know is refused, in each file.
func TestReads(t *testing.T) {
	cfg := testSite(t)
	if err := Reads(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		keyStoreFile: {`"monban_keystore":1`, `"monban_keystore":2`}, siteKeysFile: {`"monban_site_keys":2`, `"monban_site_keys":3`},
	} {
		was, err := os.ReadFile(cfg.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		is := bytes.Replace(bytes.ReplaceAll(was, []byte(`": `), []byte(`":`)), []byte(change[0]), []byte(change[1]), 1)
		if bytes.Equal(was, is) {
			t.Fatalf("%s has no %s", name, change[0])
		}
		if err := os.WriteFile(cfg.Path(name), is, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Reads(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s of a newer form: %v", name, err)
		}
		if err := os.WriteFile(cfg.Path(name), was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// OP-4: a trial that nobody ends, because the way back at the start has failed, is told on the pages and once in the journal.
func TestTrialThatNobodyEnds(t *testing.T) {
	for took, want := range map[time.Duration]string{0: "Come back in some minutes", trialLong - time.Second: "Come back in some minutes", trialLong: "update resume"} {
		w := httptest.NewRecorder()
		shutPage(w, took)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), "扉はゲートウェイだけで動いています") {
			t.Errorf("after %s: %d %s", took, w.Code, w.Body)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		x := &trial{a: &App{log: slog.New(slog.NewTextHandler(&b, nil))}}
		ctx, cancel := context.WithTimeout(t.Context(), trialLong-time.Second)
		x.tellLong(ctx)
		cancel()
		if b.Len() > 0 {
			t.Errorf("told too early: %s", b.String())
		}
		x.tellLong(t.Context())
		if !strings.Contains(b.String(), "update resume") {
			t.Errorf("not told: %q", b.String())
		}
	})
}

// An update that waits for a server says what it waits for, and gives no advice that is for other commands.
func TestUpdateOfASilentServer(t *testing.T) {
	cfg := &config.Config{DataDir: t.TempDir()}
	if err := os.MkdirAll(cfg.Path(requestDir), 0o700); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := AskUpdateState(t.Context(), cfg); err == nil || err.Error() != "the server does not answer" {
			t.Errorf("%v", err)
		}
		if err := OpenTrial(t.Context(), cfg); !errors.Is(err, errNoAnswer) {
			t.Errorf("%v", err)
		}
	})
	if left, err := os.ReadDir(cfg.Path(requestDir)); err != nil || len(left) > 0 {
		t.Errorf("requests are left: %v, %v", left, err)
	}
}
