package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// A server that serves says so to systemd; one whose writer hangs is no longer spoken for, and a turn that fails is no hang.
func TestSupervise(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s") // a socket's path is short
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	t.Setenv("NOTIFY_SOCKET", socket)
	t.Setenv("WATCHDOG_USEC", "30000")
	t.Setenv("WATCHDOG_PID", "")
	said := make(chan string, 1000)
	go func() {
		defer close(said)
		buf := make([]byte, 64)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			said <- string(buf[:n])
		}
	}()
	next := func() string {
		t.Helper()
		select {
		case word := <-said:
			return word
		case <-time.After(time.Minute):
			t.Fatal("nothing is said")
			return ""
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	turns, hangs := 0, make(chan struct{})
	go func() {
		defer close(ended)
		supervise(ctx, slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			if turns++; turns <= 3 {
				return errors.New("no space left")
			}
			close(hangs)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"} {
		if got := next(); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
	}
	<-hangs
	stop()
	<-ended
	if got := next(); got != "STOPPING=1" {
		t.Errorf("while a turn hung it said %q", got)
	}
}

// Without a service manager nothing is said, and nothing is in the way.
func TestSuperviseAlone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "")
	ctx, stop := context.WithCancel(t.Context())
	stop()
	supervise(ctx, slog.New(slog.DiscardHandler), func(context.Context) error {
		t.Error("a turn nobody asked for")
		return nil
	})
}
