package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"monban/server/config"
	"monban/server/rollout"
)

// Bounds of the port from which gateways fetch releases.
const (
	mostUpdateConns = 200                    // connections at once; more are closed at once. A gateway holds one for some seconds a minute
	fileRate        = 1 << 20                // bytes a second, of all transfers together: a door's message needs some thousand
	filePiece       = 32 << 10               // bytes that are sent between two looks at the clock
	fileStall       = 30 * time.Second       // a piece that is not taken within it ends the transfer
	fileLongest     = 30 * time.Minute       // so does this; the gateway goes on from where it was
	turnAgain       = 500 * time.Millisecond // a gateway that asks more often is refused
	mostQuery       = 256                    // bytes
	mostTry         = 1 << 20                // turns of one gateway that can be told of
)

// updatePort is the handler. Who asks is in the client certificate, which the TLS configuration has checked against the site's roots and the
// deny list; nothing else of a request says who it is.
type updatePort struct {
	r    *rollouts
	rate int // bytes a second

	sending sync.Mutex // one transfer at a time
	mu      sync.Mutex
	asked   map[string]time.Time // when each gateway asked last
}

// openUpdates takes the port, when one is configured.
func (a *App) openUpdates(ctx context.Context, cfg *config.Config) error {
	if cfg.Updates.Listen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Updates.Listen)
	if err != nil {
		return fmt.Errorf("updates cannot listen on %s: %w (set [updates] listen to a free port)", cfg.Updates.Listen, unwrapped(err))
	}
	a.updatesListener = &bounded{Listener: l, most: mostUpdateConns}
	a.updates = &http.Server{
		Handler: &updatePort{r: a.rollouts, rate: fileRate, asked: map[string]time.Time{}}, TLSConfig: a.site.CA.ServerTLS(),
		// No ReadTimeout: it would end a transfer that takes longer. Whoever sends a body is cut off instead.
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1: one request at a time on a connection
		ErrorLog:     slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	return nil
}

func (a *App) serveUpdates() error {
	err := a.updates.ServeTLS(a.updatesListener, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// turnAnswer is what a gateway is told whose turn it is.
type turnAnswer struct {
	Number int64     `json:"number"` // of the release, s since 1970
	Try    int       `json:"try"`    // which turn this is; over 1 the gateway tries what failed before once more
	Files  []offered `json:"files"`
}

// ServeHTTP implements http.Handler.
func (p *updatePort) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if rq.TLS == nil || len(rq.TLS.PeerCertificates) == 0 {
		http.Error(w, "no client certificate", http.StatusForbidden)
		return
	}
	gw := rq.TLS.PeerCertificates[0].Subject.CommonName
	switch {
	case !p.r.knows(gw): // the server's own certificate and readers of alerts are no gateways either
		http.Error(w, "no gateway of the directory", http.StatusForbidden)
	case rq.ContentLength != 0:
		w.Header().Set("Connection", "close") // nothing of it is read
		http.Error(w, "no body", http.StatusBadRequest)
	case rq.Method != http.MethodGet:
		http.Error(w, "GET only", http.StatusMethodNotAllowed)
	case rq.URL.Path == "/v1/turn":
		p.turn(w, rq, gw)
	case strings.HasPrefix(rq.URL.Path, "/v1/file/") && rq.URL.RawQuery == "":
		p.file(w, rq, gw, strings.TrimPrefix(rq.URL.Path, "/v1/file/"))
	default:
		http.NotFound(w, rq)
	}
}

func (p *updatePort) turn(w http.ResponseWriter, rq *http.Request, gw string) {
	if !p.mayAsk(gw) {
		w.Header().Set("Retry-After", "60")
		http.Error(w, "ask each minute", http.StatusTooManyRequests)
		return
	}
	q, err := parseTurn(rq.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	try, files, err := p.r.said(rq.Context(), gw, q.seen)
	switch {
	case err != nil:
		p.r.log.LogAttrs(rq.Context(), slog.LevelError, "roll-out", slog.Any("err", err))
		http.Error(w, "not now", http.StatusServiceUnavailable)
	case try == 0:
		w.WriteHeader(http.StatusNoContent)
	case files == nil:
		http.Error(w, "not now", http.StatusServiceUnavailable)
	default:
		a := turnAnswer{Number: files.number, Try: try, Files: files.signed}
		if f, ok := files.byArch[q.arch]; ok { // without it the gateway says that the release is not for it, and the roll-out stops
			a.Files = append(a.Files[:len(a.Files):len(a.Files)], f)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(a) // it asks again
	}
}

// mayAsk bounds how often one gateway asks.
func (p *updatePort) mayAsk(gw string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.r.now()
	if d := now.Sub(p.asked[gw]); d >= 0 && d < turnAgain {
		return false
	}
	p.asked[gw] = now // as many as the directory has gateways
	return true
}

// turnQuery is what a gateway says when it asks.
type turnQuery struct {
	arch string
	seen rollout.Seen // without times
}

// parseTurn reads the query strictly: each word once, no other.
func parseTurn(raw string) (q turnQuery, err error) {
	if len(raw) > mostQuery {
		return q, fmt.Errorf("the query has more than %d bytes", mostQuery)
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query cannot be read")
	}
	one := func(key string) string {
		if all := v[key]; len(all) == 1 {
			return all[0]
		}
		return ""
	}
	number := func(key string, most int64) int64 {
		n, err2 := strconv.ParseInt(one(key), 10, 64)
		if (err2 != nil || n < 0 || n > most || strconv.FormatInt(n, 10) != one(key)) && err == nil {
			err = fmt.Errorf("%s is no number from 0 to %d", key, most)
		}
		return n
	}
	const mostNumber = 1 << 53
	q.arch = one("arch")
	q.seen.Running, q.seen.Number, q.seen.Try = number("running", mostNumber), number("number", mostNumber), int(number("try", mostTry))
	q.seen.Word = rollout.Word(one("state"))
	switch {
	case err != nil:
	case len(v) != 5:
		err = errors.New("the query is arch, running, state, number, try")
	case !q.seen.Word.Known():
		err = errors.New("state is none of the words")
	case q.arch == "" || len(q.arch) > 16 || strings.Trim(q.arch, "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		err = errors.New("arch is 1 to 16 of a-z, 0-9")
	}
	if err != nil {
		return turnQuery{}, err
	}
	return q, nil
}

func (p *updatePort) file(w http.ResponseWriter, rq *http.Request, gw, name string) {
	files := p.r.serving(gw)
	if files == nil {
		http.Error(w, "not your turn", http.StatusForbidden)
		return
	}
	f, ok := files.find(name)
	if !ok {
		http.NotFound(w, rq)
		return
	}
	if !p.sending.TryLock() {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "another transfer is under way", http.StatusTooManyRequests)
		return
	}
	defer p.sending.Unlock()
	in, err := os.Open(filepath.Join(files.dir, filepath.FromSlash(f.Path)))
	if err != nil {
		p.r.log.LogAttrs(rq.Context(), slog.LevelError, "roll-out", slog.Any("err", err))
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = in.Close() }() // only read
	ctx, end := context.WithTimeout(rq.Context(), fileLongest)
	defer end()
	w.Header().Set("Content-Type", "application/octet-stream")
	// The turn is looked at with each piece: whoever has lost it gets no more.
	http.ServeContent(w, rq, "", time.Time{}, &paced{in: in, ctx: ctx, rate: p.rate, w: http.NewResponseController(w), still: func() bool { return p.r.serving(gw) == files }})
}

// paced is a file that is read no faster than rate.
type paced struct {
	in    io.ReadSeeker
	ctx   context.Context
	rate  int // bytes a second
	w     *http.ResponseController
	still func() bool
	debt  time.Duration // what has been read and not waited for
}

// Seek implements io.Seeker.
func (p *paced) Seek(offset int64, whence int) (int64, error) { return p.in.Seek(offset, whence) }

// Read implements io.Reader.
func (p *paced) Read(b []byte) (int, error) {
	t := time.NewTimer(p.debt)
	defer t.Stop()
	select {
	case <-p.ctx.Done():
		return 0, p.ctx.Err()
	case <-t.C:
	}
	if !p.still() {
		return 0, errors.New("its turn is over")
	}
	if err := p.w.SetWriteDeadline(time.Now().Add(fileStall)); err != nil {
		return 0, err
	}
	n, err := p.in.Read(b[:min(len(b), filePiece)])
	p.debt = time.Duration(n) * time.Second / time.Duration(p.rate)
	return n, err
}

// bounded is a listener with a bound on open connections: one too many is closed at once, so that those who have one are served.
type bounded struct {
	net.Listener
	most int

	mu   sync.Mutex
	open int
}

// Accept implements net.Listener.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		b.mu.Lock()
		room := b.open < b.most
		if room {
			b.open++
		}
		b.mu.Unlock()
		if room {
			return &boundedConn{Conn: c, b: b}, nil
		}
		_ = c.Close() // nothing was said yet
	}
}

type boundedConn struct {
	net.Conn
	b    *bounded
	once sync.Once
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(func() {
		c.b.mu.Lock()
		defer c.b.mu.Unlock()
		c.b.open--
	})
	return c.Conn.Close()
}
