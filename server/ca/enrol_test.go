package ca

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// hall is an authority with its enrolment and a clock.
type hall struct {
	*testing.T
	ca  *CA
	e   *Enrolment
	now time.Time
}

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{T: t, now: time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	var err error
	if h.ca, err = Create(t.TempDir()+"/ca", Options{Site: "hall", Now: h.now}); err != nil {
		t.Fatal(err)
	}
	h.e = NewEnrolment(EnrolConfig{
		CA: h.ca, Validity: DefaultValidity, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler),
		Grant: func(_ context.Context, g Grant) (Granted, error) {
			if g.Gateway == "gw-none" {
				return Granted{}, ErrUnknown
			}
			return Granted{KeysNote: "k", RootVKey: "r", Symmetric: json.RawMessage(`{}`)}, nil
		},
	})
	return h
}

// device is a gateway's keys.
type device struct {
	id, vkey string
	key      *ecdsa.PrivateKey
	csr      []byte
	chain    []*x509.Certificate
}

func (h *hall) device(id string) *device {
	h.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.Fatal(err)
	}
	d := &device{id: id, key: key}
	if d.csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: id}}, key); err != nil {
		h.Fatal(err)
	}
	if _, d.vkey, err = note.GenerateKey(rand.Reader, "monban/hall/gw/"+id); err != nil {
		h.Fatal(err)
	}
	return d
}

// post gives status and answer of one request; with a certificate the device shows it.
func (h *hall) post(path string, d *device, body any) (int, enrolAnswer) {
	h.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		h.Fatal(err)
	}
	r := httptest.NewRequestWithContext(h.Context(), http.MethodPost, path, bytes.NewReader(b))
	r.TLS = &tls.ConnectionState{}
	if d != nil {
		r.TLS.PeerCertificates = d.chain
	}
	w := httptest.NewRecorder()
	h.e.ServeHTTP(w, r)
	var a enrolAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		h.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Code, a
}

func (h *hall) take(d *device, pem string) {
	h.Helper()
	cert, err := tls.X509KeyPair([]byte(pem), mustKey(h.T, d.key))
	if err != nil {
		h.Fatal(err)
	}
	d.chain = nil
	for _, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			h.Fatal(err)
		}
		d.chain = append(d.chain, c)
	}
}

func mustKey(t *testing.T, k *ecdsa.PrivateKey) []byte {
	t.Helper()
	p, err := keyPEM(k)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func secretOf(t *testing.T, code string) string {
	t.Helper()
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ReplaceAll(code, "-", ""))
	if err != nil || len(b) != secretSize+pinSize {
		t.Fatalf("code of %d bytes, %v", len(b), err)
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:secretSize])
}

// enrolled takes a device through code, confirmation and identity.
func (h *hall) enrolled(id string) *device {
	h.Helper()
	d := h.device(id)
	code, err := h.ca.Invite(id, By{User: "op"}, "new", InviteLife, false, h.now)
	if err != nil {
		h.Fatal(err)
	}
	q := enrolRequest{Gateway: id, Code: secretOf(h.T, code), CSR: d.csr, NoteKey: d.vkey}
	h.e.tokens = tryBurst
	if status, a := h.post("/1/enrol", nil, q); status != http.StatusAccepted || a.Fingerprint != Fingerprint(d.csr, d.vkey) || a.Granted != nil {
		h.Fatalf("before the confirmation: %d %+v", status, a)
	}
	if err := h.ca.Confirm(id, Fingerprint(d.csr, d.vkey), By{User: "op"}, h.now); err != nil {
		h.Fatal(err)
	}
	status, a := h.post("/1/enrol", nil, q)
	if status != http.StatusOK || a.Granted == nil || a.Cert == "" {
		h.Fatalf("after it: %d %+v", status, a)
	}
	h.take(d, a.Cert)
	return d
}

func (h *hall) renew(d *device) (int, enrolAnswer) {
	h.Helper()
	h.e.tokens = tryBurst
	return h.post("/1/renew", d, enrolRequest{CSR: d.csr})
}

// OP-3: every way to be refused, each with its word; nothing is given and nobody is believed.
func TestEnrolTable(t *testing.T) {
	h := newHall(t)
	code, err := h.ca.Invite("gw-1", By{User: "op"}, "new", InviteLife, false, h.now)
	if err != nil {
		t.Fatal(err)
	}
	d, other := h.device("gw-1"), h.device("gw-2")
	good := enrolRequest{Gateway: "gw-1", Code: secretOf(t, code), CSR: d.csr, NoteKey: d.vkey}
	with := func(change func(*enrolRequest)) enrolRequest { q := good; change(&q); return q }
	broken := bytes.Clone(d.csr)
	broken[len(broken)-1] ^= 1
	for _, c := range []struct {
		name   string
		q      enrolRequest
		status int
		want   string
	}{
		{"not invited", with(func(q *enrolRequest) { q.Gateway, q.CSR, q.NoteKey = "gw-2", other.csr, other.vkey }), 403, "no_invite"},
		{"wrong code", with(func(q *enrolRequest) { q.Code = strings.Repeat("A", 26) }), 403, "wrong_code"},
		{"no code", with(func(q *enrolRequest) { q.Code = "" }), 403, "wrong_code"},
		{"request for another name", with(func(q *enrolRequest) { q.CSR = other.csr }), 400, "bad_request"},
		{"note key of another name", with(func(q *enrolRequest) { q.NoteKey = other.vkey }), 400, "bad_request"},
		{"garbage for a request", with(func(q *enrolRequest) { q.CSR = []byte("x") }), 400, "bad_request"},
		{"request signed by nobody", with(func(q *enrolRequest) { q.CSR = broken }), 400, "bad_request"},
		{"the server's own name", with(func(q *enrolRequest) { q.Gateway = ServerName }), 400, "bad_request"},
		{"a path for a name", with(func(q *enrolRequest) { q.Gateway = "../x" }), 400, "bad_request"},
	} {
		if status, a := h.post("/1/enrol", nil, c.q); status != c.status || a.Error != c.want || a.Cert != "" || a.Granted != nil {
			t.Errorf("%s: %d %+v, want %d %s", c.name, status, a, c.status, c.want)
		}
	}
	if status, _ := h.post("/1/enrol", nil, good); status != http.StatusAccepted {
		t.Errorf("the right one: %d", status)
	}
	thief := h.device("gw-1")
	if status, a := h.post("/1/enrol", nil, with(func(q *enrolRequest) { q.CSR, q.NoteKey = thief.csr, thief.vkey })); status != 403 || a.Error != "used_code" {
		t.Errorf("a second gateway with the code: %d %+v", status, a)
	}
	h.now = h.now.Add(InviteLife + time.Second)
	if status, a := h.post("/1/enrol", nil, good); status != 403 || a.Error != "expired_code" {
		t.Errorf("late: %d %+v", status, a)
	}
	if err := h.ca.Confirm("gw-1", Fingerprint(d.csr, d.vkey), By{User: "op"}, h.now); err == nil {
		t.Error("an expired code was confirmed")
	}
	for range mostWrong + 1 {
		h.e.tokens = tryBurst
		h.post("/1/enrol", nil, with(func(q *enrolRequest) { q.Code = strings.Repeat("B", 26) }))
	}
	h.now = h.now.Add(-InviteLife)
	if _, a := h.post("/1/enrol", nil, good); a.Error != "expired_code" {
		t.Errorf("after %d wrong codes the right one still counts: %+v", mostWrong, a)
	}
}

// A running gateway renews; who is denied, foreign or too long expired does not.
func TestRenewTable(t *testing.T) {
	h := newHall(t)
	d := h.enrolled("gw-1")
	first := d.chain[0].SerialNumber
	h.now = h.now.Add(8 * 24 * time.Hour)
	status, a := h.renew(d)
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, a)
	}
	h.take(d, a.Cert)
	if d.chain[0].SerialNumber.Cmp(first) == 0 || d.chain[0].NotAfter.Sub(h.now) < DefaultValidity-time.Minute {
		t.Errorf("renewed until %v", d.chain[0].NotAfter)
	}
	foreign := newHall(t).enrolled("gw-1")
	for name, x := range map[string]*device{"no certificate": {id: "gw-1", csr: d.csr}, "another site's": foreign} {
		x.csr = d.csr
		if status, a := h.renew(x); status != 403 || a.Error != "refused" {
			t.Errorf("%s: %d %+v", name, status, a)
		}
	}
	server := &device{csr: d.csr, chain: []*x509.Certificate{h.ca.held().server.Leaf, h.ca.held().issuing}}
	if status, _ := h.renew(server); status != 403 {
		t.Errorf("the server's own certificate renews a gateway's: %d", status)
	}
	if status, a := h.post("/1/renew", d, enrolRequest{CSR: h.device("gw-2").csr}); status != 400 {
		t.Errorf("a request for another name: %d %+v", status, a)
	}
	end := d.chain[0].NotAfter
	h.now = end.Add(LateRenewal - time.Minute)
	if status, a := h.renew(d); status != http.StatusOK {
		t.Errorf("89 days late: %d %+v", status, a)
	}
	h.now = end.Add(LateRenewal + time.Minute)
	if status, _ := h.renew(d); status != 403 {
		t.Errorf("over 90 days late: %d", status)
	}
	h.now = end.Add(-time.Hour)
	if _, err := h.ca.DenyGateway("gw-1", h.now); err != nil {
		t.Fatal(err)
	}
	if status, _ := h.renew(d); status != 403 {
		t.Errorf("denied: %d", status)
	}
}

// OP-3: who is denied while the code still holds cannot enrol again with the confirmed request.
func TestDeniedCannotEnrolAgain(t *testing.T) {
	h := newHall(t)
	d := h.device("gw-1")
	code, err := h.ca.Invite("gw-1", By{User: "op"}, "new", MostInviteLife, false, h.now)
	if err != nil {
		t.Fatal(err)
	}
	q := enrolRequest{Gateway: "gw-1", Code: secretOf(t, code), CSR: d.csr, NoteKey: d.vkey}
	h.post("/1/enrol", nil, q)
	if err := h.ca.Confirm("gw-1", Fingerprint(d.csr, d.vkey), By{User: "op"}, h.now); err != nil {
		t.Fatal(err)
	}
	if status, _ := h.post("/1/enrol", nil, q); status != http.StatusOK {
		t.Fatalf("not enrolled: %d", status)
	}
	if _, err := h.ca.Refuse("gw-1", "op", "stolen", h.now); err != nil {
		t.Fatal(err)
	}
	if status, a := h.post("/1/enrol", nil, q); status != 403 || a.Error != "no_invite" || a.Cert != "" {
		t.Errorf("after it was denied: %d %+v", status, a)
	}
}

// Goal 29 without the roll-over: 100 gateways through a 15-day outage, none of them lost.
func TestFifteenDaysAway(t *testing.T) {
	h := newHall(t)
	var all []*device
	for i := range 100 {
		all = append(all, h.enrolled("gw-"+string(rune('a'+i/26))+string(rune('a'+i%26))))
	}
	h.now = h.now.Add(15 * 24 * time.Hour)
	for _, d := range all {
		if status, a := h.renew(d); status != http.StatusOK {
			t.Errorf("%s: %d %+v", d.id, status, a)
		}
	}
}

// Two processes and many goroutines on the same invites: one request wins, nothing is torn.
func TestInvitesTogether(t *testing.T) {
	h := newHall(t)
	second, err := Open(h.ca.dir, h.now)
	if err != nil {
		t.Fatal(err)
	}
	code, err := h.ca.Invite("gw-1", By{User: "op"}, "x", InviteLife, false, h.now)
	if err != nil {
		t.Fatal(err)
	}
	secret, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secretOf(t, code))
	var won sync.Map
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			c := []*CA{h.ca, second}[i%2]
			if _, err := c.claim("gw-1", secret, Request{CSR: []byte{byte(i)}, NoteKey: "k"}, h.now); err == nil {
				won.Store(i, true)
			}
			_ = c.Note(Event{Verb: "gateway_renewed", Gateway: "gw-1", At: h.now})
		})
	}
	wg.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d requests have one code", n)
	}
	logged := 0
	if err := h.ca.Drain(func(e []Event) error { logged = len(e); return nil }); err != nil || logged != 21 {
		t.Errorf("%d events, %v", logged, err)
	}
	if err := h.ca.Drain(func([]Event) error { t.Error("drained twice"); return nil }); err != nil {
		t.Error(err)
	}
}

// A reason that no leaf would take is made one that it does, so that it holds up no later event (RA-4).
func TestNoteMakesReasonsPlain(t *testing.T) {
	h := newHall(t)
	for _, reason := range []string{strings.Repeat("長い", 5000), "a\x00b\nc\x7f", "\xff\xfe", "盗難：髙橋"} {
		if err := h.ca.Note(Event{Verb: "gateway_denied", Gateway: "gw-1", By: By{User: "op"}, Reason: reason, At: h.now}); err != nil {
			t.Fatal(err)
		}
	}
	err := h.ca.Drain(func(events []Event) error {
		for _, e := range events {
			if len(e.Reason) > maxReason || !utf8.ValidString(e.Reason) || strings.ContainsAny(e.Reason, "\x00\n\x7f") {
				t.Errorf("%q", e.Reason)
			}
		}
		if len(events) != 4 || events[3].Reason != "盗難：髙橋" {
			t.Errorf("%d events", len(events))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// No body, however made, gives a certificate or ends the server.
func FuzzEnrolBody(f *testing.F) {
	dir := f.TempDir()
	now := time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)
	authority, err := Create(dir+"/ca", Options{Site: "hall", Now: now})
	if err != nil {
		f.Fatal(err)
	}
	e := NewEnrolment(EnrolConfig{
		CA: authority, Validity: DefaultValidity, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		Grant: func(context.Context, Grant) (Granted, error) { return Granted{}, nil },
	})
	for _, s := range []string{`{"gateway":"gw-1","code":"AAAAAAAAAAAAAAAAAAAAAAAAAA","csr":"AAAA","note_key":"x"}`, `{}`, `{"csr":"MIIB"}`, `[`, ``} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, renew bool) {
		path := "/1/enrol"
		if renew {
			path = "/1/renew"
		}
		e.tokens = tryBurst
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body)))
		if w.Code < 400 || strings.Contains(w.Body.String(), "CERTIFICATE") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
