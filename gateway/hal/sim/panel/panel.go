// Package panel is the demo's page: it holds cards before the simulated readers, keys in PINs, opens,
// forces and holds doors, and cuts the link. It exists beside the simulator only: it can be made from a
// *sim.HAL and from nothing else, so no real door has it (D30).
//
// It listens on loopback alone, every path begins with a secret token, and it shows names of demo
// cards, never their numbers. It works without script; with it the page follows the doors.
package panel

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"monban/gateway/hal/sim"
)

//go:embed page.html
var page string

//go:embed static
var static embed.FS

// ErrNotLoopback: the panel was to listen where other machines reach it.
var ErrNotLoopback = errors.New("the demo panel listens on loopback only")

// Panel is the page of one simulator.
type Panel struct {
	hal   *sim.HAL
	token string
	page  *template.Template
	log   *slog.Logger
}

// New makes the page of h with a fresh token.
func New(h *sim.HAL, log *slog.Logger) (*Panel, error) {
	if h == nil {
		return nil, errors.New("demo panel: no simulator")
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var secret [16]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, fmt.Errorf("demo panel: %w", err)
	}
	t, err := template.New("page").Option("missingkey=error").Parse(page)
	if err != nil {
		return nil, fmt.Errorf("demo panel: %w", err)
	}
	return &Panel{hal: h, token: hex.EncodeToString(secret[:]), page: t, log: log}, nil
}

// Listen opens a loopback address; any other is refused before anything listens.
func Listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("demo panel: %w", err)
	}
	if !loopback(host) {
		return nil, fmt.Errorf("%w: %s", ErrNotLoopback, addr)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("demo panel: %w", err)
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return nil, errors.Join(ErrNotLoopback, l.Close())
	}
	return l, nil
}

func loopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// URL is the page's address with its token; the caller prints it once.
func (p *Panel) URL(l net.Listener) string {
	return "http://" + l.Addr().String() + "/" + p.token + "/"
}

// Serve answers until ctx ends.
func (p *Panel) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: p.Handler(), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn),
	}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		if srv.Shutdown(end) != nil {
			_ = srv.Close()
		}
	})
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("demo panel: %w", err)
	}
	return nil
}

// Handler checks, before anything else, host, token and origin.
func (p *Panel) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{token}/{$}", p.show)
	mux.HandleFunc("POST /{token}/do", p.do)
	mux.HandleFunc("GET /{token}/style.css", p.asset("static/style.css", "text/css; charset=utf-8"))
	mux.HandleFunc("GET /{token}/panel.js", p.asset("static/panel.js", "text/javascript; charset=utf-8"))
	inner := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		token, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if !loopback(hostOf(r.Host)) || subtle.ConstantTimeCompare([]byte(token), []byte(p.token)) != 1 {
			http.Error(w, "Not found. The address with its token is printed where the gateway was started.", http.StatusNotFound)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func hostOf(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

func (p *Panel) asset(name, kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := static.ReadFile(name)
		if err != nil {
			http.NotFound(w, nil)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(data) // a browser that has gone needs nothing
	}
}

func (p *Panel) show(w http.ResponseWriter, r *http.Request) {
	v := p.view(language(r), r.URL.Query().Get("said"))
	var b bytes.Buffer
	if err := p.page.Execute(&b, v); err != nil {
		p.log.Error("demo panel", "err", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}

// do carries out one button and goes back to the page.
func (p *Panel) do(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "bad form", http.StatusBadRequest)
		return
	}
	said := saidDone
	switch err := p.act(r.PostForm); {
	case errors.Is(err, sim.ErrLocked):
		said = saidLocked
	case errors.Is(err, errUnknown):
		http.Error(w, "unknown action", http.StatusBadRequest)
		return
	case err != nil:
		said = saidFailed
		p.log.Info("demo panel", "err", err)
	}
	q := url.Values{"said": {said}, "lang": {language(r)}}
	to := "/" + p.token + "/?" + q.Encode()
	if door := r.PostForm.Get("door"); door != "" {
		to += "#door-" + url.PathEscape(door)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

var errUnknown = errors.New("unknown action")

// act maps a button to the simulator. Only what is listed here can be done.
func (p *Panel) act(form url.Values) error {
	verb, door := form.Get("do"), form.Get("door")
	switch verb {
	case "link-down", "link-up":
		return p.hal.SetLink(verb == "link-up")
	}
	known := slices.ContainsFunc(p.hal.Doors(), func(s sim.State) bool { return s.ID == door })
	if !known {
		return errUnknown
	}
	verb, word, _ := strings.Cut(verb, ":")
	switch verb {
	case "show":
		return p.hal.Show(door, word, form.Get("card"))
	case "pin":
		return p.hal.Press(door, word, form.Get("pin")+"#")
	case "pass", "return", "hold", "close", "force", "rex":
		_, err := p.hal.Do(verb + " " + door)
		return err
	case "tamper", "fire", "strike":
		if !slices.Contains([]string{"on", "off", "fail", "ok"}, word) {
			return errUnknown
		}
		_, err := p.hal.Do(verb + " " + door + " " + word)
		return err
	case "lost", "back":
		if word != "enter" && word != "exit" {
			return errUnknown
		}
		_, err := p.hal.Do("reader " + door + " " + word + " " + verb)
		return err
	default:
		return errUnknown
	}
}
