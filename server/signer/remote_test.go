package signer

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// apart is a split site: keys is what the signer's process has, site what the server's has.
type apart struct {
	t          *testing.T
	keys, site string
	socket     string
	local      *Local
	stop       func()
}

func newApart(t *testing.T) *apart {
	t.Helper()
	_, dir := newLocal(t)
	a := &apart{t: t, keys: filepath.Join(t.TempDir(), "apart"), site: dir, socket: filepath.Join(t.TempDir(), "s")}
	if err := Split(a.site, a.keys); err != nil {
		t.Fatal(err)
	}
	a.start()
	t.Cleanup(func() { a.stop() })
	return a
}

func (a *apart) start() {
	a.t.Helper()
	var err error
	if a.local, err = Open(a.keys, version, RoleLog, RolePolicy, RoleCommand); err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := Listen(ctx, a.socket)
	if err != nil {
		a.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, a.local, slog.New(slog.DiscardHandler)) }()
	a.stop = func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Errorf("Serve: %v", err)
		}
		a.stop = func() {}
	}
}

func (a *apart) open() *Remote {
	a.t.Helper()
	r, err := OpenRemote(a.site, a.socket)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { r.Close() })
	return r
}

// tree is n leaves with the proof that they extend the first old.
func tree(t *testing.T, origin string, n, old int64) (text string, proof tlog.TreeProof) {
	t.Helper()
	var stored []tlog.Hash
	for i := range n {
		h, err := tlog.StoredHashes(i, []byte{byte(i)}, reader(stored))
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, h...)
	}
	root, err := tlog.TreeHash(n, reader(stored))
	if err != nil {
		t.Fatal(err)
	}
	if old > 0 && old < n {
		if proof, err = tlog.ProveTree(n, old, reader(stored)); err != nil {
			t.Fatal(err)
		}
	}
	return entrylog.Checkpoint{Origin: origin, Size: n, Root: root}.Text(), proof
}

func reader(stored []tlog.Hash) tlog.HashReaderFunc {
	return func(idx []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(idx))
		for i, x := range idx {
			out[i] = stored[x]
		}
		return out, nil
	}
}

// EV-2, D18: after the split the server's directory holds no key that signs the log, policies or commands.
func TestSplitLeavesLinkAlone(t *testing.T) {
	a := newApart(t)
	files, err := filepath.Glob(filepath.Join(a.site, "*.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if base := filepath.Base(f); base != "link.key" && base != "root.key" {
			t.Errorf("%s is still with the server", base)
		}
	}
	if _, err := Open(a.site, version); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the server's directory opens as a whole signer: %v", err)
	}
	if err := Split(a.site, a.keys); err != nil {
		t.Errorf("again: %v", err)
	}
	if err := Split(a.site, t.TempDir()); err == nil {
		t.Error("a split without any keys went through")
	}
	if err := os.WriteFile(filepath.Join(a.site, "log.key"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Split(a.site, a.keys); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("another key beside the one that is there: %v", err)
	}
}

// EV-3, I8: the signer apart refuses what Local refuses, and says so in the same words.
func TestRemoteRefuses(t *testing.T) {
	a := newApart(t)
	r := a.open()
	logKey, err := r.Verifier(RoleLog)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := tree(t, logKey.Name(), 5, 0)
	signed, err := r.SignCheckpoint(text, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entrylog.OpenCheckpoint(signed, logKey); err != nil {
		t.Error(err)
	}
	if size, _ := r.LastCheckpoint(); size != 5 {
		t.Errorf("last is %d", size)
	}
	longer, proof := tree(t, logKey.Name(), 9, 5)
	if _, err := r.SignCheckpoint(longer, nil); !errors.Is(err, ErrNotExtending) {
		t.Errorf("without a proof: %v", err)
	}
	if _, err := r.SignCheckpoint(longer, proof); err != nil {
		t.Error(err)
	}
	if _, err := r.SignCheckpoint(text, nil); !errors.Is(err, ErrNotExtending) {
		t.Errorf("a shorter tree: %v", err)
	}
	if _, err := r.Sign(RolePolicy, "manifest g1 7\n"); err != nil {
		t.Error(err)
	}
	if _, err := r.Sign(RolePolicy, "manifest g1 6\n"); !errors.Is(err, ErrOlderPolicy) {
		t.Errorf("an older policy: %v", err)
	}
	if _, err := r.Sign(RoleLog, "x\n"); !errors.Is(err, ErrNoRole) {
		t.Errorf("a checkpoint through Sign: %v", err)
	}
	if _, err := r.Sign(RoleRoot, "x\n"); !errors.Is(err, ErrNoRole) {
		t.Errorf("root: %v", err)
	}
	for _, role := range []Role{RoleCommand, RoleLink} {
		signed, err := r.Sign(role, "text\n")
		if err != nil {
			t.Fatal(err)
		}
		v, _ := r.Verifier(role)
		if _, err := note.Open(signed, note.VerifierList(v)); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}

// A signer that ends is ErrUnavailable, answers of the link go on, and the same Remote goes on when it is back:
// also when it had signed and the answer was lost.
func TestSignerComesBack(t *testing.T) {
	a := newApart(t)
	r := a.open()
	logKey, _ := r.Verifier(RoleLog)
	a.stop()
	text, _ := tree(t, logKey.Name(), 3, 0)
	if _, err := r.SignCheckpoint(text, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("no signer: %v", err)
	}
	if _, err := r.Sign(RoleLink, "answer\n"); err != nil {
		t.Errorf("an answer waits for the signer: %v", err)
	}
	if _, err := OpenRemote(a.site, a.socket); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a server started without its signer: %v", err)
	}
	a.start()
	if _, err := a.local.SignCheckpoint(text, nil); err != nil { // signed, and the answer lost
		t.Fatal(err)
	}
	longer, proof := tree(t, logKey.Name(), 4, 3)
	if size, _ := r.LastCheckpoint(); size != 3 {
		t.Errorf("last is %d: what was signed without an answer is not known", size)
	}
	if _, err := r.SignCheckpoint(longer, proof); err != nil {
		t.Errorf("after it came back: %v", err)
	}
	if _, err := Listen(t.Context(), a.socket); err == nil || !strings.Contains(err.Error(), "another signer") {
		t.Errorf("a second signer at the same socket: %v", err)
	}
}

// Garbage, oversized and half requests get an error or a closed connection; the signer goes on.
func FuzzSignerRequest(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "keys")
	if err := Create(dir, "hall", strings.NewReader(strings.Repeat("seed", 200))); err != nil {
		f.Fatal(err)
	}
	local, err := Open(dir, version)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{`{"op":"last"}`, `{"op":"sign","role":"policy","text":"manifest g1 1\n"}`, `{"op":"checkpoint","text":"x","proof":["AAAA"]}`, `{"op":"approve","evidence":{"size":2,"asked":{"index":0,"body":"e30="},"ordered":{"index":1,"body":"e30=","proof":[]}}}`, `{`, ``} {
		f.Add([]byte(s))
	}
	(&court{l: local, now: time.UnixMilli(1795489200000)}).demand()
	f.Fuzz(func(t *testing.T, line []byte) {
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			serveConn(t.Context(), server, local, slog.New(slog.DiscardHandler))
			close(done)
		}()
		go func() { // what the signer says is read away
			buf := make([]byte, 4096)
			for {
				if _, err := client.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = client.Write(append(line, '\n')) // the signer may have hung up
		client.Close()
		<-done
	})
}
