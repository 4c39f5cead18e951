package app

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/gateway/config"
	"monban/gateway/hal/sim"
)

// screen is a terminal that several goroutines write to.
type screen struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// shows waits until the screen shows each of words.
func (s *screen) shows(t *testing.T, words ...string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		missing := ""
		for _, w := range words {
			if !strings.Contains(s.String(), w) {
				missing = w
			}
		}
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%q is not shown:\n%s", missing, s)
		}
	}
}

// PR-2, DS-5: the monitor shows cards, keys and inputs as they come, and of a card its last digits at most: never its number,
// its facility code, its bits or a digit of a PIN. No lock moves.
func TestMonitorMasks(t *testing.T) {
	cfg, err := config.Parse("test", []byte(`gateway = "gw"
site = "s"
server = "tls://h:1"
identity_dir = "/i"
data_dir = "/d"
[[door]]
id = "d1"
kind = "controlled"
exit = "button"
[[door.reader]]
side = "enter"
type = "wiegand"
formats = ["H10301"]
keypad = "burst4"
`))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended, opened := make(chan error, 1), make(chan *sim.HAL, 1)
	out := &screen{}
	go func() {
		ended <- Monitor(ctx, MonitorOptions{Config: cfg, Sim: true, Out: out, opened: func(h hardware) { opened <- h.(*sim.HAL) }})
	}()
	h := <-opened
	for _, line := range []string{"badge d1 enter H10301 173 54231", "leave d1", "close d1", "rex d1", "tamper d1 on", "keys d1 enter 4917"} {
		if _, err := h.Do(line); err != nil {
			t.Fatal(err)
		}
	}
	out.shows(t, "door d1, reader enter: 26 bits", "card ****4231", "d1, contact: rest", "d1, contact: active", "d1, request: active", "d1, tamper: active", "enter: a key")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, secret := range []string{"54231", "173", "4917"} {
		for _, line := range strings.Split(out.String(), "\n") {
			if _, text, ok := strings.Cut(line, " "); ok && strings.Contains(text, secret) { // the time before it may hold any digits
				t.Errorf("%q is shown: %s", secret, line)
			}
		}
	}
	for _, e := range h.Edges() {
		if e.Released {
			t.Error("a lock moved")
		}
	}
}
