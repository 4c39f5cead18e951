package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
)

// site is what a server has: note roots, TLS roots, role keys.
type trustSite struct {
	*testing.T
	dir        string
	base       wire.Keys
	old, young note.Signer
	oldKey     string
	youngKey   string
	tls        [2]*x509.Certificate // old, young
	keys       [2]*ecdsa.PrivateKey
}

func newTrustSite(t *testing.T) *trustSite {
	t.Helper()
	s := &trustSite{T: t, dir: t.TempDir()}
	signerOf := func(name string) (note.Signer, string) {
		skey, vkey, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.NewSigner(skey)
		if err != nil {
			t.Fatal(err)
		}
		return n, vkey
	}
	s.old, s.oldKey = signerOf(wire.KeyName("hall", wire.RoleRoot))
	s.young, s.youngKey = signerOf(wire.KeyName("hall", wire.RoleRoot))
	s.base = wire.Keys{Site: "hall", Version: 1}
	_, s.base.Link = signerOf(wire.KeyName("hall", wire.RoleLink))
	_, s.base.Policy = signerOf(wire.KeyName("hall", wire.RolePolicy))
	_, s.base.Command = signerOf(wire.KeyName("hall", wire.RoleCommand))
	_, s.base.Log = signerOf("monban/0123abcd")
	for i := range s.tls {
		s.tls[i], s.keys[i] = s.certificate(nil, nil, i)
	}
	s.put("ca.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.tls[0].Raw}))
	s.put("root.vkey", []byte(s.oldKey+"\n"))
	s.put("keys.note", []byte(s.list(s.old, s.base)))
	return s
}

func (s *trustSite) put(name string, data []byte) {
	s.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		s.Fatal(err)
	}
}

func (s *trustSite) read(name string) string {
	s.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		s.Fatal(err)
	}
	return string(b)
}

func (s *trustSite) list(by note.Signer, k wire.Keys) string {
	s.Helper()
	text, err := wire.SealKeys(by, k)
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// certificate makes a root, or a gateway's certificate of one.
func (s *trustSite) certificate(root *x509.Certificate, rootKey *ecdsa.PrivateKey, serial int) (*x509.Certificate, *ecdsa.PrivateKey) {
	s.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(int64(serial + 1)), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if root == nil {
		t.IsCA, t.BasicConstraintsValid, t.KeyUsage, t.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		root, rootKey = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, root, &key.PublicKey, rootKey)
	if err != nil {
		s.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		s.Fatal(err)
	}
	return c, key
}

// lists are the two notes of a change: the announcement and the end.
func (s *trustSite) lists() (announced, ended string) {
	k := s.base
	k.Version, k.NextRoot = 2, s.youngKey
	k.CA, k.NextCA = base64.StdEncoding.EncodeToString(s.tls[0].Raw), base64.StdEncoding.EncodeToString(s.tls[1].Raw)
	announced = s.list(s.old, k)
	k.Version, k.CA, k.NextCA, k.NextRoot = 3, k.NextCA, "", ""
	return announced, s.list(s.young, k)
}

// trusting starts a trust whose certificate is of the old (0) or the young (1) root.
func (s *trustSite) trusting(root int) (t *trust, kept *[]uint64) {
	s.Helper()
	b, err := loadBelief(s.dir)
	if err != nil {
		s.Fatal(err)
	}
	leaf, key := s.certificate(s.tls[root], s.keys[root], 7)
	r := &renewal{kick: make(chan struct{}, 1), server: "there", now: time.Now, log: slog.New(slog.DiscardHandler)}
	r.current.Store(&tls.Certificate{Certificate: [][]byte{leaf.Raw}, Leaf: leaf, PrivateKey: key})
	t = newTrust(s.dir, b, slog.New(slog.DiscardHandler))
	kept = new([]uint64)
	t.renewal, t.kept = r, func(v uint64) { *kept = append(*kept, v) }
	return t, kept
}

func (t *trust) believes(c *x509.Certificate) bool {
	_, err := c.Verify(x509.VerifyOptions{Roots: t.roots(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

// D18: a list is confirmed only when it is stored and the certificate is of the newest root; both roots are believed in between and only
// the new one afterwards.
func TestTrustFollowsTheRoot(t *testing.T) {
	s := newTrustSite(t)
	announced, ended := s.lists()
	a, kept := s.trusting(0)
	if a.settle(); len(*kept) != 1 || (*kept)[0] != 1 || !a.believes(s.tls[0]) || a.believes(s.tls[1]) {
		t.Fatalf("before: kept %v", *kept)
	}
	if err := a.store(announced); err != nil {
		t.Fatal(err)
	}
	if a.settle(); len(*kept) != 1 || len(a.renewal.kick) != 1 || !a.believes(s.tls[0]) || !a.believes(s.tls[1]) {
		t.Fatalf("announced, with a certificate of the old root: kept %v, renewal asked for %d times", *kept, len(a.renewal.kick))
	}
	a, kept = s.trusting(1) // renewed, and started again
	if a.settle(); len(*kept) != 1 || (*kept)[0] != 2 || !a.believes(s.tls[0]) || !a.believes(s.tls[1]) {
		t.Fatalf("renewed: kept %v", *kept)
	}
	for what, list := range map[string]string{"a stranger's": strings.Replace(ended, s.youngKey[:4], "x", 1) + "x", "the list of before": s.list(s.old, s.base)} {
		if err := a.store(list); err != nil || s.read("keys.note") != announced {
			t.Fatalf("%s is stored: %v", what, err)
		}
	}
	if err := a.store(ended); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and after the next start
		if a.settle(); (*kept)[len(*kept)-1] != 3 || a.believes(s.tls[0]) || !a.believes(s.tls[1]) || s.read("root.vkey") != s.youngKey+"\n" {
			t.Fatalf("ended: kept %v, root %q", *kept, s.read("root.vkey"))
		}
		a, kept = s.trusting(1)
		*kept = []uint64{0}
	}
	again := s.base
	again.Version = 9
	if err := a.store(s.list(s.old, again)); err != nil || s.read("keys.note") != ended {
		t.Errorf("the old root is still followed: %v", err)
	}
}

// A power cut at any step of a swap leaves a folder that can be started from and goes on.
func TestTrustCrashPoints(t *testing.T) {
	for point, files := range map[string][2]string{"both lines, old list": {"both", "announced"}, "both lines, new list": {"both", "ended"}, "done": {"young", "ended"}} {
		s := newTrustSite(t)
		announced, ended := s.lists()
		s.put("keys.note", []byte(map[string]string{"announced": announced, "ended": ended}[files[1]]))
		s.put("root.vkey", []byte(map[string]string{"both": s.oldKey + "\n" + s.youngKey + "\n", "young": s.youngKey + "\n"}[files[0]]))
		s.put("keys.note.new", []byte("half"))
		a, kept := s.trusting(1)
		if err := a.store(ended); err != nil {
			t.Fatalf("%s: %v", point, err)
		}
		a.settle()
		b, err := loadBelief(s.dir)
		if err != nil || b.keys.Version != 3 || b.root.KeyHash() != s.young.KeyHash() || (*kept)[len(*kept)-1] != 3 || a.believes(s.tls[0]) {
			t.Errorf("%s: version %d, kept %v, %v", point, b.keys.Version, *kept, err)
		}
	}
	s := newTrustSite(t)
	s.put("root.vkey", []byte("x\n"))
	if _, err := loadBelief(s.dir); err == nil || !strings.Contains(err.Error(), "root.vkey") {
		t.Errorf("a root that is none: %v", err)
	}
}
