package witness

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/witness/witnesstest"
)

// grown is a log of n leaves; other leaves from some index on when bent.
type grown struct {
	signer note.Signer
	key    note.Verifier
	vkey   string
	size   int64
	bent   int64 // leaves from here on are others; 0 = none
}

func newLog(t *testing.T, n int64) *grown {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, "monban/0123abcd")
	if err != nil {
		t.Fatal(err)
	}
	g := &grown{size: n, vkey: vkey}
	if g.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if g.key, err = note.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g *grown) hashes() tlog.HashReaderFunc {
	var stored []tlog.Hash
	for i := range g.size {
		word := "leaf"
		if g.bent > 0 && i >= g.bent {
			word = "another"
		}
		h, _ := tlog.StoredHashes(i, fmt.Appendf(nil, "%s %d", word, i), tlog.HashReaderFunc(func(idx []int64) (out []tlog.Hash, _ error) {
			for _, x := range idx {
				out = append(out, stored[x])
			}
			return out, nil
		}))
		stored = append(stored, h...)
	}
	return func(idx []int64) (out []tlog.Hash, _ error) {
		for _, x := range idx {
			out = append(out, stored[x])
		}
		return out, nil
	}
}

func (g *grown) ProveFrom(_ context.Context, old int64) (string, int64, tlog.TreeProof, error) {
	r := g.hashes()
	if old > g.size {
		return "", 0, nil, fmt.Errorf("%w: %d", ErrBehind, old)
	}
	root, err := tlog.TreeHash(g.size, r)
	if err != nil {
		return "", 0, nil, err
	}
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n%d\n%s\n", g.key.Name(), g.size, root)}, g.signer)
	if err != nil {
		return "", 0, nil, err
	}
	var proof tlog.TreeProof
	if old > 0 && old < g.size {
		proof, err = tlog.ProveTree(g.size, old, r)
	}
	return string(signed), g.size, proof, err
}

func newWitness(t *testing.T, log *grown) *witnesstest.Witness {
	t.Helper()
	w, err := witnesstest.New("witness.example/w1", filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	if log != nil {
		w.Know(log.key)
	}
	return w
}

// over serves a handler and gives a client for it.
func over(t *testing.T, w *witnesstest.Witness, h http.Handler) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{VKey: w.VKey(), URL: srv.URL + "/prefix/"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// EV-4, C2SP tlog-witness: the log grows, the witness follows, from nothing, from an unknown size, and from the same size again.
func TestFollows(t *testing.T) {
	log := newLog(t, 5)
	w := newWitness(t, log)
	c := over(t, w, w)
	from := int64(0)
	for _, step := range []struct {
		size, from int64 // from: what is believed to be held
	}{{5, 0}, {5, 5}, {9, 5}, {64, 0}, {65, 3}, {65, 0}, {200, 65}} {
		log.size, from = step.size, step.from
		signed, err := c.Ask(t.Context(), log, from)
		if err != nil {
			t.Fatalf("size %d from %d: %v", step.size, step.from, err)
		}
		if !strings.Contains(signed, "\n"+fmt.Sprint(step.size)+"\n") || strings.Count(signed, "\u2014 ") != 2 {
			t.Errorf("got %q", signed)
		}
		if held := w.Held(log.key.Name()); held != step.size {
			t.Errorf("the witness holds %d of %d leaves", held, step.size)
		}
	}
}

// EV-3, EV-4: each refusal of the specification is told apart, and none passes for another.
func TestRefusals(t *testing.T) {
	log := newLog(t, 20)
	t.Run("404", func(t *testing.T) {
		w := newWitness(t, nil)
		if _, err := over(t, w, w).Ask(t.Context(), log, 0); !errors.Is(err, ErrUnknownLog) {
			t.Errorf("%v", err)
		}
	})
	t.Run("403", func(t *testing.T) {
		w := newWitness(t, newLog(t, 1)) // the same origin with another key
		if _, err := over(t, w, w).Ask(t.Context(), log, 0); !errors.Is(err, ErrForbidden) {
			t.Errorf("%v", err)
		}
	})
	w := newWitness(t, log)
	c := over(t, w, w)
	if _, err := c.Ask(t.Context(), log, 0); err != nil {
		t.Fatal(err)
	}
	t.Run("422", func(t *testing.T) {
		bent := *log
		bent.bent, bent.size = 7, 25
		if _, err := c.Ask(t.Context(), &bent, 20); !errors.Is(err, ErrProof) {
			t.Errorf("%v", err)
		}
	})
	t.Run("409, another root", func(t *testing.T) {
		bent := *log
		bent.bent = 7
		if _, err := c.Ask(t.Context(), &bent, 20); !errors.Is(err, ErrProof) {
			t.Errorf("%v", err)
		}
	})
	t.Run("409, ahead", func(t *testing.T) {
		older := *log
		older.size = 12
		for _, from := range []int64{0, 12} {
			if _, err := c.Ask(t.Context(), &older, from); !errors.Is(err, ErrBehind) {
				t.Errorf("from %d: %v", from, err)
			}
		}
	})
	if held := w.Held(log.key.Name()); held != 20 {
		t.Errorf("after the refusals it holds %d leaves", held)
	}
	answers := func(status int, kind, body string) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		})
	}
	for _, x := range []struct {
		name, kind, body string
		status           int
		want             error
	}{
		{"400", "", "no", 400, ErrRefused},
		{"302", "", "", 302, ErrRefused},
		{"429", "", "", 429, ErrUnavailable},
		{"503", "", "", 503, ErrUnavailable},
		{"409 without a size", "text/x.tlog.size", "many\n", 409, ErrRefused},
		{"409 of another type", "text/html", "5\n", 409, ErrRefused},
		{"409, negative", "text/x.tlog.size", "-5\n", 409, ErrRefused},
		{"409 for ever", "text/x.tlog.size", "5\n", 409, ErrProof}, // 5 again for a request that begins at 5
		{"200, empty", "", "", 200, ErrCosignature},
		{"200, text", "", "thanks\n", 200, ErrCosignature},
		{"200, endless", "", strings.Repeat("x", 1<<20), 200, ErrCosignature},
	} {
		t.Run(x.name, func(t *testing.T) {
			if _, err := over(t, w, answers(x.status, x.kind, x.body)).Ask(t.Context(), log, 0); !errors.Is(err, x.want) {
				t.Errorf("%v, want %v", err, x.want)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		srv := httptest.NewServer(w)
		gone, err := New(Config{VKey: w.VKey(), URL: srv.URL})
		if err != nil {
			t.Fatal(err)
		}
		srv.Close()
		if _, err := gone.Ask(t.Context(), log, 0); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v", err)
		}
	})
}

// EV-4: only the line of this witness's key over this checkpoint counts; lines of others are left out.
func TestCosigned(t *testing.T) {
	log := newLog(t, 3)
	w := newWitness(t, log)
	c := over(t, w, w)
	signed, _, proof, err := log.ProveFrom(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	body, err := Request(0, proof, signed)
	if err != nil {
		t.Fatal(err)
	}
	status, line := w.Add(string(body))
	if status != http.StatusOK {
		t.Fatal(status, line)
	}
	log.size = 4
	other, _, _, err := log.ProveFrom(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, signed, answer string
		ok                   bool
	}{
		{"its line", signed, line, true},
		{"a whole note", signed, signed + line, true},
		{"with a line of somebody else", signed, "\u2014 someone.example AAAAAAAA\n" + line, true},
		{"of another checkpoint", other, line, false},
		{"a whole note of another checkpoint", other, signed + line, false},
		{"one character changed", signed, line[:len(line)-10] + flip(line[len(line)-10:]), false},
		{"without its end", signed, strings.TrimSuffix(line, "\n"), false},
		{"the log's own line", signed, signed[strings.Index(signed, "\u2014"):], false},
	} {
		got, err := c.Cosigned(x.signed, x.answer)
		if x.ok && (err != nil || got != signed+line) || !x.ok && !errors.Is(err, ErrCosignature) {
			t.Errorf("%s: %q, %v", x.name, got, err)
		}
	}
}

func flip(s string) string {
	if s[0] == 'A' {
		return "B" + s[1:]
	}
	return "A" + s[1:]
}

// EV-4: over TLS the site's CA or a pinned key must fit; a stranger's server is not asked.
func TestTLS(t *testing.T) {
	log := newLog(t, 3)
	w := newWitness(t, log)
	srv := httptest.NewUnstartedServer(w)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(srv.Certificate().RawSubjectPublicKeyInfo)
	for _, x := range []struct {
		name string
		conf Config
		ok   bool
	}{
		{"system's CA", Config{}, false},
		{"its CA", Config{CAFile: ca}, true},
		{"its CA and its key", Config{CAFile: ca, Pin: hex.EncodeToString(sum[:])}, true},
		{"its CA and another key", Config{CAFile: ca, Pin: strings.Repeat("00", 32)}, false},
	} {
		x.conf.VKey, x.conf.URL = w.VKey(), srv.URL
		c, err := New(x.conf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = c.Ask(t.Context(), log, 0); (err == nil) != x.ok || err != nil && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	if n := w.Asked(); n > 4 {
		t.Errorf("asked %d times", n)
	}
	for _, bad := range []Config{{VKey: "x"}, {VKey: w.VKey(), URL: "https://h", CAFile: "/nothing"}, {VKey: w.VKey(), URL: "https://h", Pin: "12"}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// EV-4: a witness that has crashed after it answered, and after it stored and did not answer, goes on from what it stored.
func TestWitnessRestarts(t *testing.T) {
	log := newLog(t, 5)
	path := filepath.Join(t.TempDir(), "state")
	for _, lost := range []bool{false, true} {
		w, err := witnesstest.New("witness.example/w1", path)
		if err != nil {
			t.Fatal(err)
		}
		w.Know(log.key)
		w.Now = func() time.Time { return time.Unix(1_796_000_000, 0) }
		h := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if lost {
				w.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			w.ServeHTTP(rw, r)
		})
		log.size += 3
		_, err = over(t, w, h).Ask(t.Context(), log, w.Held(log.key.Name()))
		if lost != errors.Is(err, ErrUnavailable) || !lost && err != nil {
			t.Errorf("answer lost %v: %v", lost, err)
		}
	}
	w, err := witnesstest.New("witness.example/w1", path)
	if err != nil {
		t.Fatal(err)
	}
	w.Know(log.key)
	if got := w.Held(log.key.Name()); got != log.size {
		t.Errorf("holds %d after its restart, cosigned %d", got, log.size)
	}
	if _, err := over(t, w, w).Ask(t.Context(), log, 8); err != nil {
		t.Errorf("after its restart: %v", err)
	}
}
