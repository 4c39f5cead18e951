package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/ca"
	"monban/server/rollout"
)

const goodQuery = "arch=amd64&running=100&state=idle&number=0&try=0"

func (s *rolloutSite) port() *updatePort {
	return &updatePort{r: s.rollouts, rate: 1 << 30, asked: map[string]time.Time{}}
}

// from asks the port as a gateway whose certificate was checked.
func from(p *updatePort, gw, method, target string, change func(*http.Request)) *httptest.ResponseRecorder {
	rq := httptest.NewRequest(method, "https://server"+target, http.NoBody)
	rq.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: gw}}}}
	if change != nil {
		change(rq)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(timed{w}, rq)
	return w
}

// timed takes a deadline, as a connection does.
type timed struct{ *httptest.ResponseRecorder }

func (timed) SetWriteDeadline(time.Time) error { return nil }

// OP-4: whose turn it is gets the release's files for its kind of machine, in parts too; nobody else gets a byte.
func TestUpdatePort(t *testing.T) {
	s := newRolloutSite(t)
	s.begins()
	p := s.port()
	if w := from(p, "gw-2", "GET", "/v1/file/STAMP", nil); w.Code != http.StatusForbidden {
		t.Errorf("before its turn: %d", w.Code)
	}
	if w := from(p, "gw-1", "GET", "/v1/turn?"+goodQuery, nil); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
		t.Errorf("gw-1: %d %s", w.Code, w.Body)
	}
	w := from(p, "gw-2", "GET", "/v1/turn?"+goodQuery, nil)
	var a turnAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Number != releaseNumber || a.Try != 1 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var paths []string
	for _, f := range a.Files {
		paths = append(paths, f.Path)
		w := from(p, "gw-2", "GET", "/v1/file/"+f.Path, nil)
		if w.Code != http.StatusOK || int64(w.Body.Len()) != f.Size {
			t.Errorf("%s: %d, %d bytes", f.Path, w.Code, w.Body.Len())
		}
		if w := from(p, "gw-1", "GET", "/v1/file/"+f.Path, nil); w.Code != http.StatusForbidden {
			t.Errorf("%s for gw-1: %d", f.Path, w.Code)
		}
	}
	if got := strings.Join(paths, " "); got != "STAMP MANIFEST root/1 programs/monban-gateway-amd64" {
		t.Errorf("files %s", got)
	}
	w = from(p, "gw-2", "GET", "/v1/file/programs/monban-gateway-amd64", func(rq *http.Request) { rq.Header.Set("Range", "bytes=11-") })
	if w.Code != http.StatusPartialContent || w.Body.String() != "version 2" {
		t.Errorf("a part: %d %q", w.Code, w.Body)
	}
	s.clock = s.clock.Add(time.Minute)
	if w := from(p, "gw-2", "GET", "/v1/turn?"+strings.Replace(goodQuery, "amd64", "mips", 1), nil); strings.Contains(w.Body.String(), "programs/") {
		t.Errorf("another kind of machine: %s", w.Body)
	}
	if err := s.stop(t.Context(), monthly); err != nil {
		t.Fatal(err)
	}
	if w := from(p, "gw-2", "GET", "/v1/file/STAMP", nil); w.Code != http.StatusForbidden {
		t.Errorf("after a stop: %d", w.Code)
	}
}

// OP-4: what does not belong there is refused and changes nothing: no turn, no word that counts.
func TestUpdatePortHostile(t *testing.T) {
	s := newRolloutSite(t)
	s.begins()
	if err := os.WriteFile(filepath.Join(s.dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := s.port()
	from(p, "gw-2", "GET", "/v1/turn?"+goodQuery, nil) // has its turn
	for name, c := range map[string]struct {
		gw, method, target string
		change             func(*http.Request)
		code               int
	}{
		"no certificate":         {"gw-2", "GET", "/v1/file/STAMP", func(rq *http.Request) { rq.TLS.PeerCertificates = nil }, 403},
		"no TLS":                 {"gw-2", "GET", "/v1/file/STAMP", func(rq *http.Request) { rq.TLS = nil }, 403},
		"the server's own":       {ca.ServerName, "GET", "/v1/file/STAMP", nil, 403},
		"not in the directory":   {"gw-9", "GET", "/v1/turn?" + goodQuery, nil, 403},
		"nobody":                 {"", "GET", "/v1/turn?" + goodQuery, nil, 403},
		"another method":         {"gw-2", "POST", "/v1/turn?" + goodQuery, nil, 405},
		"HEAD":                   {"gw-2", "HEAD", "/v1/file/STAMP", nil, 405},
		"a body":                 {"gw-2", "GET", "/v1/file/STAMP", func(rq *http.Request) { rq.ContentLength = 5 }, 400},
		"a body without end":     {"gw-2", "GET", "/v1/file/STAMP", func(rq *http.Request) { rq.ContentLength = -1 }, 400},
		"another path":           {"gw-2", "GET", "/v1/", nil, 404},
		"a way out":              {"gw-2", "GET", "/v1/file/../secret", nil, 404},
		"a hidden way out":       {"gw-2", "GET", "/v1/file/%2e%2e/secret", nil, 404},
		"a way out further down": {"gw-2", "GET", "/v1/file/root/../../secret", nil, 404},
		"an absolute path":       {"gw-2", "GET", "/v1/file//etc/passwd", nil, 404},
		"a zero byte":            {"gw-2", "GET", "/v1/file/STAMP%00", nil, 404},
		"a file of the server":   {"gw-2", "GET", "/v1/file/packages/other.deb", nil, 404},
		"a file with a query":    {"gw-2", "GET", "/v1/file/STAMP?x=1", nil, 404},
		"a range below 0":        {"gw-2", "GET", "/v1/file/STAMP", func(rq *http.Request) { rq.Header.Set("Range", "bytes=99999-") }, 416},
	} {
		s.clock = s.clock.Add(time.Second)
		if w := from(p, c.gw, c.method, c.target, c.change); w.Code != c.code || w.Body.Len() > 200 {
			t.Errorf("%s: %d, want %d; %d bytes", name, w.Code, c.code, w.Body.Len())
		}
	}
	for _, q := range []string{
		"", "x", goodQuery + "&x=1", goodQuery + "&try=0", strings.Replace(goodQuery, "=100", "=-1", 1), strings.Replace(goodQuery, "=100", "=1e3", 1),
		strings.Replace(goodQuery, "=100", "=0100", 1), strings.Replace(goodQuery, "=100", "=99999999999999999999", 1), strings.Replace(goodQuery, "idle", "open", 1),
		strings.Replace(goodQuery, "amd64", "../x", 1), strings.Replace(goodQuery, "amd64", strings.Repeat("a", 17), 1), goodQuery + strings.Repeat("a", 300),
		strings.Replace(goodQuery, "try=0", "try=9999999", 1), goodQuery + ";", "%zz",
	} {
		s.clock = s.clock.Add(time.Second)
		if w := from(p, "gw-2", "GET", "/v1/turn?"+q, nil); w.Code != http.StatusBadRequest || w.Body.Len() > 200 {
			t.Errorf("%q: %d", q, w.Code)
		}
	}
	s.clock = s.clock.Add(time.Second)
	first, again := from(p, "gw-2", "GET", "/v1/turn?"+goodQuery, nil), from(p, "gw-2", "GET", "/v1/turn?"+goodQuery, nil)
	if first.Code != http.StatusOK || again.Code != http.StatusTooManyRequests {
		t.Errorf("asked twice at once: %d, %d", first.Code, again.Code)
	}
	p.sending.Lock()
	if w := from(p, "gw-2", "GET", "/v1/file/STAMP", nil); w.Code != http.StatusTooManyRequests {
		t.Errorf("two transfers at once: %d", w.Code)
	}
}

// Whatever the query is: it is refused, or it says what the same words say when they are written anew.
func FuzzTurnQuery(f *testing.F) {
	f.Add(goodQuery)
	f.Add("try=1&number=5&state=failed&running=7&arch=armv6")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseTurn(raw)
		if err != nil {
			if q != (turnQuery{}) {
				t.Errorf("%q: an error and %+v", raw, q)
			}
			return
		}
		if !q.seen.Word.Known() || q.seen.Running < 0 || q.seen.Number < 0 || q.seen.Try < 0 || q.arch == "" {
			t.Errorf("%q: %+v", raw, q)
		}
	})
}

// D29: a transfer takes its time, so that doors' messages have the network, and ends with its turn.
func TestPaced(t *testing.T) {
	half := &paced{in: strings.NewReader(strings.Repeat("x", 40)), ctx: t.Context(), rate: 200, w: http.NewResponseController(timed{httptest.NewRecorder()}), still: func() bool { return true }}
	began := time.Now()
	for range 2 { // 20 bytes are a tenth of a second
		if n, err := half.Read(make([]byte, 20)); n != 20 || err != nil {
			t.Fatal(n, err)
		}
	}
	if took := time.Since(began); took < 20*time.Millisecond {
		t.Errorf("40 bytes at 200 a second after %v", took)
	}
	turn := true
	in := &paced{in: strings.NewReader("abcdef"), ctx: t.Context(), rate: 1 << 20, w: http.NewResponseController(timed{httptest.NewRecorder()}), still: func() bool { return turn }}
	turn = false
	if n, err := in.Read(make([]byte, 3)); n != 0 || err == nil {
		t.Errorf("after its turn: %d %v", n, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	slow := &paced{in: strings.NewReader("abcdef"), ctx: ctx, rate: 1, debt: time.Hour, still: func() bool { return true }}
	if _, err := slow.Read(make([]byte, 3)); err == nil {
		t.Error("goes on for who has gone")
	}
}

// OP-4, D29: one connection too many is closed at once, and room comes back.
func TestBounded(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bounded{Listener: l, most: 1}
	defer func() { _ = b.Close() }()
	got := make(chan net.Conn)
	go func() {
		for {
			c, err := b.Accept()
			if err != nil {
				close(got)
				return
			}
			got <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := dial()
	defer func() { _ = one.Close() }()
	held := <-got
	two := dial()
	if _, err := two.Read(make([]byte, 1)); err == nil { // ended by the other side
		t.Error("a second one is held")
	}
	_, _ = held.Close(), held.Close()
	three := dial()
	defer func() { _ = three.Close() }()
	if c := <-got; c == nil {
		t.Error("no room came back")
	}
}

// D23, OP-4: over TLS: a gateway's certificate is asked for, one that is denied is nobody's, and TLS 1.2 is refused.
func TestUpdatePortTLS(t *testing.T) {
	cfg := testSite(t)
	cfg.Updates.Listen = "127.0.0.1:0"
	h := newReleaser(t)
	pairs := map[string]tls.Certificate{}
	pool := x509.NewCertPool()
	withSite(t, cfg, func(s *Site) {
		for _, gw := range []string{"gw-1", "gw-2"} {
			out := filepath.Join(t.TempDir(), gw)
			if err := s.AddGateway(access.GatewayID(gw), out, time.Now()); err != nil {
				t.Fatal(err)
			}
			pair, err := tls.LoadX509KeyPair(filepath.Join(out, "tls.crt"), filepath.Join(out, "tls.key"))
			if err != nil {
				t.Fatal(err)
			}
			pairs[gw] = pair
		}
		pool.AppendCertsFromPEM(s.CA.RootPEM())
	})
	a, _, stop := running(t, cfg)
	if _, err := BeginRollout(t.Context(), cfg, RolloutBegin{Dir: h.makes(releaseNumber, "0~2", "program"), Root: h.root, First: "gw-1", By: "x", Reason: "y"}); err != nil {
		t.Fatal(err)
	}
	get := func(target string, change func(*tls.Config)) (int, string, error) {
		c := &tls.Config{RootCAs: pool, ServerName: ca.ServerName, MinVersion: tls.VersionTLS12}
		change(c)
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}}
		resp, err := client.Get("https://" + a.updatesListener.Addr().String() + target)
		if err != nil {
			return 0, "", err
		}
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	as := func(gw string) func(*tls.Config) {
		return func(c *tls.Config) { c.Certificates = []tls.Certificate{pairs[gw]} }
	}
	if code, body, err := get("/v1/turn?"+goodQuery, as("gw-1")); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s %v", code, body, err)
	}
	if code, body, err := get("/v1/file/programs/monban-gateway-amd64", as("gw-1")); err != nil || code != http.StatusOK || body != "program" {
		t.Errorf("%d %s %v", code, body, err)
	}
	if code, _, err := get("/v1/file/STAMP", as("gw-2")); err != nil || code != http.StatusForbidden {
		t.Errorf("%d %v", code, err)
	}
	if code, _, err := get("/v1/turn?"+goodQuery, func(*tls.Config) {}); err == nil {
		t.Errorf("without a certificate: %d", code)
	}
	if code, _, err := get("/v1/turn?"+goodQuery, func(c *tls.Config) { as("gw-1")(c); c.MaxVersion = tls.VersionTLS12 }); err == nil {
		t.Errorf("TLS 1.2: %d", code)
	}
	if _, err := a.site.CA.DenyGateway("gw-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if code, _, err := get("/v1/file/STAMP", as("gw-1")); err == nil {
		t.Errorf("a denied certificate: %d", code)
	}
	if s := a.rollouts.status(); s.State != rollout.Running {
		t.Errorf("%+v", s)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}
