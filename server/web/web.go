// Package web serves monban's pages: server-rendered HTML that works without script, in Japanese
// and English.
//
// It must never open a door, never decide about one, and never show a card number or a PIN. What it
// shows comes from the small interfaces in source.go, which server/app joins to the store; what a
// person does here becomes an action leaf of the log (RA-4), in the same transaction as the change.
// If the leaf cannot be written, the change does not happen and the personal data is not shown.
//
// Every path is listed in routes.go with the roles that may use it; everything else is 403 (RA-1).
package web

import (
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/go-webauthn/webauthn/webauthn"
)

//go:embed templates/*.html catalogue/*.toml static openapi.json
var files embed.FS

// Limits of a login session; both are settings.
const (
	// DefaultIdle ends a session on which nobody acted: long enough for a phone call at the
	// counter, short enough for a desk left at lunch.
	DefaultIdle = 15 * time.Minute
	// DefaultAbsolute ends every session once a shift is surely over.
	DefaultAbsolute = 12 * time.Hour
)

// Config is what the pages need to know about the installation.
type Config struct {
	Site     string         // site name in the heading, any Unicode
	Zone     *time.Location // the site's time zone; nil is refused
	ZoneName string         // shown in the footer, e.g. "Asia/Tokyo"
	// TLS says that pages are reached by HTTPS: cookies become Secure and __Host-. False only on
	// loopback (D30).
	TLS      bool
	Idle     time.Duration // 0 = DefaultIdle; 1 min – 12 h
	Absolute time.Duration // 0 = DefaultAbsolute; ≥ Idle
	// MaskKey makes the tokens that stand for people on masked pages; 32 bytes. Empty = random, so
	// that tokens change at each start.
	MaskKey []byte
	// Cost is the price of one password check; the zero value means DefaultCost. Tests lower it.
	Cost Cost
	// Throttle limits login tries; the zero value means DefaultThrottle.
	Throttle Throttle
	// SecondFactor is the set of roles whose accounts need a second factor: until it is set up, nothing but its
	// set-up is open to them (RA-3). The zero value asks nobody; server/config has a default that asks.
	SecondFactor RoleSet
	// PasswordStepUp lets the password alone be the fresh check of an account that has no second factor (D28 does
	// not). For demos and tests.
	PasswordStepUp bool
	StepUp         time.Duration // how long a fresh check of identity holds; 0 = DefaultStepUp; ≤ Absolute
	// PublicURL is how browsers reach the pages, "https://name[:port]" or "http://localhost[:port]". Passkeys are
	// bound to its host name. "" = no passkeys, no provider.
	PublicURL string
	Directory Directory // nil = none
	Provider  Provider  // nil = none
	// EventWrite is how long one write to a live client may take before it is dropped; 0 = 5 s.
	EventWrite time.Duration
	// EventTick is how often a live client without news is told that the data is still fresh and
	// its session is checked again; 0 = 5 s.
	EventTick time.Duration
	Log       *slog.Logger // nil = discarded
}

// Handler serves all pages. Safe for concurrent use.
type Handler struct {
	cfg      Config
	src      Sources
	log      *slog.Logger
	sessions *scs.SessionManager
	pages    map[string]*page
	words    map[Lang]catalogue
	hub      *hub
	account  *buckets // login tries per account name
	address  *buckets // login tries per address
	hashing  chan struct{}
	refused  *buckets // refused tokens per address
	decoy    string   // PHC string checked when the account is unknown, so that the answer takes as long
	assets   string   // version of the static files, part of their addresses
	statics  fs.FS
	settled  flag     // set-up is over, no need to ask again
	second   *buckets // tries of second factors per account id
	flows    *flows
	drafts   drafts             // receptions that were begun
	passkeys *webauthn.WebAuthn // nil = none
	rp       string             // host name that passkeys are made for
	root     http.Handler
}

// New joins the pages to their sources. It fails when a source is missing, a setting is out of
// range, or a template or catalogue does not parse.
func New(cfg Config, src Sources) (*Handler, error) {
	if err := errors.Join(cfg.complete(), src.validate()); err != nil {
		return nil, fmt.Errorf("web settings: %w", err)
	}
	h := &Handler{cfg: cfg, src: src, log: cfg.Log, hub: newHub()}
	var err error
	if h.words, err = ownWords(); err != nil {
		return nil, err
	}
	if h.pages, err = ownPages(); err != nil {
		return nil, err
	}
	if h.statics, err = fs.Sub(files, "static"); err != nil {
		return nil, fmt.Errorf("static files: %w", err)
	}
	if h.assets, err = assetVersion(h.statics); err != nil {
		return nil, err
	}
	// Two at a time: each check takes 64 MiB, and a flood of tries must not take the machine's memory.
	h.hashing = make(chan struct{}, 2)
	if h.decoy, err = HashPassword(rand.Text(), cfg.Cost); err != nil {
		return nil, err
	}
	h.account = newBuckets(cfg.Throttle.AccountBurst, cfg.Throttle.AccountEvery)
	h.address = newBuckets(cfg.Throttle.AddressBurst, cfg.Throttle.AddressEvery)
	// Six digits are guessed sooner than twelve characters: a quarter of the tries.
	h.second = newBuckets(cfg.Throttle.AccountBurst, 4*cfg.Throttle.AccountEvery)
	h.flows = newFlows()
	if h.passkeys, h.rp, err = newPasskeys(cfg); err != nil {
		return nil, err
	}
	h.refused = newBuckets(cfg.Throttle.AddressBurst, cfg.Throttle.AddressEvery)
	h.sessions = newSessions(cfg, src.Sessions)
	h.root = h.build(routes())
	return h, nil
}

// complete fills in defaults and refuses what is out of range.
func (c *Config) complete() error {
	var errs []error
	if c.Zone == nil {
		errs = append(errs, errors.New("zone: no time zone"))
	}
	if c.Idle == 0 {
		c.Idle = DefaultIdle
	}
	if c.Absolute == 0 {
		c.Absolute = DefaultAbsolute
	}
	if c.Idle < time.Minute || c.Absolute < c.Idle {
		errs = append(errs, fmt.Errorf("idle %v, absolute %v: want 1m ≤ idle ≤ absolute", c.Idle, c.Absolute))
	}
	if c.StepUp == 0 {
		c.StepUp = DefaultStepUp
	}
	if c.StepUp < time.Minute || c.StepUp > c.Absolute {
		errs = append(errs, fmt.Errorf("step-up %v: want 1m to %v", c.StepUp, c.Absolute))
	}
	if len(c.MaskKey) == 0 {
		c.MaskKey = make([]byte, 32)
		rand.Read(c.MaskKey)
	}
	if c.Cost == (Cost{}) {
		c.Cost = DefaultCost
	}
	if c.Throttle == (Throttle{}) {
		c.Throttle = DefaultThrottle
	}
	if c.EventWrite == 0 {
		c.EventWrite = 5 * time.Second
	}
	if c.EventTick == 0 {
		c.EventTick = 5 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.root.ServeHTTP(w, r) }

// Notify tells the live pages that the log has grown. It is called after COMMIT, never blocks, and
// may be called too often: clients read the log itself.
func (h *Handler) Notify() { h.hub.notify() }

// Close ends all live streams, so that http.Server.Shutdown does not wait for them.
func (h *Handler) Close() { h.hub.close() }

// Streams is the number of live clients connected now.
func (h *Handler) Streams() int { return h.hub.streams() }
