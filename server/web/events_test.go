package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

// stream is a live client over a real socket.
type stream struct {
	*bufio.Reader
	body io.Closer
}

func (s *site) serve() string {
	srv := httptest.NewUnstartedServer(s.h)
	srv.Config = web.NewServer(s.h, nil)
	srv.Start()
	s.Cleanup(func() { s.h.Close(); srv.Close() })
	return srv.URL
}

func (s *site) watch(base, cookie, query, last string) *stream {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 10*time.Second)
	s.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/events"+query, nil)
	if err != nil {
		s.Fatal(err)
	}
	r.Header.Set("Cookie", cookie)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		s.Fatal(err)
	}
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		s.Fatalf("%s %s", res.Status, res.Header.Get("Content-Type"))
	}
	s.Cleanup(func() { res.Body.Close() })
	return &stream{bufio.NewReader(res.Body), res.Body}
}

// next reads one event: its name ("" = message) and id.
func (st *stream) next() (name, id string, err error) {
	seen := false
	for {
		line, err := st.ReadString('\n')
		if err != nil {
			return name, id, err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && seen:
			return name, id, nil
		case strings.HasPrefix(line, "event: "):
			name = line[7:]
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case strings.HasPrefix(line, "data: "):
			seen = true
		}
	}
}

// ids reads n messages, passing over ticks.
func (st *stream) ids(t *testing.T, n int) (out []uint64) {
	t.Helper()
	for len(out) < n {
		name, id, err := st.next()
		if err != nil {
			t.Fatalf("after %v: %v", out, err)
		}
		if name != "" {
			continue
		}
		i, err := strconv.ParseUint(id, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, i)
	}
	return out
}

func wantRun(t *testing.T, got []uint64, from uint64) {
	t.Helper()
	for i, id := range got {
		if id != from+uint64(i) {
			t.Fatalf("ids %v, want a run from %d", got, from)
		}
	}
}

// Replay is exact: from a place in the log, after Last-Event-ID, and across the seam between what
// was there and what comes while the client is reading.
func TestEventsReplay(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.EventTick = time.Second })
	s.mem.Grow(990, "record") // 1000 in all
	base, cookie := s.serve(), s.login("reception")

	st := s.watch(base, cookie, "?from=3", "")
	go func() {
		for range 50 {
			s.mem.Grow(10, "decision")
			s.h.Notify()
		}
	}()
	wantRun(t, st.ids(t, 1497), 3)

	st = s.watch(base, cookie, "?from=3", "1489") // Last-Event-ID wins
	wantRun(t, st.ids(t, 10), 1490)
	st = s.watch(base, cookie, "", "")
	s.mem.Grow(2, "action")
	s.h.Notify()
	wantRun(t, st.ids(t, 2), 1500)

	// A client that saw more than there is must load anew.
	st = s.watch(base, cookie, "", "999999")
	if name, _, err := st.next(); name != "reset" || err != nil {
		t.Errorf("got %q, %v, want reset", name, err)
	}
	for _, bad := range []string{"?from=-1", "?from=x"} {
		s.status(bad, s.get("/events"+bad, cookie), 400)
	}
}

// A stream ticks, so that silence means a broken line, and ends with the login.
func TestEventsEndWithSession(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.EventTick = 20 * time.Millisecond })
	base, cookie := s.serve(), s.login("reception")
	st := s.watch(base, cookie, "", "")
	if name, _, err := st.next(); name != "tick" || err != nil {
		t.Fatalf("got %q, %v, want tick", name, err)
	}
	s.status("logout", s.post("/logout", cookie, nil), 303)
	for {
		name, _, err := st.next()
		if err != nil {
			t.Fatalf("the stream broke off without an end: %v", err)
		}
		if name == "end" {
			break
		}
	}
	if _, err := st.ReadByte(); err != io.EOF {
		t.Errorf("after the end: %v", err)
	}
}

// A client that does not read is dropped; another one meanwhile loses nothing and waits for nobody.
func TestSlowClientIsDropped(t *testing.T) {
	s := newSite(t, func(c *web.Config) { c.EventWrite, c.EventTick = 100*time.Millisecond, 50*time.Millisecond })
	base, cookie := s.serve(), s.login("reception")
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /events?from=0 HTTP/1.1\r\nHost: x\r\nCookie: %s\r\n\r\n", cookie)
	fast := s.watch(base, cookie, "?from=0", "")
	s.mem.Grow(200_000, "record") // 7 MB of events, more than the kernel keeps
	s.h.Notify()
	wantRun(t, fast.ids(t, 200_010), 0)
	fast.body.Close()
	deadline := time.Now().Add(5 * time.Second)
	for s.h.Streams() > 0 {
		if time.Now().After(deadline) {
			t.Fatalf("%d streams still held", s.h.Streams())
		}
		time.Sleep(10 * time.Millisecond) // real sockets: poll
	}
}

// There is a limit of streams, and closing the handler ends them.
func TestStreamLimit(t *testing.T) {
	s := newSite(t, nil)
	base, cookie := s.serve(), s.login("reception")
	st := s.watch(base, cookie, "", "")
	for range 255 {
		s.watch(base, cookie, "", "")
	}
	s.status("one too many", s.get("/events", cookie), 503)
	s.h.Close()
	if _, err := io.ReadAll(st); err != nil {
		t.Error(err)
	}
}
