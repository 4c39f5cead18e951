package app

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// EnrolOptions of Enrol; all but Now and Poll are required.
type EnrolOptions struct {
	Server  string // host:port of the server's enrolment port
	Gateway string // this gateway's id
	Dir     string // new folder of the identity
	Code    string // as the server printed it
	Out     io.Writer
	Now     func() time.Time // nil = time.Now
	Poll    time.Duration    // 0 = 2 s
}

const (
	codeSecret = 16 // bytes of a code that only the invited gateway knows
	codePin    = 10 // bytes of SHA-256 of the site's root certificate
	maxReply   = 256 << 10

	codeLife     = 24 * time.Hour   // the longest that a code holds
	enrolPollMax = 30 * time.Second // between attempts while the server cannot be reached
)

// errAgain marks what may be over at the next attempt: a fault of the network, a server that starts anew.
var errAgain = errors.New("not now")

// again marks err so; it reads as before.
type again struct{ error }

func (a again) Unwrap() error        { return a.error }
func (a again) Is(target error) bool { return target == errAgain }

// Enrol gets this gateway an identity: it makes its keys, shows their fingerprint, and waits until a person
// has confirmed it at the server. The secret keys of TLS and of notes never leave this machine. The folder
// is there whole or not at all. The keys are on disk before they are asked for: after a power cut the same
// code asks for the same keys again, which the server answers until the code ends. Errors are one line that
// says what to do.
func Enrol(ctx context.Context, o EnrolOptions) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Poll == 0 {
		o.Poll = 2 * time.Second
	}
	if _, err := os.Lstat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
		_ = forgetAsked(o.Dir) // of a power cut just after; the identity itself is what counts
		return fmt.Errorf("%s exists already and is not overwritten: name a new folder", o.Dir)
	}
	secret, pin, err := splitCode(o.Code)
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(o.Server)
	if err != nil {
		return fmt.Errorf("server %q is not host:port", o.Server)
	}
	var site string
	client := enrolClient(&tls.Config{
		MinVersion: tls.VersionTLS13, ServerName: host,
		// The root is not known yet but by the code: VerifyConnection checks everything against it.
		InsecureSkipVerify: true, //nolint:gosec // see above
		VerifyConnection: func(cs tls.ConnectionState) error {
			var err error
			site, err = checkServer(cs, pin, host, o.Now())
			return err
		},
	})
	defer client.CloseIdleConnections()
	if err := hello(ctx, client, o.Server); err != nil {
		return err
	}
	id, request, err := askedBefore(o.Dir, o.Gateway, site, secret)
	if err == nil && request == nil {
		if id, request, err = newRequest(o.Gateway, site, secret); err == nil {
			err = id.remember(o.Dir, site, secret, request)
		}
	}
	if err != nil {
		return err
	}
	shown := false
	// The server may have these keys already and knows the code as theirs: they are not given up for a fault of the network.
	began, wait := time.Now(), o.Poll
	for {
		reply, err := post(ctx, client, o.Server, "/1/enrol", request)
		if errors.Is(err, errAgain) && ctx.Err() == nil && time.Since(began) < codeLife {
			if wait == o.Poll {
				_, _ = fmt.Fprintf(o.Out, "%v; it is asked again.\n", err)
			}
			wait = min(2*wait, max(enrolPollMax, o.Poll))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(wait):
			}
			continue
		}
		if err != nil {
			return err
		}
		wait = o.Poll
		if reply.Cert != "" {
			if err := id.write(o.Dir, reply); err != nil {
				return err
			}
			return forgetAsked(o.Dir)
		}
		if !shown {
			_, _ = fmt.Fprintf(o.Out, "Fingerprint of %s: %s\nAt the server: monban-server gateway confirm --config FILE %s %s\nWaiting for it; Ctrl-C gives up.\n",
				o.Gateway, id.fingerprint, o.Gateway, id.fingerprint)
			shown = true
		}
		if reply.Fingerprint != id.fingerprint {
			return errors.New("the server has another fingerprint of this gateway than it has itself: do not confirm, and invite it again")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.Poll):
		}
	}
}

// splitCode takes a code apart; blanks, hyphens and small letters do not matter.
func splitCode(code string) (secret, pin []byte, err error) {
	clean := strings.ToUpper(strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' {
			return -1
		}
		return r
	}, code))
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(clean)
	if err != nil || len(b) != codeSecret+codePin {
		return nil, nil, errors.New("this is not a whole code: it has seven groups of six letters and digits (A–Z, 2–7)")
	}
	return b[:codeSecret], b[codeSecret:], nil
}

// checkServer proves that the server's chain ends in the root that the code names, and gives the site's name.
func checkServer(cs tls.ConnectionState, pin []byte, host string, now time.Time) (site string, err error) {
	chain := cs.PeerCertificates
	if len(chain) < 2 {
		return "", errors.New("the server sent no root certificate: is this its enrolment port?")
	}
	root := chain[len(chain)-1]
	if sum := sha256.Sum256(root.Raw); !bytes.Equal(sum[:codePin], pin) {
		return "", errors.New("this is not the server that made the code (its root certificate is another one)")
	}
	roots, inter := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	for _, c := range chain[1 : len(chain)-1] {
		inter.AddCert(c)
	}
	// A Raspberry Pi has no clock over a power cut and may have no time server. It judges by the time at which the certificate was made, as
	// a gateway with an identity does (tlsTime): the root that the code names says that it was. One that has ended is refused.
	if made := chain[0].NotBefore; now.Before(made) {
		now = made
	}
	_, err = chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: inter, DNSName: host, CurrentTime: now})
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "", fmt.Errorf("the server's certificate is valid from %s to %s, and this machine's clock says %s: if the clock is wrong, set it (on the memory card of its own: time = in monban.txt); if it is right, renew the server's certificate",
			chain[0].NotBefore.Format(time.DateOnly), chain[0].NotAfter.Format(time.DateOnly), now.Format(time.DateTime))
	case err != nil:
		return "", err
	}
	site, ok := strings.CutPrefix(strings.Join(root.Subject.Organization, ""), "monban ")
	if !ok {
		return "", errors.New("the server's root certificate names no site")
	}
	return site, nil
}

func enrolClient(cfg *tls.Config) *http.Client {
	return &http.Client{
		Timeout:   20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: cfg, TLSHandshakeTimeout: 10 * time.Second, DisableCompression: true},
		// The port answers by itself; whoever sends us elsewhere is not it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// hello makes one connection, so that the server is known before keys are made for its site.
func hello(ctx context.Context, client *http.Client, server string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+server+"/", http.NoBody)
	if err != nil {
		return fmt.Errorf("server %q: %w", server, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("server %s: %w", server, unwrapURL(err))
	}
	return resp.Body.Close()
}

// unwrapURL drops the method and address that net/http puts before an error.
func unwrapURL(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error }) //nolint:errorlint // peeled one by one
		if !ok || !strings.Contains(err.Error(), "https://") {
			return err
		}
		err = u.Unwrap()
	}
}

// keyRequest is what is asked for, as the server's enrolment port takes it.
type keyRequest struct {
	Gateway string `json:"gateway,omitempty"`
	Code    string `json:"code,omitempty"`
	CSR     []byte `json:"csr"`
	NoteKey string `json:"note_key,omitempty"`
}

// keyReply is its answer.
type keyReply struct {
	Error       string          `json:"error"`
	Fingerprint string          `json:"fingerprint"`
	Cert        string          `json:"cert"`
	CA          string          `json:"ca"`
	KeysNote    string          `json:"keys_note"`
	RootVKey    string          `json:"root_vkey"`
	Symmetric   json.RawMessage `json:"symmetric"`
}

// newIdentity are the secret halves, which stay here.
type newIdentity struct {
	tlsKey      []byte // PEM
	noteKey     string
	fingerprint string
}

func newRequest(gateway, site string, secret []byte) (newIdentity, *keyRequest, error) {
	tlsKey, csr, err := newTLSKey(gateway)
	if err != nil {
		return newIdentity{}, nil, err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, "monban/"+site+"/gw/"+gateway)
	if err != nil {
		return newIdentity{}, nil, fmt.Errorf("make note key: %w", err)
	}
	id, q := asking(gateway, secret, tlsKey, csr, skey, vkey)
	return id, q, nil
}

// asking is the request for these keys, with their fingerprint as the server computes it too.
func asking(gateway string, secret, tlsKey, csr []byte, skey, vkey string) (newIdentity, *keyRequest) {
	h := sha256.New()
	h.Write(csr)
	h.Write([]byte(vkey))
	f := base32.StdEncoding.EncodeToString(h.Sum(nil)[:10])
	code := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	return newIdentity{tlsKey, skey, f[:4] + "-" + f[4:8] + "-" + f[8:12] + "-" + f[12:16]},
		&keyRequest{Gateway: gateway, Code: code, CSR: csr, NoteKey: vkey}
}

// newTLSKey makes a P-256 key and a request that it signs.
func newTLSKey(gateway string) (keyPEM, csr []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make TLS key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("make TLS key: %w", err)
	}
	csr, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: gateway}}, key)
	if err != nil {
		return nil, nil, fmt.Errorf("make certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), csr, nil
}

// post asks once. The server's words become sentences that say what to do.
func post(ctx context.Context, client *http.Client, server, path string, q *keyRequest) (*keyReply, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+server+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("server %q: %w", server, err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, again{fmt.Errorf("server %s: %w", server, unwrapURL(err))}
	}
	defer resp.Body.Close()
	var r keyReply
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxReply)).Decode(&r); err != nil {
		return nil, again{fmt.Errorf("server %s: its answer cannot be read: is this its enrolment port?", server)}
	}
	if r.Error != "" {
		err := fmt.Errorf("server %s: %s", server, sentence(r.Error))
		if r.Error == "too_many" || r.Error == "internal" {
			err = again{err}
		}
		return nil, err
	}
	return &r, nil
}

func sentence(word string) string {
	switch word {
	case "wrong_code":
		return "the code is wrong; after ten wrong ones the gateway has to be invited again"
	case "used_code":
		return "another gateway has used this code already: if that was not you, withdraw it with `monban-server gateway deny`, and invite again"
	case "expired_code":
		return "the code has expired: invite the gateway again with `monban-server gateway invite`"
	case "no_invite":
		return "no gateway of this name is invited: check --gateway, or run `monban-server gateway invite`"
	case "unknown_gateway":
		return "the directory has no gateway of this name: import gateways.csv first"
	case "refused":
		return "this gateway's certificate is refused: it was denied, or has been over for more than 90 days; enrol it again"
	case "too_many":
		return "too many requests at once: try again in a minute"
	case "bad_request":
		return "the request was not understood: are both programs of the same version?"
	}
	return "it could not answer (" + word + "): see its journal"
}

// write makes the identity folder: whole or not at all.
func (id newIdentity) write(dir string, r *keyReply) error {
	files := map[string][]byte{
		certificateFile: append([]byte(r.Cert), id.tlsKey...), "ca.crt": []byte(r.CA), "note.key": []byte(id.noteKey + "\n"),
		"keys.note": []byte(r.KeysNote), "root.vkey": []byte(r.RootVKey + "\n"), "symmetric.json": r.Symmetric,
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	tmp, err := os.MkdirTemp(parent, ".identity-*") // 0700
	if err != nil {
		return fmt.Errorf("write identity: %w", err)
	}
	for name, data := range files {
		if len(bytes.TrimSpace(data)) == 0 {
			err = fmt.Errorf("the server sent no %s", name)
		} else if err == nil {
			err = writeDurably(filepath.Join(tmp, name), data)
		}
	}
	if err == nil {
		_, err = LoadIdentity(tmp) // a folder that does not load is worth nothing
	}
	if err == nil {
		err = errors.Join(syncFolder(tmp), os.Rename(tmp, dir))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write identity: %w", err), os.RemoveAll(tmp))
	}
	return syncFolder(parent)
}

// writeDurably writes a new file, 0600, and syncs it.
func writeDurably(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
