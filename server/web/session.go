package web

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"
)

// Keys of the values in a session.
const (
	keyAccount = "account"
	keySeen    = "seen" // RFC 3339, when a person last acted
	keyBegan   = "began"
	keyAddress = "address"
	keyAgent   = "agent"
	keyHow     = "how"      // how the login was proved
	keyProved  = "proved"   // RFC 3339, when identity was last checked (D28)
	keyStepHow = "step_how" // and how
)

// touchEvery is how stale the time of last activity may be: each touch is a database commit. The
// idle limit is therefore kept up to one minute early, never late.
const touchEvery = time.Minute

// newSessions sets scs up: hashed tokens in our own table, a cookie that no script reads and no
// other site sends.
func newSessions(cfg Config, src Sessions) *scs.SessionManager {
	// Not scs.New: it starts a goroutine for a store in memory that would never be used or stopped.
	m := &scs.SessionManager{IdleTimeout: cfg.Idle, Lifetime: cfg.Absolute, HashTokenInStore: true,
		Codec: sessionCodec{}, Store: sessionStore{src}}
	m.Cookie.Name = "monban_session"
	m.Cookie.Secure = cfg.TLS
	if cfg.TLS {
		m.Cookie.Name = "__Host-monban_session"
	}
	m.Cookie.HttpOnly = true
	m.Cookie.SameSite = http.SameSiteStrictMode
	m.Cookie.Path = "/"
	m.Cookie.Persist = false // gone with the browser
	return m
}

// begin starts a session for an account that has just proved itself. A session that was there
// before ends first, so that its token is never reused.
func (h *Handler) begin(w http.ResponseWriter, rq *request, a Account, how string) error {
	ctx := rq.Context()
	if h.sessions.Token(ctx) != "" {
		if err := h.sessions.Destroy(ctx); err != nil {
			return fmt.Errorf("end old session: %w", err)
		}
	}
	h.sessions.Put(ctx, keyAccount, a.ID)
	h.sessions.Put(ctx, keySeen, rq.now.Format(time.RFC3339Nano))
	h.sessions.Put(ctx, keyBegan, rq.now.Format(time.RFC3339Nano))
	h.sessions.Put(ctx, keyAddress, rq.address)
	h.sessions.Put(ctx, keyAgent, clip(rq.UserAgent(), 200))
	h.sessions.Put(ctx, keyHow, how)
	h.prove(rq, how)
	token, expires, err := h.sessions.Commit(ctx)
	if err != nil {
		return fmt.Errorf("store session: %w", err)
	}
	h.sessions.WriteSessionCookie(ctx, w, token, expires)
	w.Header().Set("Cache-Control", "no-store") // scs adds a weaker one
	return nil
}

// prove marks the session: who acts has just been checked. The caller commits.
func (h *Handler) prove(rq *request, how string) {
	h.sessions.Put(rq.Context(), keyProved, rq.now.Format(time.RFC3339Nano))
	h.sessions.Put(rq.Context(), keyStepHow, how)
}

// touch moves the idle limit because a person acted.
func (h *Handler) touch(rq *request) error {
	ctx := rq.Context()
	seen, err := time.Parse(time.RFC3339Nano, h.sessions.GetString(ctx, keySeen))
	if err == nil && rq.now.Sub(seen) < touchEvery {
		return nil
	}
	h.sessions.Put(ctx, keySeen, rq.now.Format(time.RFC3339Nano))
	if _, _, err := h.sessions.Commit(ctx); err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// endSession removes the session here and in the browser.
func (h *Handler) endSession(w http.ResponseWriter, rq *request) error {
	ctx := rq.Context()
	if err := h.sessions.Destroy(ctx); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	h.sessions.WriteSessionCookie(ctx, w, "", time.Time{})
	w.Header().Set("Cache-Control", "no-store")
	return nil
}

// tokenHash is how scs names a session in the store (HashTokenInStore, scs 2.9.0).
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sessionStore is scs's store over ours.
type sessionStore struct{ src Sessions }

// errNoContext: scs only uses these forms when the Ctx forms are missing.
var errNoContext = errors.New("BUG: session store called without a context")

func (sessionStore) Delete(string) error                    { return errNoContext }
func (sessionStore) Find(string) ([]byte, bool, error)      { return nil, false, errNoContext }
func (sessionStore) Commit(string, []byte, time.Time) error { return errNoContext }

func (s sessionStore) DeleteCtx(ctx context.Context, hash string) error {
	return s.src.DeleteSession(ctx, hash)
}

func (s sessionStore) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	row, err := s.src.FindSession(ctx, hash)
	if errors.Is(err, ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return row.Data, true, nil
}

func (s sessionStore) CommitCtx(ctx context.Context, hash string, data []byte, expires time.Time) error {
	var d sessionData
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("session data: %w", err)
	}
	began, _ := time.Parse(time.RFC3339Nano, d.Values[keyBegan])
	seen, _ := time.Parse(time.RFC3339Nano, d.Values[keySeen])
	return s.src.SaveSession(ctx, Session{
		TokenHash: hash, Account: d.Values[keyAccount], Data: data,
		Created: began, Seen: seen, Expires: expires,
		Address: d.Values[keyAddress], Agent: d.Values[keyAgent],
	})
}

// sessionData is what is stored: strings only, so that nothing but JSON is ever decoded.
type sessionData struct {
	Deadline time.Time         `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// sessionCodec implements scs.Codec; its `interface{}` is scs's.
type sessionCodec struct{}

func (sessionCodec) Encode(deadline time.Time, values map[string]interface{}) ([]byte, error) {
	d := sessionData{Deadline: deadline, Values: make(map[string]string, len(values))}
	for k, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("session value %q is no string", k)
		}
		d.Values[k] = s
	}
	return json.Marshal(d)
}

func (sessionCodec) Decode(b []byte) (time.Time, map[string]interface{}, error) {
	var d sessionData
	if err := json.Unmarshal(b, &d); err != nil {
		return time.Time{}, nil, fmt.Errorf("session data: %w", err)
	}
	values := make(map[string]interface{}, len(d.Values))
	for k, v := range d.Values {
		values[k] = v
	}
	return d.Deadline, values, nil
}

// clip shortens s to at most n bytes without cutting a character. Not for names.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
