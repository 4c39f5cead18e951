package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// maxBody bounds a request's body: the largest form here is a few hundred bytes.
const maxBody = 64 << 10

// contentPolicy goes out with every answer. No inline script or style can run, and no other site can be loaded,
// framed by or posted to.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// flag is a boolean that is only ever raised.
type flag struct{ v atomic.Bool }

func (f *flag) up() bool { return f.v.Load() }
func (f *flag) raise()   { f.v.Store(true) }

// request is one request after the gate: who asks, in which language, and whether names are shown.
type request struct {
	*http.Request
	now      time.Time
	lang     Lang
	account  *Account // nil = nobody signed in
	roles    RoleSet  // in force now
	token    string   // session token, "" = none
	names    bool     // this page may show names to these roles
	entry    RoleSet  // roles that let somebody into this page
	seen     *Reach   // what the account sees here, nil = not worked out yet: see reach
	expired  bool     // a session cookie came that is no longer good
	address  string
	login    string    // how the session's login was proved
	proved   time.Time // when identity was last checked, zero = never
	how      string    // and how
	apiToken *APIToken // of an API request, nil = none
}

func (rq *request) actor() string {
	if rq.account == nil {
		return ""
	}
	return rq.account.ID
}

// action begins an action leaf of this request.
func (rq *request) action(kind ActionKind, target string) Action {
	a := Action{At: rq.now, Kind: kind, Actor: rq.actor(), Target: target, Address: rq.address}
	if rq.apiToken != nil {
		a.Token = rq.apiToken.ID
	}
	return a
}

// build makes the handler: headers, cross-site check, body limit, then the table; what the table
// does not name is 403.
func (h *Handler) build(table []route) http.Handler {
	mux := http.NewServeMux()
	for _, rt := range table {
		mux.Handle(rt.pattern, limited(rt, h.gate(rt)))
	}
	mux.Handle("/", limited(route{}, h.gate(route{public: true, passive: true, serve: func(*Handler, http.ResponseWriter, *request) error { return errForbidden }})))
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deny := route{public: true, passive: true, api: strings.HasPrefix(r.URL.Path, apiElse),
			serve: func(*Handler, http.ResponseWriter, *request) error { return errCrossSite }}
		h.gate(deny).ServeHTTP(w, r)
	}))
	inner := cross.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy", contentPolicy)
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cross-Origin-Opener-Policy", "same-origin")
		head.Set("Cache-Control", "no-store") // every page may name a person; static files say otherwise
		inner.ServeHTTP(w, r)
	})
}

// limited bounds what a request may send to a route.
func limited(rt route, next http.Handler) http.Handler {
	most := int64(maxBody)
	if rt.body > 0 {
		most = rt.body
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, most)
		next.ServeHTTP(w, r)
	})
}

// gate opens one route to those who may use it.
func (h *Handler) gate(rt route) http.Handler {
	if rt.api {
		return h.apiGate(rt)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rq := &request{Request: r, now: time.Now(), address: remoteAddress(r)}
		rq.lang = h.chooseLanguage(r, nil)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				h.fail(w, rq, fmt.Errorf("panic: %v", p))
			}
		}()
		err := h.identify(w, rq, rt)
		if err == nil {
			err = h.admit(w, rq, rt)
		}
		if err == nil {
			err = rt.serve(h, w, rq)
		}
		if err != nil && !errors.Is(err, errAnswered) {
			h.fail(w, rq, err)
		}
	})
}

// identify finds the session, its account and the roles in force. It leaves nobody signed in when
// anything is wrong with the session.
func (h *Handler) identify(w http.ResponseWriter, rq *request, rt route) error {
	token := ""
	if c, err := rq.Cookie(h.sessions.Cookie.Name); err == nil && len(c.Value) <= 128 {
		token = c.Value
	}
	ctx, err := h.sessions.Load(rq.Context(), token)
	if err != nil {
		return fmt.Errorf("load session: %w", err)
	}
	rq.Request = rq.WithContext(ctx)
	id := h.sessions.GetString(ctx, keyAccount)
	if id == "" {
		rq.expired = token != ""
		return nil
	}
	a, err := h.src.Accounts.AccountByID(ctx, id)
	switch {
	case errors.Is(err, ErrNotFound), err == nil && a.Suspended:
		// the session dies with the account
		if err := h.endSession(w, rq); err != nil {
			return err
		}
		rq.expired = true
		return nil
	case err != nil:
		return fmt.Errorf("account of session: %w", err)
	}
	rq.account, rq.roles, rq.token = &a, a.rolesAt(rq.now), token
	rq.login, rq.how = h.sessions.GetString(ctx, keyHow), h.sessions.GetString(ctx, keyStepHow)
	rq.proved, _ = time.Parse(time.RFC3339Nano, h.sessions.GetString(ctx, keyProved)) // unreadable = never
	rq.names, rq.entry = seesNames(rt.roles, rq.roles), rt.roles
	rq.lang = h.chooseLanguage(rq.Request, &a)
	rq.Request = rq.WithContext(WithLanguage(rq.Context(), rq.lang))
	if rt.passive || rq.Method == http.MethodGet && rq.URL.Query().Has("auto") {
		return nil // the page asked by itself: nobody acted
	}
	return h.touch(rq)
}

// admit compares roles with the route's. It answers by itself when there is a better answer than 403.
func (h *Handler) admit(w http.ResponseWriter, rq *request, rt route) error {
	if rt.public {
		return nil
	}
	if rq.account == nil {
		if needed, err := h.setupNeeded(rq.Context()); err != nil {
			return err
		} else if needed && rq.Method == http.MethodGet && !rt.passive {
			return redirect(w, rq, "/setup")
		}
		if rq.Method != http.MethodGet || rt.passive {
			return errSignIn
		}
		q := url.Values{}
		if to := rq.URL.RequestURI(); to != "/" {
			q.Set("next", to)
		}
		if rq.expired {
			q.Set("why", "expired")
		}
		to := "/login"
		if len(q) > 0 {
			to += "?" + q.Encode()
		}
		return redirect(w, rq, to)
	}
	if rt.account {
		return nil
	}
	if rq.roles == 0 && rt.roles != 0 {
		return errNoRole // the page says that somebody still has to agree
	}
	if rq.roles&rt.roles == 0 {
		return errForbidden
	}
	if rq.account.MustChange && !strings.HasPrefix(rq.URL.Path, "/me") {
		if rq.Method != http.MethodGet || rt.passive {
			return errForbidden
		}
		return redirect(w, rq, "/me?why=must_change")
	}
	if h.mustEnrol(rq) && !rt.enrol {
		if rq.Method != http.MethodGet || rt.passive {
			return errForbidden
		}
		return redirect(w, rq, "/me/factors")
	}
	if !h.steppedUp(rq, rt.stepUp) {
		next := backOf(rq.URL.Path)
		if rq.Method == http.MethodGet { // the form itself: nothing is typed yet
			next = rq.URL.RequestURI()
		}
		return redirect(w, rq, "/step-up?"+url.Values{"next": {next}}.Encode())
	}
	return nil
}

// backOf is the page whose form leads to a route: what was typed is gone, so people are asked before they type.
func backOf(path string) string {
	if strings.HasPrefix(path, "/corrections/") {
		return "/review"
	}
	if strings.HasPrefix(path, "/me/factors") {
		return "/me/factors"
	}
	if strings.HasPrefix(path, "/me/tokens") {
		return "/me/tokens"
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if id, _, act := strings.Cut(rest, "/"); first == "visits" && act {
		return "/visits/" + id
	}
	if first == "permits" {
		return "/applications"
	}
	return "/" + first
}

func (h *Handler) setupNeeded(ctx context.Context) (bool, error) {
	if h.settled.up() {
		return false, nil
	}
	needed, err := h.src.Setup.SetupNeeded(ctx)
	if err != nil {
		return false, fmt.Errorf("ask for set-up: %w", err)
	}
	if !needed {
		h.settled.raise() // accounts are never deleted, so this cannot come back
	}
	return needed, nil
}

// redirect answers with See Other. Its result ends the chain of the gate, so that callers write
// `return redirect(…)`.
func redirect(w http.ResponseWriter, rq *request, to string) error {
	http.Redirect(w, rq.Request, to, http.StatusSeeOther)
	return errAnswered
}

// remoteAddress is the peer's address without its port.
func remoteAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// localPath returns to when it is a path on this site that a browser cannot read as another one;
// otherwise "/".
func localPath(to string) string {
	if len(to) > 1000 || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return to
}

func attrErr(err error) slog.Attr { return slog.String("error", err.Error()) }
