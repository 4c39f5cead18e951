// Package ca is a site's own small certificate authority: an offline root, an issuing key, the
// server's certificate and the gateways' certificates, and the list of those that are refused.
//
// It uses crypto/x509 alone. It must never write a private key readable by others, never load one
// that is, and never issue a certificate that could speak as the server. TLS keys are apart from
// the keys that sign messages (D18): a stolen TLS key forges no record and opens no door.
package ca

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// ServerName is the common name of the server's certificate: as a TLS server to gateways and as
// the MQTT client of its own broker. No gateway may have this name.
const ServerName = "monban-server"

const (
	// rootValidity outlives the equipment of one procurement (5–7 years) with room to move.
	rootValidity = 10 * 365 * 24 * time.Hour
	// issuingValidity bounds what a stolen server disk is worth; the root signs a new one each year.
	issuingValidity = 365 * 24 * time.Hour
	// serverValidity bounds what the server's TLS key alone is worth; the issuing key makes a new one (Upkeep).
	serverValidity = 180 * 24 * time.Hour
	// backdate lets a gateway whose clock is a little slow accept a certificate made a moment ago.
	backdate = 5 * time.Minute
)

// CA is a loaded authority. Its methods may be called from several goroutines.
type CA struct {
	dir   string
	site  string
	certs atomic.Pointer[certs] // nil after OpenLists
	deny  denyList
	ends  ends
}

// certs are the certificates of one moment; Reload swaps them for newer ones.
type certs struct {
	authority
	server tls.Certificate
	next   *authority // while the root is changed (roll.go): trusted too, and issues all gateways' certificates
}

// authority is a root and what issues under it.
type authority struct {
	root    *x509.Certificate
	issuing *x509.Certificate
	key     crypto.Signer // the issuing key
}

func (c *CA) held() *certs { return c.certs.Load() }

// issuer is the authority that issues now.
func (s *certs) issuer() *authority {
	if s.next != nil {
		return s.next
	}
	return &s.authority
}

// Options of Create.
type Options struct {
	Site string
	// Names are host names and IP addresses of the server beside localhost, 127.0.0.1 and ::1.
	Names []string
	// Now is the time of creation.
	Now time.Time
}

// Create makes a new authority in dir (0700), which must not hold one yet, and loads it. The root
// key is written beside the rest; a real site then moves root.key off the machine: nothing here
// needs it until the issuing certificate ends.
func Create(dir string, o Options) (*CA, error) {
	if !validName(o.Site) {
		return nil, fmt.Errorf("create certificate authority: site %q is not 1 to 32 characters of a-z, 0-9 and -", o.Site)
	}
	if _, err := os.Lstat(filepath.Join(dir, "root.crt")); err == nil {
		return nil, fmt.Errorf("create certificate authority: %s exists already", filepath.Join(dir, "root.crt"))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("create certificate authority: %w", err)
	}
	rootKey, rootDER, err := makeRoot(o)
	if err != nil {
		return nil, fmt.Errorf("create root certificate: %w", err)
	}
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, fmt.Errorf("create root certificate: %w", err)
	}
	issKey, issDER, err := makeIssuing(o, root, rootKey)
	if err != nil {
		return nil, fmt.Errorf("create issuing certificate: %w", err)
	}
	issuing, err := x509.ParseCertificate(issDER)
	if err != nil {
		return nil, fmt.Errorf("create issuing certificate: %w", err)
	}
	srvKey, srvDER, err := makeServer(o, issuing, issKey)
	if err != nil {
		return nil, fmt.Errorf("create server certificate: %w", err)
	}
	var files []file
	for _, k := range []struct {
		name  string
		key   *ecdsa.PrivateKey
		chain [][]byte
	}{
		{"server", srvKey, [][]byte{srvDER, issDER}},
		{"issuing", issKey, [][]byte{issDER}},
		{"root", rootKey, [][]byte{rootDER}}, // root.crt last: its presence means that all is there
	} {
		pemKey, err := keyPEM(k.key)
		if err != nil {
			return nil, fmt.Errorf("create %s key: %w", k.name, err)
		}
		files = append(files, file{k.name + ".key", pemKey}, file{k.name + ".crt", certPEM(k.chain...)})
	}
	for _, f := range files {
		if err := writeNew(filepath.Join(dir, f.name), f.data); err != nil {
			return nil, fmt.Errorf("create certificate authority: %w", err)
		}
	}
	if err := syncDir(dir); err != nil {
		return nil, fmt.Errorf("create certificate authority: %w", err)
	}
	return Open(dir, o.Now)
}

// Open loads the authority in dir and proves that its files belong together and are valid at now.
// Each error names the file at fault. root.key is not needed.
func Open(dir string, now time.Time) (*CA, error) {
	c := &CA{dir: dir}
	if err := c.Reload(now); err != nil {
		return nil, err
	}
	if err := c.deny.open(dir, true); err != nil {
		return nil, err
	}
	return c, nil
}

// OpenLists opens only what can withdraw trust: the deny list and the invites. It works whatever has ended, is missing or
// damaged beside them, since a stolen gateway must be refused at any time. It cannot issue or serve.
func OpenLists(dir string) (*CA, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, short(dir, err)
	}
	c := &CA{dir: dir}
	return c, c.deny.open(dir, false)
}

// Reload reads the certificates again after Upkeep; on an error those held before still count.
func (c *CA) Reload(now time.Time) error {
	if err := finishRenewal(c.dir); err != nil {
		return fmt.Errorf("finish renewing certificates: %w", err)
	}
	a, err := readAuthority(c.dir, now)
	if err != nil {
		return err
	}
	s := &certs{authority: *a}
	if s.next, err = readNext(c.dir, a, now); err != nil {
		return err
	}
	srvPath := filepath.Join(c.dir, "server.crt")
	srv, srvKey, err := readPair(srvPath, filepath.Join(c.dir, "server.key"))
	if err != nil {
		return err
	}
	if err := a.verify(srv, now, x509.ExtKeyUsageServerAuth); err != nil {
		return fmt.Errorf("%s: %w", srvPath, ofRoot(err, c.dir))
	}
	s.server = tls.Certificate{PrivateKey: srvKey, Leaf: srv[0]}
	for _, x := range srv {
		s.server.Certificate = append(s.server.Certificate, x.Raw)
	}
	c.site = siteOf(a.root)
	c.certs.Store(s)
	return nil
}

// readAuthority reads root and issuing key of a folder and proves that they belong together.
func readAuthority(dir string, now time.Time) (*authority, error) {
	rootPath, issPath := filepath.Join(dir, "root.crt"), filepath.Join(dir, "issuing.crt")
	roots, err := readCerts(rootPath)
	if err != nil {
		return nil, err
	}
	a := &authority{root: roots[0]}
	if err := a.root.CheckSignatureFrom(a.root); err != nil {
		return nil, fmt.Errorf("%s: is not a self-signed root certificate: %w", rootPath, err)
	}
	iss, key, err := readPair(issPath, filepath.Join(dir, "issuing.key"))
	if err != nil {
		return nil, err
	}
	a.issuing, a.key = iss[0], key
	if err := a.verify(iss, now, x509.ExtKeyUsageAny); err != nil {
		return nil, fmt.Errorf("%s: %w", issPath, ofRoot(err, dir))
	}
	return a, nil
}

// Site is the site's name as the root certificate gives it.
func (c *CA) Site() string { return c.site }

// Expires is when the first of the server's own certificates ends.
func (c *CA) Expires() time.Time {
	s := c.held()
	if s.server.Leaf.NotAfter.Before(s.issuing.NotAfter) {
		return s.server.Leaf.NotAfter
	}
	return s.issuing.NotAfter
}

// RootPEM is what a gateway trusts: the root certificate, and the next one while the root is changed.
func (c *CA) RootPEM() []byte {
	s := c.held()
	if s.next != nil {
		return certPEM(s.root.Raw, s.next.root.Raw)
	}
	return certPEM(s.root.Raw)
}

// Issued is a gateway's new TLS identity.
type Issued struct {
	CertPEM  []byte // the certificate and the issuing certificate
	KeyPEM   []byte // PKCS #8
	Serial   string // lower-case hex
	NotAfter time.Time
}

// DefaultValidity is the life of a gateway's certificate: short, so that a forgotten device stops
// by itself, and long enough for the year-end closure.
const DefaultValidity = 14 * 24 * time.Hour

// IssueGateway makes a key and a certificate for the gateway id, valid from now for validity, or
// until the issuing certificate ends if that is sooner. The serial is noted, so that the gateway
// can be denied by its name later.
func (c *CA) IssueGateway(id string, validity time.Duration, now time.Time) (Issued, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // secure elements know no Ed25519
	if err != nil {
		return Issued{}, fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	cert, serial, err := c.issueFor(id, &key.PublicKey, validity, now)
	if err != nil {
		return Issued{}, err
	}
	pemKey, err := keyPEM(key)
	if err != nil {
		return Issued{}, fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	return Issued{CertPEM: cert, KeyPEM: pemKey, Serial: serial, NotAfter: c.held().issuer().until(validity, now)}, nil
}

// until is when a certificate issued now ends: never after the issuing one.
func (a *authority) until(validity time.Duration, now time.Time) time.Time {
	if end := now.Add(validity); end.Before(a.issuing.NotAfter) {
		return end
	}
	return a.issuing.NotAfter
}

// issueFor certifies a gateway's own key.
func (c *CA) issueFor(id string, key crypto.PublicKey, validity time.Duration, now time.Time) (cert []byte, serial string, err error) {
	if !validName(id) || id == ServerName {
		return nil, "", fmt.Errorf("issue certificate: gateway %q is not 1 to 32 characters of a-z, 0-9 and - (and not %s)", id, ServerName)
	}
	if validity <= 0 {
		return nil, "", fmt.Errorf("issue certificate for %s: validity %v is not positive", id, validity)
	}
	a := c.held().issuer()
	notAfter := a.until(validity, now)
	t, err := template(pkix.Name{CommonName: id, Organization: a.issuing.Subject.Organization}, now, notAfter)
	if err != nil {
		return nil, "", fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	// Client only: a gateway's certificate never serves as a server's, whatever name it bears.
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, t, a.issuing, key, a.key)
	if err != nil {
		return nil, "", fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	serial = t.SerialNumber.Text(16)
	// Noted before it is handed out: a certificate that nobody can deny must not exist.
	if err := c.deny.noteIssued(serial, id, notAfter); err != nil {
		return nil, "", fmt.Errorf("issue certificate for %s: %w", id, err)
	}
	return certPEM(der, a.issuing.Raw), serial, nil
}

// errChain: a chain does not end in the root.
var errChain = errors.New("is of another root")

// ofRoot names the root file in an error of verify.
func ofRoot(err error, dir string) error {
	if errors.Is(err, errChain) {
		return fmt.Errorf("does not belong to %s: %w", filepath.Join(dir, "root.crt"), err)
	}
	return err
}

// verify checks a chain (leaf first) up to a root that is trusted at now: this one, or the next.
func (s *certs) verify(chain []*x509.Certificate, now time.Time, usage x509.ExtKeyUsage) error {
	err := s.authority.verify(chain, now, usage)
	if err != nil && errors.Is(err, errChain) && s.next != nil {
		err = s.next.verify(chain, now, usage)
	}
	return err
}

func (a *authority) verify(chain []*x509.Certificate, now time.Time, usage x509.ExtKeyUsage) error {
	pool, inter := x509.NewCertPool(), x509.NewCertPool()
	pool.AddCert(a.root)
	for _, i := range chain[1:] {
		inter.AddCert(i)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: inter, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err == nil {
		return nil
	}
	var invalid x509.CertificateInvalidError
	if errors.As(err, &invalid) && invalid.Reason == x509.Expired {
		if now.Before(chain[0].NotBefore) {
			return fmt.Errorf("is valid only from %s on; is this machine's clock right?", chain[0].NotBefore.Format(time.DateTime))
		}
		return fmt.Errorf("ended on %s", chain[0].NotAfter.Format(time.DateOnly))
	}
	return fmt.Errorf("%w: %w", errChain, err)
}

func makeRoot(o Options) (*ecdsa.PrivateKey, []byte, error) {
	t, err := template(pkix.Name{CommonName: "monban root " + o.Site, Organization: []string{organization(o.Site)}}, o.Now, o.Now.Add(rootValidity))
	if err != nil {
		return nil, nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLen = true, true, 1
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(t, nil, nil)
}

func makeIssuing(o Options, root *x509.Certificate, rootKey crypto.Signer) (*ecdsa.PrivateKey, []byte, error) {
	t, err := template(pkix.Name{CommonName: "monban issuing " + o.Site, Organization: root.Subject.Organization}, o.Now, o.Now.Add(issuingValidity))
	if err != nil {
		return nil, nil, err
	}
	t.IsCA, t.BasicConstraintsValid, t.MaxPathLenZero = true, true, true
	t.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	return sign(t, root, rootKey)
}

func makeServer(o Options, issuing *x509.Certificate, key crypto.Signer) (*ecdsa.PrivateKey, []byte, error) {
	end := o.Now.Add(serverValidity)
	if issuing.NotAfter.Before(end) {
		end = issuing.NotAfter
	}
	t, err := template(pkix.Name{CommonName: ServerName, Organization: issuing.Subject.Organization}, o.Now, end)
	if err != nil {
		return nil, nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	// Both: the server is also a client of the broker.
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	t.DNSNames = []string{"localhost", ServerName}
	t.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	for _, n := range o.Names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	return sign(t, issuing, key)
}

// template has a random 127-bit serial, which RFC 5280 4.1.2.2 allows (positive, ≤ 20 octets).
func template(subject pkix.Name, now, notAfter time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{SerialNumber: serial, Subject: subject, NotBefore: now.Add(-backdate), NotAfter: notAfter}, nil
}

// sign makes a P-256 key (secure elements know no Ed25519) and its certificate; without a parent
// it signs itself.
func sign(t, parent *x509.Certificate, parentKey crypto.Signer) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parent == nil {
		parent, parentKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &key.PublicKey, parentKey)
	return key, der, err
}

func organization(site string) string { return "monban " + site }

func siteOf(root *x509.Certificate) string {
	if len(root.Subject.Organization) != 1 {
		return ""
	}
	site, _ := strings.CutPrefix(root.Subject.Organization[0], "monban ")
	return site
}

// samePublic reports whether the certificate's key is that of the private key.
func samePublic(cert *x509.Certificate, key crypto.Signer) bool {
	a, err1 := x509.MarshalPKIXPublicKey(cert.PublicKey)
	b, err2 := x509.MarshalPKIXPublicKey(key.Public())
	return err1 == nil && err2 == nil && bytes.Equal(a, b)
}

func validName(s string) bool {
	return len(s) >= 1 && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
