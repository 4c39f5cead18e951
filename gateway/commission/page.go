package commission

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// PageLife is how long the page is open at most.
	PageLife = time.Hour
	// wrongCodes close the page: nobody guesses one of 10^8 numbers with five tries.
	wrongCodes = 5
	cookieName = "__Host-monban"
)

// Page is the guide on a tablet beside the door (D30): TLS with a certificate of its own, opened by a code that counts
// once. It shows the steps and how the gateway stands, and does nothing else. No port listens unless a Page is served.
type Page struct {
	// Status gives how the gateway stands, as lines; set it before Serve, nil = not shown.
	Status func() Text
	// Fetched is closed once the browser has the sheet that Offer gave.
	Fetched chan struct{}

	guide *Guide
	door  string
	cert  tls.Certificate
	code  string

	mu     sync.Mutex
	used   bool
	wrong  int
	cookie string
	sheet  []byte // nil = not written yet
	stop   context.CancelFunc
}

// NewPage makes the code and the certificate.
func NewPage(g *Guide, door string) (*Page, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		return nil, err
	}
	var cookie [24]byte
	if _, err := rand.Read(cookie[:]); err != nil {
		return nil, err
	}
	p := &Page{Fetched: make(chan struct{}), guide: g, door: door, code: fmt.Sprintf("%08d", n), cookie: base64.RawURLEncoding.EncodeToString(cookie[:]), stop: func() {}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	// A clock that is wrong must not shut the page: what counts is the fingerprint.
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "monban commissioning"},
		NotBefore: now.Add(-48 * time.Hour), NotAfter: now.Add(48 * time.Hour), KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	p.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return p, nil
}

// Code opens the page once.
func (p *Page) Code() string { return p.code }

// Fingerprint is the SHA-256 of the certificate, as browsers show it.
func (p *Page) Fingerprint() string {
	sum := sha256.Sum256(p.cert.Certificate[0])
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// Offer puts the sheet on the page: where nobody signs in, the browser is the only way by which it comes to a printer.
func (p *Page) Offer(sheet []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sheet = sheet
}

// Serve serves the page on l until ctx ends, PageLife is over or the code was guessed at too often; then the port is
// closed.
func (p *Page) Serve(ctx context.Context, l net.Listener) error {
	ctx, stop := context.WithTimeout(ctx, PageLife)
	defer stop()
	p.mu.Lock()
	p.stop = stop
	p.mu.Unlock()
	srv := &http.Server{Handler: p, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{p.cert}}}
	end := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer end()
	if err := srv.ServeTLS(l, "", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("commissioning page: %w", err)
	}
	return nil
}

var page = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="ja"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">{{if .Steps}}<meta http-equiv="refresh" content="2">{{end}}
<title>扉の受入検査 / Door acceptance</title>
<style>body{font:1.2rem/1.6 sans-serif;max-width:40rem;margin:1rem auto;padding:0 1rem}li{list-style:none;margin:.6rem 0}span[lang=en]{display:block;color:#444;font-size:1rem}
input,button{font:inherit;padding:.6rem}.seen{color:#060}pre{font:1rem/1.5 monospace;white-space:pre-wrap}</style></head><body>
<h1>扉の受入検査 <span lang="en">Door acceptance</span></h1>
{{if .Steps}}<p>{{.Door}}</p><ul>{{range .Steps}}<li{{if not .Seen.IsZero}} class="seen"{{end}}>{{if .Seen.IsZero}}☐{{else}}☑{{end}} {{.Do.JA}} <span lang="en">{{.Do.EN}}</span></li>{{end}}</ul>
{{if .Done}}<p>全項目を確認しました。 <span lang="en">Every step was recorded.</span></p>{{end}}
{{if .Sheet}}<p><a href="/sheet" target="_blank" rel="noopener">検査票を開く（印刷して署名） <span lang="en">Open the sheet, to be printed and signed</span></a></p>{{end}}
{{with .Status}}<h2>ゲートウェイの状態 <span lang="en">Gateway</span></h2><pre>{{.JA}}</pre><pre lang="en">{{.EN}}</pre>{{end}}
{{else}}<form method="post"><label>装置の画面に表示されたコード <span lang="en">Code on the gateway's terminal</span>
<input name="code" inputmode="numeric" autocomplete="off" maxlength="8" required></label> <button>開く <span lang="en">Open</span></button></form>
{{if .Wrong}}<p role="alert">コードが違うか、すでに使われました。 <span lang="en">The code is wrong or was used already.</span></p>{{end}}{{end}}
</body></html>
`))

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if r.URL.Path == "/sheet" && (r.Method == http.MethodGet || r.Method == http.MethodHead) && p.known(r) {
		p.serveSheet(w, r)
		return
	}
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.show(w, http.StatusOK, p.known(r), false)
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, 1<<10)
		if !p.open(r.PostFormValue("code")) {
			p.show(w, http.StatusForbidden, false, true)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: cookieName, Value: p.cookie, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	default:
		h.Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	}
}

func (p *Page) serveSheet(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	sheet := p.sheet
	p.mu.Unlock()
	if sheet == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if _, err := w.Write(sheet); err != nil || r.Method == http.MethodHead {
		return // a browser that is gone asks again
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.Fetched:
	default:
		close(p.Fetched)
	}
}

// open takes the code, once. Too many wrong ones end the page.
func (p *Page) open(code string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	right := subtle.ConstantTimeCompare([]byte(code), []byte(p.code)) == 1
	if right && !p.used && p.wrong < wrongCodes {
		p.used = true
		return true
	}
	if p.wrong++; p.wrong >= wrongCodes {
		p.stop()
	}
	return false
}

// Opened reports whether a browser has opened the page.
func (p *Page) Opened() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func (p *Page) known(r *http.Request) bool {
	c, err := r.Cookie(cookieName)
	p.mu.Lock()
	defer p.mu.Unlock()
	return err == nil && p.used && subtle.ConstantTimeCompare([]byte(c.Value), []byte(p.cookie)) == 1
}

func (p *Page) show(w http.ResponseWriter, status int, in, wrong bool) {
	data := struct {
		Door  string
		Steps []Step
		Done  bool
		Wrong bool
		Sheet bool

		Status *Text
	}{Wrong: wrong}
	if in {
		data.Door, data.Steps, data.Done = p.door, p.guide.Steps(), p.guide.Open() == 0
		p.mu.Lock()
		data.Sheet = p.sheet != nil
		p.mu.Unlock()
		if p.Status != nil {
			t := p.Status()
			data.Status = &t
		}
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = page.Execute(w, data) // a browser that is gone needs no page
}
