package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/firmware/link"
	"monban/firmware/wire"
)

// EV-4: what a gateway holds is on its disk before it is shown and survives a restart; a fork is refused and both notes
// are kept; a damaged file is not taken for having seen nothing.
func TestLogWitness(t *testing.T) {
	identity, dir := t.TempDir(), t.TempDir()
	skey, _, err := note.GenerateKey(nil, "monban/hall/gw/gw-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(identity, "note.key"), []byte(skey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	logKey, logVKey, err := note.GenerateKey(nil, "monban/0123abcd")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(logKey)
	if err != nil {
		t.Fatal(err)
	}
	log, err := note.NewVerifier(logVKey)
	if err != nil {
		t.Fatal(err)
	}
	point := func(size string, root tlog.Hash) string {
		signed, err := note.Sign(&note.Note{Text: "monban/0123abcd\n" + size + "\n" + root.String() + "\n"}, signer)
		if err != nil {
			t.Fatal(err)
		}
		return string(signed)
	}
	open := func() (*logWitness, error) {
		return openWitness(identity, dir, func() int64 { return 1_700_000_000_000 }, slog.New(slog.DiscardHandler))
	}
	w, err := open()
	if err != nil {
		t.Fatal(err)
	}
	if h := w.Held(); h.Held != "" || !strings.HasPrefix(h.Key, "monban/hall/gw/gw-1/witness+") {
		t.Errorf("a new witness holds %+v", h)
	}
	a, b := tlog.RecordHash([]byte("a")), tlog.RecordHash([]byte("b"))
	got := w.Check(link.WitnessCheck{Log: log, Checkpoint: point("1", a)})
	if !strings.Contains(got.Held, "/witness ") {
		t.Fatalf("holds %q", got.Held)
	}
	again, err := open()
	if err != nil || again.Held() != got {
		t.Errorf("after a restart: %v, %+v", err, again.Held())
	}
	rung := 0
	w.onFork = func() { rung++ }
	two := point("2", tlog.NodeHash(a, b))
	if h := w.Check(link.WitnessCheck{Log: log, Checkpoint: two, Old: 1, Proof: []wire.Hash{wire.Hash(a)}}); h.Refused == "" || h.Held != got.Held {
		t.Errorf("a wrong proof: %+v", h)
	}
	w.Check(link.WitnessCheck{Log: log, Checkpoint: two, Old: 1, Proof: []wire.Hash{wire.Hash(a)}}) // it comes again every 30 s
	if rung != 1 {
		t.Errorf("the bell rang %d times for one fork (AL-6)", rung)
	}
	if text, err := WitnessText(identity, dir); err != nil || !strings.Contains(text, "REFUSED") || !strings.Contains(text, got.Held) {
		t.Errorf("shows %q, %v", text, err)
	}
	if err := os.Remove(filepath.Join(dir, witnessFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, witnessFile), 0o700); err != nil { // nothing can be written there
		t.Fatal(err)
	}
	if h := w.Check(link.WitnessCheck{Log: log, Checkpoint: two, Old: 1, Proof: []wire.Hash{wire.Hash(b)}}); h.Held != got.Held {
		t.Error("shows a cosignature that is not on the disk")
	}
	if err := os.Remove(filepath.Join(dir, witnessFile)); err != nil {
		t.Fatal(err)
	}
	if h := w.Check(link.WitnessCheck{Log: log, Checkpoint: two, Old: 1, Proof: []wire.Hash{wire.Hash(b)}}); h.Held == got.Held {
		t.Error("does not take what has but grown")
	}
	if rung != 1 {
		t.Errorf("the bell rang %d times in all, once for a fork", rung)
	}
	if h := w.Check(link.WitnessCheck{Checkpoint: two}); h.Held == got.Held {
		t.Error("without the log's key")
	}
	if err := os.WriteFile(filepath.Join(dir, witnessFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil {
		t.Error("a damaged file is taken for none")
	}
}
