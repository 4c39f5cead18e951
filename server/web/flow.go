package web

import (
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"monban/firmware/access"

	"github.com/go-webauthn/webauthn/webauthn"
)

const (
	// flowLife is how long a sign-in may stand half-way: time to fetch a phone.
	flowLife = 5 * time.Minute
	// maxFlows bounds the memory that unfinished sign-ins take; an address gets few of them a minute.
	maxFlows = 10_000
)

// flowKind keeps one kind of half-way state from being used as another.
type flowKind uint8

const (
	flowNone     flowKind = iota
	flowSecond            // the password was right, the second factor is still missing
	flowPasskey           // a challenge of a passkey
	flowProvider          // on the way to a provider and back
	flowTOTP              // a secret that was shown and not yet confirmed
	flowDesk              // a page that waits for card and PIN at a desk reader
)

// flow is one half-way state. It lives in memory only: a restart means beginning again.
type flow struct {
	kind     flowKind
	account  string // "" = not known yet
	method   string // what was proved already
	next     string
	until    time.Time
	tries    int
	stepUp   bool // for step-up in a session, not for a login
	session  *webauthn.SessionData
	provider ProviderAttempt
	secret   []byte
	desk     access.DoorID // of a sign-in at a desk reader
	ticket   string
	person   string    // proved there; the account is still to be chosen
	proved   time.Time // when that was
}

// flows are half-way states by their random names, which stand in a cookie.
type flows struct {
	mu sync.Mutex
	by map[string]flow
}

func newFlows() *flows { return &flows{by: make(map[string]flow)} }

// put keeps f under a new name. ErrBusy when there are too many.
func (s *flows) put(f flow, now time.Time) (string, error) {
	id := rand.Text()
	return id, s.set(id, f, now)
}

func (s *flows) set(id string, f flow, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.by) >= maxFlows {
		for k, old := range s.by {
			if !now.Before(old.until) {
				delete(s.by, k)
			}
		}
		if len(s.by) >= maxFlows {
			return ErrBusy
		}
	}
	f.until = now.Add(flowLife)
	s.by[id] = f
	return nil
}

// get looks at a state of this kind without using it up.
func (s *flows) get(id string, kind flowKind, now time.Time) (flow, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, ok := s.by[id]
	if !ok || kind == flowNone || f.kind != kind || !now.Before(f.until) {
		return flow{}, false
	}
	return f, true
}

// take uses a state of this kind up: a challenge is good for one answer.
func (s *flows) take(id string, kind flowKind, now time.Time) (flow, bool) {
	f, ok := s.get(id, kind, now)
	s.drop(id)
	return f, ok
}

func (s *flows) drop(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.by, id)
}

// Cookies of half-way states. They are apart from the session: a second tab's passkey must not end a first one's
// password.
const (
	secondCookie   = "monban_second"
	passkeyCookie  = "monban_passkey"
	providerCookie = "monban_provider"
)

func (h *Handler) flowCookieName(name string) string {
	if h.cfg.TLS {
		return "__Host-" + name
	}
	return name
}

func (h *Handler) setFlow(w http.ResponseWriter, rq *request, cookie string, f flow) error {
	id, err := h.flows.put(f, rq.now)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{Name: h.flowCookieName(cookie), Value: id, Path: "/", MaxAge: int(flowLife / time.Second),
		HttpOnly: true, Secure: h.cfg.TLS, SameSite: http.SameSiteStrictMode})
	return nil
}

// flowID is the name that came in the cookie; "" = none.
func (h *Handler) flowID(rq *request, cookie string) string {
	c, err := rq.Cookie(h.flowCookieName(cookie))
	if err != nil || len(c.Value) > 64 {
		return ""
	}
	return c.Value
}

func (h *Handler) endFlow(w http.ResponseWriter, rq *request, cookie string) {
	h.flows.drop(h.flowID(rq, cookie))
	http.SetCookie(w, &http.Cookie{Name: h.flowCookieName(cookie), Path: "/", MaxAge: -1, HttpOnly: true, Secure: h.cfg.TLS,
		SameSite: http.SameSiteStrictMode})
}

// errFlowOver: the half-way state is gone; the person begins again.
var errFlowOver = errors.New("sign-in took too long, or was finished already")
