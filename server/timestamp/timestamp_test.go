package timestamp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	rfc3161 "github.com/digitorus/timestamp"
)

var note = []byte("monban/0123abcd\n17\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n\u2014 monban/0123abcd Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n")

// openssl runs openssl in a folder. CI must have it.
func openssl(t testing.TB, dir string, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("openssl is not installed")
	}
	cmd := exec.Command("openssl", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	return data
}

const authorityConf = `
[tsa]
default_tsa = one
[one]
serial = ./serial
signer_digest = sha256
default_policy = 1.2.3.4.1
other_policies = 1.2.3.4.5
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_chain = no
[ext]
extendedKeyUsage = critical,timeStamping
keyUsage = critical,digitalSignature
`

// authority is a time-stamping authority of another project: openssl ts, with a CA of its own.
func authority(t testing.TB) (dir string, trust *Trust) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "tsa.cnf"), []byte(authorityConf), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "serial"), []byte("01\n"), 0o600))
	openssl(t, dir, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Time CA")
	openssl(t, dir, "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/O=Example/CN=Time 1")
	openssl(t, dir, "x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "20", "-extfile", "tsa.cnf", "-extensions", "ext", "-out", "tsa.pem")
	trust, err := NewTrust(read(t, filepath.Join(dir, "ca.pem")), []string{"1.2.3.4.1"})
	must(t, err)
	return dir, trust
}

// stamp has openssl answer a request.
func stamp(t testing.TB, dir string, request []byte, more ...string) []byte {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, "q.tsq"), request, 0o600))
	openssl(t, dir, append([]string{"ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-signer", "tsa.pem", "-inkey", "tsa.key", "-out", "r.tsr"}, more...)...)
	return read(t, filepath.Join(dir, "r.tsr"))
}

// EV-10: a time stamp of another project's authority is accepted, by RSA and by ECDSA, and openssl finds it as good as we do.
func TestStamp(t *testing.T) {
	dir, trust := authority(t)
	nonce, err := NewNonce(nil)
	must(t, err)
	req, err := Request(note, nonce)
	must(t, err)
	before := time.Now().Truncate(time.Second)
	answer := stamp(t, dir, req)
	got, err := Check(answer, note, nonce, trust)
	must(t, err)
	if got.Time.Before(before) || got.Time.After(time.Now().Add(2*time.Second)) || got.Policy != "1.2.3.4.1" || got.Authority != "CN=Time 1,O=Example" || got.Accuracy != time.Second || got.Serial == "" {
		t.Errorf("%+v", got)
	}
	sum, err := Imprint(answer)
	if err != nil || sum != sha256.Sum256(note) {
		t.Errorf("imprint %x, %v", sum, err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "note"), note, 0o600))
	openssl(t, dir, "ts", "-verify", "-data", "note", "-in", "r.tsr", "-CAfile", "ca.pem")
	openssl(t, dir, "ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "ca.pem")

	// The authority's own certificate may be what is trusted, without who signed it.
	own, err := NewTrust(read(t, filepath.Join(dir, "tsa.pem")), nil)
	must(t, err)
	if _, err := Check(answer, note, nonce, own); err != nil {
		t.Errorf("trusted by itself: %v", err)
	}
	for _, x := range []struct {
		name  string
		text  []byte
		nonce []byte
		trust *Trust
		want  error
	}{
		{"of another checkpoint", append([]byte("x"), note...), nonce, trust, ErrImprint},
		{"of another request", note, append([]byte{0x41}, nonce[1:]...), trust, ErrNonce},
		{"of a foreign authority", note, nonce, func() *Trust { _, other := authority(t); return other }(), ErrAuthority},
		{"under another policy", note, nonce, &Trust{roots: trust.roots, policies: []asn1.ObjectIdentifier{{1, 2, 3, 4, 5}}}, ErrPolicy},
	} {
		if _, err := Check(answer, x.text, x.nonce, x.trust); !errors.Is(err, x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// EV-10: refusals, files cut at each length, and files of which one bit is another: none passes for a stamp.
func TestSpoiltStamp(t *testing.T) {
	dir, trust := authority(t)
	nonce, err := NewNonce(nil)
	must(t, err)
	req, err := Request(note, nonce)
	must(t, err)
	answer := stamp(t, dir, req)
	good, err := Check(answer, note, nonce, trust)
	must(t, err)
	for n := range answer {
		if _, err := Check(answer[:n], note, nonce, trust); err == nil {
			t.Fatalf("cut at %d of %d bytes: accepted", n, len(answer))
		}
	}
	if _, err := Check(append(answer[:len(answer):len(answer)], 0), note, nonce, trust); !errors.Is(err, ErrForm) {
		t.Errorf("with a byte behind it: %v", err)
	}
	step := 1
	if testing.Short() {
		step = 13
	}
	same := 0
	for i := 0; i < len(answer); i += step {
		bad := append([]byte(nil), answer...)
		bad[i] ^= 1 << (i % 8)
		// What is not signed (names of tags, the status' text) may differ; what it says may not.
		if got, err := Check(bad, note, nonce, trust); err == nil {
			if same++; got != good {
				t.Errorf("byte %d changed: accepted as %+v", i, got)
			}
		}
	}
	t.Logf("%d of %d changed files say the same", same, len(answer)/step)
	refused := stamp(t, dir, func() []byte {
		r := rfc3161.Request{HashAlgorithm: crypto.SHA1, HashedMessage: make([]byte, 20), Certificates: true}
		b, err := r.Marshal()
		must(t, err)
		return b
	}())
	if _, err := Check(refused, note, nonce, trust); !errors.Is(err, ErrStatus) {
		t.Errorf("refused: %v", err)
	}
	bare, err := (&rfc3161.Request{HashAlgorithm: crypto.SHA256, HashedMessage: sum(note), Nonce: new(big.Int).SetBytes(nonce)}).Marshal()
	must(t, err)
	if _, err := Check(stamp(t, dir, bare), note, nonce, trust); !errors.Is(err, ErrForm) {
		t.Errorf("without a certificate: %v", err)
	}
	for _, garbage := range [][]byte{nil, {}, []byte("no stamp"), make([]byte, 100), make([]byte, MostAnswer+1), note} {
		if _, err := Check(garbage, note, nonce, trust); !errors.Is(err, ErrForm) {
			t.Errorf("%d bytes of garbage: %v", len(garbage), err)
		}
	}
}

func sum(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// made is an authority whose certificate openssl would not use.
func made(t *testing.T, change func(c *x509.Certificate), critical bool) (cert *x509.Certificate, key *ecdsa.PrivateKey, trust *Trust) {
	t.Helper()
	root, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotBefore: time.Now().Add(-9000 * time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, root.Public(), root)
	must(t, err)
	trust, err = NewTrust(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil)
	must(t, err)
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	must(t, err)
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "Time 2"}, NotBefore: time.Now().Add(-8000 * time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: oidExtUsage, Critical: critical, Value: usage}},
	}
	change(leaf)
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), root)
	must(t, err)
	cert, err = x509.ParseCertificate(der)
	must(t, err)
	return cert, key, trust
}

// EV-10: the certificate must be one for time stamps alone, and valid when the stamp was made.
func TestCertificate(t *testing.T) {
	nonce, err := NewNonce(nil)
	must(t, err)
	now := time.Now()
	for _, x := range []struct {
		name     string
		change   func(c *x509.Certificate)
		critical bool
		at       time.Time
		hash     crypto.Hash
		want     error
	}{
		{"as it should be", func(*x509.Certificate) {}, true, now, crypto.SHA256, nil},
		{"SHA-512", func(*x509.Certificate) {}, true, now, crypto.SHA512, nil},
		{"ended before it signed", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }, true, now, crypto.SHA256, ErrSignature},
		{"ended before the stamp's time", func(c *x509.Certificate) { c.NotAfter = now.Add(time.Minute) }, true, now.Add(2 * time.Minute), crypto.SHA256, ErrAuthority},
		{"not begun", func(c *x509.Certificate) { c.NotBefore = now.Add(-time.Hour) }, true, now.Add(-2 * time.Hour), crypto.SHA256, ErrAuthority},
		{"usage not critical", func(*x509.Certificate) {}, false, now, crypto.SHA256, ErrAuthority},
		{"no usage", func(c *x509.Certificate) { c.ExtraExtensions = nil }, true, now, crypto.SHA256, ErrAuthority},
		{"for servers", func(c *x509.Certificate) {
			c.ExtraExtensions, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		}, true, now, crypto.SHA256, ErrAuthority},
		{"for time stamps and servers", func(c *x509.Certificate) {
			c.ExtraExtensions, c.ExtKeyUsage = nil, []x509.ExtKeyUsage{x509.ExtKeyUsageTimeStamping, x509.ExtKeyUsageServerAuth}
		}, true, now, crypto.SHA256, ErrAuthority},
		{"SHA-1", func(*x509.Certificate) {}, true, now, crypto.SHA1, ErrSignature},
	} {
		cert, key, trust := made(t, x.change, x.critical)
		s := rfc3161.Timestamp{HashAlgorithm: crypto.SHA256, HashedMessage: sum(note), Time: x.at.UTC(), Policy: asn1.ObjectIdentifier{1, 2}, Nonce: new(big.Int).SetBytes(nonce), AddTSACertificate: true}
		answer, err := s.CreateResponseWithOpts(cert, key, x.hash)
		must(t, err)
		got, err := Check(answer, note, nonce, trust)
		if !errors.Is(err, x.want) || err == nil && got.Time.Sub(x.at).Abs() > time.Second {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// FuzzCheck: whatever is handed over, nothing but an answer to this request passes, and nothing makes the program end.
func FuzzCheck(f *testing.F) {
	nonce := make([]byte, nonceBytes)
	nonce[0] = 0x41
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x00})
	f.Add(note)
	req, err := Request(note, nonce)
	must(f, err)
	f.Add(req)
	if _, err := exec.LookPath("openssl"); err == nil {
		dir, _ := authority(f)
		f.Add(stamp(f, dir, req))
	}
	other := []byte("another text")
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := Check(answer, other, nonce, nil); err == nil {
			t.Error("accepted")
		}
		_, _ = Check(answer, note, nonce, nil)
	})
}
