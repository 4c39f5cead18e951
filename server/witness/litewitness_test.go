package witness

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// EV-4: a witness of another project, litewitness of filippo.io/torchwood, as a process of its own takes our add-checkpoint
// exchange: from nothing, growing, at a size it was not asked from, again at the same size, and with each refusal.
func TestLitewitness(t *testing.T) {
	program := os.Getenv("MONBAN_LITEWITNESS")
	if program == "" {
		t.Skip("MONBAN_LITEWITNESS names no program; make litewitness")
	}
	log := newLog(t, 5)
	c := startLitewitness(t, program, log)
	for _, step := range []struct{ size, from int64 }{{5, 0}, {5, 5}, {9, 5}, {64, 0}, {65, 3}, {65, 0}, {200, 65}} {
		log.size = step.size
		signed, err := c.Ask(t.Context(), log, step.from)
		if err != nil {
			t.Fatalf("size %d from %d: %v", step.size, step.from, err)
		}
		if seconds, ok := c.key.Seconds(signed); !ok || time.Since(time.Unix(int64(seconds), 0)).Abs() > time.Minute {
			t.Errorf("cosigned at %d", seconds)
		}
	}
	bent := *log
	bent.bent, bent.size = 7, 230
	if _, err := c.Ask(t.Context(), &bent, 200); !errors.Is(err, ErrProof) {
		t.Errorf("another log: %v", err)
	}
	bent.size = 200
	if _, err := c.Ask(t.Context(), &bent, 200); !errors.Is(err, ErrProof) {
		t.Errorf("another log of the same size: %v", err)
	}
	older := *log
	older.size = 100
	if _, err := c.Ask(t.Context(), &older, 0); !errors.Is(err, ErrBehind) {
		t.Errorf("a log that was taken back: %v", err)
	}
	if _, err := c.Ask(t.Context(), newLog(t, 5), 0); !errors.Is(err, ErrForbidden) {
		t.Errorf("another key: %v", err)
	}
	stranger := newLog(t, 5)
	skey, vkey, err := note.GenerateKey(nil, "monban/ffffffff")
	if err != nil {
		t.Fatal(err)
	}
	if stranger.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if stranger.key, err = note.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	// The specification says 404; version 0.6.1 finds no key of the origin first and says 403.
	if _, err := c.Ask(t.Context(), stranger, 0); !errors.Is(err, ErrUnknownLog) && !errors.Is(err, ErrForbidden) {
		t.Errorf("another origin: %v", err)
	}
}

// startLitewitness starts an ssh-agent with a new key and the program on a free port, and tells it of the log.
func startLitewitness(t *testing.T, program string, log *grown) *Client {
	t.Helper()
	dir, err := os.MkdirTemp("", "lw") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx, cancel := context.WithCancel(context.Background())
	run := func(env, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Env = append(os.Environ(), env)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		return string(out)
	}
	start := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	}
	sock, db := filepath.Join(dir, "agent"), filepath.Join(dir, "db")
	start("ssh-agent", "-D", "-a", sock)
	wait(t, "the agent", func() bool { _, err := os.Stat(sock); return err == nil })
	run("", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key"))
	run("SSH_AUTH_SOCK="+sock, "ssh-add", "-q", filepath.Join(dir, "key"))
	mark := strings.Fields(run("", "ssh-keygen", "-l", "-f", filepath.Join(dir, "key.pub")))[1]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	const name = "litewitness.example/w"
	start(program, "-db", db, "-name", name, "-key", mark, "-ssh-agent", sock, "-listen", addr)
	wait(t, "the witness", func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	empty := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // SHA-256 of nothing: the root of no leaves
	run("", "sqlite3", db, fmt.Sprintf("PRAGMA busy_timeout=5000; INSERT INTO log VALUES ('%s', 0, '%s'); INSERT INTO key VALUES ('%s', '%s')", log.key.Name(), empty, log.key.Name(), log.vkey))
	pub, err := os.ReadFile(filepath.Join(dir, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Fields(string(pub))[1])
	if err != nil {
		t.Fatal(err)
	}
	// The key's id by the specification: SHA-256 of name, LF, type byte and key.
	public := append([]byte{4}, raw[len(raw)-32:]...)
	id := sha256.Sum256(append([]byte(name+"\n"), public...))
	vkey := fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(public))
	c, err := New(Config{VKey: vkey, URL: "http://" + addr})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wait(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ready(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}
