package app

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// forks counts the findings of a second log.
func forks(t *testing.T, s *store.Store) (n int) {
	t.Helper()
	err := s.Read(t.Context(), func(r *store.ReadTx) error {
		all, err := r.Leaves(0, 1000)
		for _, l := range all {
			if l.Kind == entrylog.KindSystem && strings.Contains(string(l.Body), `"log_fork"`) {
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

// signedAs gives a checkpoint signed with a key.
func signedAs(t *testing.T, signer note.Signer, size int64, root byte) string {
	t.Helper()
	c := entrylog.Checkpoint{Origin: signer.Name(), Size: size, Root: entrylog.Hash{root}}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

// EV-4: a gateway in wrong hands cannot fill the log with findings: what it says it refused counts only when the log's
// key signed it and it contradicts, and then once a day; the program's log is told once a day too. The server goes on.
func TestWitnessRefused(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var journal bytes.Buffer
	w, err := newWitnesses(s, slog.New(slog.NewJSONHandler(&journal, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	g := newGate(cfg.Site, "gw-1")
	early := s.Store.Checkpoint()
	if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.ask(t, w, now); err != nil {
		t.Fatal(err)
	}
	shows := func(refused string, at time.Time) {
		t.Helper()
		m := wire.Witness{Gateway: g.id, Key: g.key.VKey(), Held: g.state.Note, Refused: refused}
		if _, _, err := w.Witnessed(t.Context(), g.id, m, at); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(cfg.Path(keysDir, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	own, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	skey, _, err := note.GenerateKey(rand.Reader, own.Name())
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	skey, _, err = note.GenerateKey(rand.Reader, "monban/ffffffff")
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	size := g.state.Held().Size
	for i := range 20 {
		shows(fmt.Sprintf("rubbish %d", i), now)
		shows(signedAs(t, other, size, byte(i)), now)   // the log's name, another key
		shows(signedAs(t, foreign, size, byte(i)), now) // a log that is not ours
		shows(early, now)                               // a checkpoint of this log that fits
		shows(g.state.Note, now)                        // the one that it holds
	}
	if n := forks(t, s.Store); n != 0 {
		t.Errorf("%d findings of what proves nothing", n)
	}
	told := 0
	for line := range strings.Lines(journal.String()) {
		var entry struct{ Gateway, Level string }
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.Gateway == "gw-1" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("the program's log was told %d times:\n%s", told, journal.String())
	}
	for i := range 20 {
		shows(signedAs(t, own, size, byte(i)), now.Add(time.Duration(i)*time.Minute)) // another root of the held size
		shows(signedAs(t, own, size+100, byte(i)), now)                               // more than the database has
		shows(signedAs(t, own, 2, byte(i)), now)                                      // another past
	}
	if n := forks(t, s.Store); n != 1 {
		t.Errorf("%d findings of a second log within a day", n)
	}
	for i, refused := range []string{signedAs(t, own, size, 77), signedAs(t, own, size+100, 77), signedAs(t, own, 2, 77)} {
		shows(refused, now.Add(time.Duration(1+i)*24*time.Hour))
		if n := forks(t, s.Store); n != 2+i {
			t.Errorf("kind %d of contradiction: %d findings after %d days", i, n, 2+i)
		}
	}
	if err := s.Store.SignErr(); err != nil {
		t.Errorf("a gateway's word stopped the server: %v", err)
	}
}

// EV-4, OP-2: a gateway whose clock is in 2099 does not pass for a witness that is there, today or ever; it is answered all
// the same, and with its clock set it is a witness again.
func TestWitnessClock(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var journal bytes.Buffer
	w, err := newWitnesses(s, slog.New(slog.NewJSONHandler(&journal, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	list := []directory.Gateway{{ID: "gw-1"}}
	g := newGate(cfg.Site, "gw-1")
	far := time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 3 {
		if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
			t.Fatal(err)
		}
		if err := s.Store.SignNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := g.askOf(t, w, now, far); err != nil {
			t.Fatal(err)
		}
		if held := g.state.Held().Size; held != s.Store.Size() {
			t.Fatalf("with a wrong clock it stays at %d of %d leaves", held, s.Store.Size())
		}
	}
	if err := witnessAge(t.Context(), s.Store, cfg.Site, list, now); err == nil {
		t.Error("a cosignature of 2099 is one of today")
	}
	if n := strings.Count(journal.String(), "set the gateway's clock"); n != 1 {
		t.Errorf("the program's log was told %d times:\n%s", n, journal.String())
	}
	if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
		t.Fatal(err)
	}
	if err := s.Store.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow := now.Add(-3 * time.Hour)
	if err := g.askOf(t, w, now, slow); err != nil {
		t.Fatal(err)
	}
	for after, missing := range map[time.Duration]bool{0: false, 23 * time.Hour: false, 25 * time.Hour: true} {
		if err := witnessAge(t.Context(), s.Store, cfg.Site, list, now.Add(after)); (err != nil) != missing {
			t.Errorf("%v after its receipt: %v", after, err)
		}
	}
}
