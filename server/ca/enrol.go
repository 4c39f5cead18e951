package ca

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
)

const (
	// maxBody bounds a request: a CSR and a key are some 600 bytes.
	maxBody = 8 << 10
	// LateRenewal is how long an expired but known gateway may still renew, and nothing else: a device
	// that was off over a long closure must not be lost for good.
	LateRenewal = 90 * 24 * time.Hour
	// tryEvery is the rate of requests that are looked at, from all together; tryBurst may come at once.
	tryEvery = 50 * time.Millisecond
	tryBurst = 50
)

// Granted is what a new gateway is given beside its certificate.
type Granted struct {
	KeysNote  string          `json:"keys_note"`
	RootVKey  string          `json:"root_vkey"`
	Symmetric json.RawMessage `json:"symmetric"`
}

// Grant is what the server is asked to believe.
type Grant struct {
	Gateway string
	NoteKey string // verifier of the gateway's note key
	Replace bool   // another device takes the place: what only the old one and the server know is made anew
}

// EnrolConfig of an Enrolment; every field is required.
type EnrolConfig struct {
	CA       *CA
	Validity time.Duration // of a gateway's certificate
	Now      func() time.Time
	// Grant makes the server believe the note key and gives what the gateway needs. ErrUnknown when
	// the directory has no such gateway. It may be called again with the same key.
	Grant func(ctx context.Context, g Grant) (Granted, error)
	Log   *slog.Logger
}

// Enrolment is the handler of the HTTPS port on which gateways get and renew their identity (D23):
// POST /1/enrol and POST /1/renew, nothing else.
type Enrolment struct {
	cfg EnrolConfig

	mu     sync.Mutex
	tokens float64   // mu; of the rate limit
	filled time.Time // mu
}

// NewEnrolment makes the handler.
func NewEnrolment(cfg EnrolConfig) *Enrolment { return &Enrolment{cfg: cfg, tokens: tryBurst} }

// EnrolTLS is for that port: TLS 1.3; the root is sent along, since a new gateway has only its fingerprint. A client
// certificate is asked for and checked by the handler, which lets an expired one renew.
func (c *CA) EnrolTLS() *tls.Config {
	return c.newest(func(s *certs) *tls.Config {
		cert := s.server
		cert.Certificate = append(append([][]byte(nil), cert.Certificate...), s.root.Raw)
		return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true}
	})
}

type enrolRequest struct {
	Gateway string `json:"gateway"`
	Code    string `json:"code"` // the secret part
	CSR     []byte `json:"csr"`
	NoteKey string `json:"note_key"`
}

type enrolAnswer struct {
	Error       string `json:"error,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"` // while a person has to confirm
	Cert        string `json:"cert,omitempty"`        // PEM, with the issuing certificate
	CA          string `json:"ca,omitempty"`          // PEM
	*Granted
}

// ServeHTTP implements http.Handler.
func (e *Enrolment) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer, err := e.serve(w, r)
	status := http.StatusOK
	switch {
	case err == nil && answer.Fingerprint != "":
		status = http.StatusAccepted
	case err == nil:
	case errors.Is(err, ErrBadRequest):
		status = http.StatusBadRequest
	case errors.Is(err, errTooMany):
		status = http.StatusTooManyRequests
	case errors.Is(err, errNoRoute):
		status = http.StatusNotFound
	case refusal(err):
		status = http.StatusForbidden
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		answer = enrolAnswer{Error: word(err)}
	}
	if err != nil && !errors.Is(err, errNoRoute) { // a gateway that looks who is there is no news
		e.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "identity not given", slog.String("remote", r.RemoteAddr), slog.String("error", err.Error()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a gateway that has gone asks again
}

var (
	errTooMany = errors.New("too_many")
	errNoRoute = errors.New("no_route")
)

func refusal(err error) bool {
	for _, known := range []error{ErrWrongCode, ErrUsedCode, ErrExpiredCode, ErrNoInvite, ErrUnknown, ErrRefused} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// word is the one word of an error that goes out; whatever else it says stays here.
func word(err error) string {
	for _, known := range []error{ErrWrongCode, ErrUsedCode, ErrExpiredCode, ErrNoInvite, ErrUnknown, ErrRefused, ErrBadRequest, errTooMany, errNoRoute} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "internal"
}

func (e *Enrolment) serve(w http.ResponseWriter, r *http.Request) (enrolAnswer, error) {
	if r.Method != http.MethodPost || r.URL.Path != "/1/enrol" && r.URL.Path != "/1/renew" {
		return enrolAnswer{}, errNoRoute
	}
	if !e.admit() {
		return enrolAnswer{}, errTooMany
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return enrolAnswer{}, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	var q enrolRequest
	dec := json.NewDecoder(strings.NewReader(string(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&q); err != nil {
		return enrolAnswer{}, fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	if r.URL.Path == "/1/renew" {
		return e.renew(r, &q)
	}
	return e.enrol(r.Context(), &q)
}

// admit is one token bucket for all: there is no second enrolment worth flooding for.
func (e *Enrolment) admit() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	e.tokens = min(tryBurst, e.tokens+float64(now.Sub(e.filled))/float64(tryEvery))
	e.filled = now
	if e.tokens < 1 {
		return false
	}
	e.tokens--
	return true
}

// enrol: code, then a person's confirmation, then the identity. Until the last nothing is believed.
func (e *Enrolment) enrol(ctx context.Context, q *enrolRequest) (enrolAnswer, error) {
	if !validName(q.Gateway) || q.Gateway == ServerName {
		return enrolAnswer{}, fmt.Errorf("%w: no gateway's name", ErrBadRequest)
	}
	secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(q.Code)
	if err != nil || len(secret) != secretSize {
		return enrolAnswer{}, fmt.Errorf("%s: %w", q.Gateway, ErrWrongCode)
	}
	csr, err := checkCSR(q.CSR, q.Gateway)
	if err != nil {
		return enrolAnswer{}, fmt.Errorf("%s: %w", q.Gateway, err)
	}
	if v, err := note.NewVerifier(q.NoteKey); err != nil || v.Name() != "monban/"+e.cfg.CA.site+"/gw/"+q.Gateway {
		return enrolAnswer{}, fmt.Errorf("%s: %w: not this gateway's note key", q.Gateway, ErrBadRequest)
	}
	now := e.cfg.Now()
	in, err := e.cfg.CA.claim(q.Gateway, secret, Request{CSR: q.CSR, NoteKey: q.NoteKey, Fingerprint: Fingerprint(q.CSR, q.NoteKey)}, now)
	if err != nil {
		return enrolAnswer{}, fmt.Errorf("%s: %w", q.Gateway, err)
	}
	if !in.Confirmed {
		return enrolAnswer{Fingerprint: in.Request.Fingerprint}, nil
	}
	if in.Replace && !in.Granted {
		// crash point 1: the old device is refused, the new one not there yet; it asks again.
		gone := Event{Verb: "gateway_denied", Gateway: q.Gateway, Reason: "replaced", At: now}
		if _, err := e.cfg.CA.refuse(gone, false); err != nil && !errors.Is(err, ErrNoCertificate) { // the first one in this place
			return enrolAnswer{}, err
		}
	}
	granted, err := e.cfg.Grant(ctx, Grant{Gateway: q.Gateway, NoteKey: q.NoteKey, Replace: in.Replace && !in.Granted})
	if err != nil {
		return enrolAnswer{}, fmt.Errorf("%s: %w", q.Gateway, err)
	}
	cert, _, err := e.cfg.CA.issueFor(q.Gateway, csr.PublicKey, e.cfg.Validity, now)
	if err != nil {
		return enrolAnswer{}, err
	}
	// crash point 2: believed, nothing sent or noted: the same request is granted again.
	if !in.Granted {
		if err := errors.Join(e.cfg.CA.granted(q.Gateway), e.cfg.CA.Note(Event{Verb: "gateway_enrolled", Gateway: q.Gateway, At: now})); err != nil {
			return enrolAnswer{}, err
		}
	}
	return enrolAnswer{Cert: string(cert), CA: string(e.cfg.CA.RootPEM()), Granted: &granted}, nil
}

// renew gives a known gateway a certificate for a new key.
func (e *Enrolment) renew(r *http.Request, q *enrolRequest) (enrolAnswer, error) {
	now := e.cfg.Now()
	id, err := e.known(r.TLS, now)
	if err != nil {
		return enrolAnswer{}, err
	}
	csr, err := checkCSR(q.CSR, id)
	if err != nil {
		return enrolAnswer{}, fmt.Errorf("%s: %w", id, err)
	}
	cert, serial, err := e.cfg.CA.issueFor(id, csr.PublicKey, e.cfg.Validity, now)
	if err != nil {
		return enrolAnswer{}, err
	}
	e.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "certificate renewed", slog.String("gateway", id), slog.String("serial", serial))
	if err := e.cfg.CA.Note(Event{Verb: "gateway_renewed", Gateway: id, At: now}); err != nil {
		return enrolAnswer{}, err
	}
	return enrolAnswer{Cert: string(cert), CA: string(e.cfg.CA.RootPEM())}, nil
}

// known checks the client's certificate: of this site, issued to this gateway, not refused, and in force or
// expired for at most LateRenewal.
func (e *Enrolment) known(state *tls.ConnectionState, now time.Time) (string, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return "", fmt.Errorf("%w: no client certificate", ErrRefused)
	}
	leaf, c := state.PeerCertificates[0], e.cfg.CA
	id, serial := leaf.Subject.CommonName, leaf.SerialNumber.Text(16)
	at := now
	if now.After(leaf.NotAfter) && now.Sub(leaf.NotAfter) <= LateRenewal {
		at = leaf.NotAfter.Add(-time.Second)
	}
	if err := c.held().verify(state.PeerCertificates, at, x509.ExtKeyUsageClientAuth); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if err := c.admits(id, serial); err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if !validName(id) || id == ServerName || !c.wasIssued(serial, id) {
		return "", fmt.Errorf("%w: this certificate was not issued to a gateway here", ErrRefused)
	}
	return id, nil
}

// checkCSR takes a signed request for this name with a key of a kind that gateways make.
func checkCSR(der []byte, id string) (*x509.CertificateRequest, error) {
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: not a certificate request", ErrBadRequest)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: the request is not signed by its own key", ErrBadRequest)
	}
	if csr.Subject.CommonName != id {
		return nil, fmt.Errorf("%w: the request is for another name", ErrBadRequest)
	}
	switch k := csr.PublicKey.(type) {
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, fmt.Errorf("%w: a key of less than 256 bits", ErrBadRequest)
		}
	case ed25519.PublicKey:
	default:
		return nil, fmt.Errorf("%w: a key of kind %T", ErrBadRequest, csr.PublicKey)
	}
	return csr, nil
}

// NewEnrolServer makes the HTTPS server of that port.
func NewEnrolServer(h *Enrolment, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, TLSConfig: h.cfg.CA.EnrolTLS(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: 20 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}
