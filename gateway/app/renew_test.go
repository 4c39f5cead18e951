package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority is a small one for tests: a root that signs everything.
type authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	now  time.Time
	n    int64
}

func newAuthority(t *testing.T, now time.Time) *authority {
	t.Helper()
	a := &authority{now: now}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root", Organization: []string{"monban hall"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(1000 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.root, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(t *testing.T, name string, key any) string {
	t.Helper()
	a.n++
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(100 + a.n), Subject: pkix.Name{CommonName: name}, NotBefore: a.now, NotAfter: a.now.Add(14 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.root, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (a *authority) pair(t *testing.T, name string) (cert string, key []byte) {
	t.Helper()
	keyText, der, err := newTLSKey(name)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	return a.sign(t, name, csr.PublicKey), keyText
}

// A certificate is renewed from half of its life on, stored whole before it is used; whatever is wrong with the
// answer leaves the old pair in force and on the disk.
func TestRenewal(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, now)
	name, garbage := "gw-1", false
	var shown string
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = r.TLS.PeerCertificates[0].SerialNumber.String()
		var q keyRequest
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/1/renew" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		csr, err := x509.ParseCertificateRequest(q.CSR)
		if err != nil || csr.CheckSignature() != nil || csr.Subject.CommonName != "gw-1" {
			t.Errorf("request: %v", err)
			return
		}
		reply := keyReply{Cert: a.sign(t, name, csr.PublicKey)}
		if garbage {
			reply.Cert, _ = a.pair(t, "gw-1") // for another key
		}
		_ = json.NewEncoder(w).Encode(reply)
	}))
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	cert, key := a.pair(t, "server")
	pair, err := tls.X509KeyPair([]byte(cert), key)
	if err != nil {
		t.Fatal(err)
	}
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	defer server.Close()

	dir := t.TempDir()
	cert, key = a.pair(t, "gw-1")
	for file, data := range map[string][]byte{"tls.crt": []byte(cert), "tls.key": key} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	old, err := loadPair(dir)
	if err != nil {
		t.Fatal(err)
	}
	clock := now
	r := &renewal{dir: dir, server: strings.TrimPrefix(server.URL, "https://"), gateway: "gw-1", base: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: roots},
		now: func() time.Time { return clock }, log: slog.New(slog.DiscardHandler)}
	r.current.Store(&old)
	if r.due() {
		t.Error("a new certificate is due")
	}
	if clock = now.Add(7*24*time.Hour + time.Minute); !r.due() {
		t.Error("after half of its life it is not due")
	}
	same := func() bool {
		p, err := loadPair(dir)
		return err == nil && p.Leaf.Equal(old.Leaf) && r.current.Load().Leaf.Equal(old.Leaf)
	}
	name = "gw-2"
	if err := r.renew(t.Context()); err == nil || !same() {
		t.Errorf("another gateway's certificate: %v, old kept %v", err, same())
	}
	name, garbage = "gw-1", true
	if err := r.renew(t.Context()); err == nil || !same() {
		t.Errorf("a certificate for another key: %v, old kept %v", err, same())
	}
	garbage = false
	if err := os.WriteFile(filepath.Join(dir, certificateFile+".new"), []byte("torn"), 0o600); err != nil { // of an earlier crash
		t.Fatal(err)
	}
	if err := r.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored, err := loadPair(dir)
	if err != nil || stored.Leaf.Equal(old.Leaf) || !r.current.Load().Leaf.Equal(stored.Leaf) {
		t.Errorf("after renewing: %v", err)
	}
	if err := r.renew(t.Context()); err != nil || shown != stored.Leaf.SerialNumber.String() {
		t.Errorf("the next connection shows %s, not the new %s; %v", shown, stored.Leaf.SerialNumber, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.run(ctx)
}
