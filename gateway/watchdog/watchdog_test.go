package watchdog

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

type counter struct{ fed int }

func (c *counter) Feed() error { c.fed++; return nil }

// rounds holds n rounds, in each of which every pulse but still beats, and returns how often it was fed.
func rounds(t *testing.T, g *Group, all []*Pulse, still *Pulse, n int) (fed int, logged string) {
	t.Helper()
	var buf bytes.Buffer
	c := &counter{}
	synctest.Test(t, func(t *testing.T) {
		tick := make(chan time.Time)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go Run(ctx, g, tick, slog.New(slog.NewTextHandler(&buf, nil)), c)
		round := func() {
			tick <- time.Time{}
			synctest.Wait() // the round is over: a beat from here on belongs to the next one
		}
		for range n {
			for _, p := range all {
				if p != still {
					p.Beat()
				}
			}
			round()
			round() // nobody has beaten, so it must not feed
		}
	})
	return c.fed, buf.String()
}

// DS-8: the watchdog is fed while every loop beats; each loop that stands still, alone, starves it and is named; a
// round in which nobody beat does not feed either.
func TestEachLoopStuckStarves(t *testing.T) {
	names := []string{"decision a", "inputs a", "lock a", "inputs i2c"}
	for stuck := -1; stuck < len(names); stuck++ {
		var g Group
		var all []*Pulse
		for _, n := range names {
			all = append(all, g.Pulse(n, 0))
		}
		var still *Pulse
		want, word := 5, ""
		if stuck >= 0 {
			still, want, word = all[stuck], 0, names[stuck]
		}
		fed, logged := rounds(t, &g, all, still, 5)
		if fed != want || !strings.Contains(logged, word) {
			t.Errorf("loop %q stands still: fed %d times of %d, log %q", word, fed, want, logged)
		}
	}
}

// A loop with patience may miss that many rounds in a row and not one more, and a beat gives it all of them back.
func TestPatience(t *testing.T) {
	var g Group
	p := g.Pulse("records", 2)
	for i, want := range []int{0, 0, 1, 1} {
		if still, _ := g.Round(); len(still) != want {
			t.Errorf("round %d: %v stand still, want %d", i, still, want)
		}
	}
	p.Beat()
	for i, want := range []int{0, 0, 0, 1} {
		if still, _ := g.Round(); len(still) != want {
			t.Errorf("round %d after a beat: %v stand still, want %d", i, still, want)
		}
	}
}

// A group without loops is never fed: a gateway that watches nothing must not look healthy.
func TestNothingWatchedIsNotFed(t *testing.T) {
	if fed, logged := rounds(t, &Group{}, nil, nil, 3); fed != 0 || !strings.Contains(logged, "no loop is watched") {
		t.Errorf("fed %d times, log %q", fed, logged)
	}
}

type file struct {
	bytes.Buffer
	closed bool
	fail   error
}

func (f *file) Write(p []byte) (int, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	return f.Buffer.Write(p)
}
func (f *file) Close() error { f.closed = true; return nil }

// Only a deliberate stop disarms the device; a process that fails leaves it armed.
func TestDeviceDisarmsOnlyOnPurpose(t *testing.T) {
	for _, c := range []struct {
		end  func(*Device) error
		want string
	}{{(*Device).Disarm, "\x00V"}, {(*Device).Leave, "\x00"}} {
		f := &file{}
		d := &Device{f}
		if err := errors.Join(d.Feed(), c.end(d)); err != nil || f.String() != c.want || !f.closed {
			t.Errorf("wrote %q (closed %t, %v), want %q", f.String(), f.closed, err, c.want)
		}
	}
	f := &file{fail: os.ErrInvalid}
	if err := (&Device{f}).Feed(); err == nil {
		t.Error("a write that failed is not told")
	}
}

// A file that is no watchdog is refused: nobody would be watched.
func TestOpenRefusesWhatIsNoWatchdog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "watchdog")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + "-missing"} {
		if _, err := Open(p, MinTimeout); err == nil || strings.Contains(err.Error(), "\n") && !strings.Contains(p, "missing") {
			t.Errorf("%s: %v", p, err)
		}
	}
}

// systemd hears READY, WATCHDOG and STOPPING as datagrams of their own; without a socket nobody is told and nothing fails.
func TestSystemd(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	none := FromEnvironment()
	if none != nil || none.Feed() != nil {
		t.Fatalf("without a service manager: %v", none)
	}
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	s := FromEnvironment()
	if err := errors.Join(s.Ready(), s.Feed(), s.Stopping()); err != nil {
		t.Fatal(err)
	}
	var got []string
	buf := make([]byte, 64)
	for range 3 {
		_ = l.SetReadDeadline(time.Now().Add(time.Minute))
		n, err := l.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buf[:n]))
	}
	if want := []string{"READY=1", "WATCHDOG=1", "STOPPING=1"}; !slices.Equal(got, want) {
		t.Errorf("systemd heard %v, want %v", got, want)
	}
}
