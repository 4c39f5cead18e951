package ldap

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// slapd is a real directory (OpenLDAP), run as a process of this test's own in a folder of its own, on loopback.
type slapd struct {
	dir   string
	roots *x509.CertPool
	plain int // ldap://, StartTLS
	tls   int // ldaps://
	cmd   *exec.Cmd
	done  chan struct{}
}

const slapdPeople = `dn: dc=city
objectClass: dcObject
objectClass: organization
o: city
dc: city

dn: ou=people,dc=city
objectClass: organizationalUnit
ou: people

dn: cn=monban,dc=city
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: monban
userPassword: search-password

dn: uid=takahashi,ou=people,dc=city
objectClass: inetOrgPerson
uid: takahashi
cn: 髙橋 健一
sn: 髙橋
userPassword: pw-takahashi 長い

dn: uid=yoshida,ou=people,dc=city
objectClass: inetOrgPerson
uid: yoshida
cn: 𠮷田 美咲
sn: 𠮷田
userPassword: pw-yoshida

dn: uid=𠮷田,ou=people,dc=city
objectClass: inetOrgPerson
uid: 𠮷田
cn: 𠮷田 (別名)
sn: 𠮷田
userPassword: pw-𠮷田

dn: uid=sakiyama,ou=people,dc=city
objectClass: inetOrgPerson
uid: sakiyama
cn: 﨑山 (窓口) *
sn: 﨑山
userPassword: pw-sakiyama

dn: uid=watanabe,ou=people,dc=city
objectClass: inetOrgPerson
uid: watanabe
cn: 渡邉 花子
sn: 渡邉
userPassword: pw-watanabe
pwdAccountLockedTime: 000001010000Z

dn: ou=branch,dc=city
objectClass: referral
objectClass: extensibleObject
ou: branch
ref: ldap://127.0.0.1:1/ou=branch,dc=city

dn: cn=guards,dc=city
objectClass: groupOfNames
cn: guards
member: uid=sakiyama,ou=people,dc=city

dn: cn=lockout,dc=city
objectClass: device
objectClass: pwdPolicy
cn: lockout
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 3
`

// startSlapd skips with a message where there is none.
func startSlapd(t *testing.T) *slapd {
	t.Helper()
	path, err := exec.LookPath("slapd")
	if err != nil {
		path = "/usr/sbin/slapd"
	}
	modules, schema := "/usr/lib/ldap", "/etc/ldap/schema"
	for _, need := range []string{path, filepath.Join(modules, "back_mdb.so"), filepath.Join(schema, "core.schema")} {
		if _, err := os.Stat(need); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("no OpenLDAP server here (%s): .ci/run installs the package slapd", need)
			}
			t.Skipf("NOT CHECKED: no OpenLDAP server here (%s): apt-get install slapd", need)
		}
	}
	s := &slapd{dir: t.TempDir(), plain: freePort(t), tls: freePort(t)}
	s.certificates(t)
	conf := fmt.Sprintf(`include %[1]s/core.schema
include %[1]s/cosine.schema
include %[1]s/inetorgperson.schema
modulepath %[2]s
moduleload back_mdb
moduleload memberof
moduleload ppolicy
pidfile %[3]s/pid
argsfile %[3]s/args
TLSCACertificateFile %[3]s/ca.pem
TLSCertificateFile %[3]s/cert.pem
TLSCertificateKeyFile %[3]s/key.pem
security simple_bind=128
sizelimit 500
database mdb
suffix "dc=city"
rootdn "cn=root,dc=city"
rootpw root-password
directory %[3]s/db
overlay memberof
overlay ppolicy
ppolicy_default "cn=lockout,dc=city"
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=monban,dc=city" read by * none
`, schema, modules, s.dir)
	s.write(t, "slapd.conf", conf)
	s.write(t, "people.ldif", slapdPeople)
	if err := os.Mkdir(filepath.Join(s.dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	// slapadd is slapd under another name.
	add := exec.Command(path, "-T", "add", "-f", filepath.Join(s.dir, "slapd.conf"), "-l", filepath.Join(s.dir, "people.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s.cmd = exec.Command(path, "-d", "0", "-f", filepath.Join(s.dir, "slapd.conf"), "-h", fmt.Sprintf("ldap://127.0.0.1:%d/ ldaps://127.0.0.1:%d/", s.plain, s.tls))
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said strings.Builder
	s.cmd.Stdout, s.cmd.Stderr = &said, &said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.done = make(chan struct{})
	go func() { defer close(s.done); _ = s.cmd.Wait() }()
	t.Cleanup(s.stop)
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.tls))
		if err == nil {
			_ = c.Close()
			return s
		}
		select {
		case <-s.done:
			t.Fatalf("slapd ended:\n%s", said.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatal("slapd takes no connection")
		}
	}
}

// stop ends the process by its own id.
func (s *slapd) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.done
}

func (s *slapd) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// certificates makes a CA of the city's own and a certificate for "localhost" by it.
func (s *slapd) certificates(t *testing.T) {
	t.Helper()
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from, until := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "City CA"}, NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: from, NotAfter: until, DNSNames: []string{"localhost"}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	s.write(t, "ca.pem", block("CERTIFICATE", caDER))
	s.write(t, "cert.pem", block("CERTIFICATE", der))
	s.write(t, "key.pem", block("PRIVATE KEY", raw))
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM([]byte(block("CERTIFICATE", caDER)))
}

func (s *slapd) config(scheme string) Config {
	port := s.plain
	if scheme == "ldaps" {
		port = s.tls
	}
	return Config{URL: fmt.Sprintf("%s://localhost:%d", scheme, port), Roots: s.roots, BindDN: "cn=monban,dc=city", Password: "search-password", Base: "dc=city",
		Filter: "(&(objectClass=person)(uid={name}))", Groups: []GroupRole{{"cn=guards,dc=city", "reception"}}}
}

// RA-3: against OpenLDAP, over LDAPS and over StartTLS with a CA of the city's own: the one right password lets in; wrong ones, an
// empty one, filters, a locked account and nobody do not. Names beyond the basic plane are names.
func TestSlapdVerify(t *testing.T) {
	s := startSlapd(t)
	for _, scheme := range []string{"ldaps", "ldap"} {
		x := open(t, s.config(scheme))
		for _, c := range []struct {
			what, name, password string
			want                 bool
		}{
			{"right", "takahashi", "pw-takahashi 長い", true},
			{"wrong", "takahashi", "pw-yoshida", false},
			{"empty", "takahashi", "", false},
			{"a name beyond the basic plane", "𠮷田", "pw-𠮷田", true},
			{"its password at another name", "yoshida", "pw-𠮷田", false},
			{"brackets and a star in the name of the entry", "sakiyama", "pw-sakiyama", true},
			{"locked by the directory", "watanabe", "pw-watanabe", false},
			{"nobody", "nobody", "pw-takahashi 長い", false},
			{"a star", "*", "pw-takahashi 長い", false},
			{"part and star", "taka*", "pw-takahashi 長い", false},
			{"another filter", "x)(uid=takahashi", "pw-takahashi 長い", false},
			{"an or", "x)(|(uid=*", "pw-takahashi 長い", false},
			{"NUL", "takahashi\x00", "pw-takahashi 長い", false},
			{"half a character", "takahashi\xe9", "pw-takahashi 長い", false},
			{"the searching account, which is no person", "monban", "search-password", false},
		} {
			got, err := x.Verify(t.Context(), c.name, c.password)
			if err != nil || got != c.want {
				t.Errorf("%s, %s: %v, %v; want %v", scheme, c.what, got, err, c.want)
			}
		}
		if _, err := x.Find(t.Context(), "monban"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// RA-3: the directory's own lockout is the directory's: after three wrong passwords the right one is refused there.
func TestSlapdLocksOut(t *testing.T) {
	s := startSlapd(t)
	x := open(t, s.config("ldaps"))
	if got, err := x.Verify(t.Context(), "yoshida", "pw-yoshida"); err != nil || !got {
		t.Fatalf("before: %v, %v", got, err)
	}
	for range 3 {
		if got, err := x.Verify(t.Context(), "yoshida", "wrong"); err != nil || got {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if got, err := x.Verify(t.Context(), "yoshida", "pw-yoshida"); err != nil || got {
		t.Errorf("after three wrong ones: %v, %v", got, err)
	}
}

// A referral is not followed: no password goes to whoever it names. A search over it finds who is here.
func TestSlapdReferral(t *testing.T) {
	s := startSlapd(t)
	if got, err := open(t, s.config("ldaps")).Verify(t.Context(), "takahashi", "pw-takahashi 長い"); err != nil || !got {
		t.Errorf("beside a referral: %v, %v", got, err)
	}
	cfg := s.config("ldaps")
	cfg.Base = "ou=branch,dc=city"
	began := time.Now()
	got, err := open(t, cfg).Verify(t.Context(), "takahashi", "pw-takahashi 長い")
	if got || err == nil || strings.Contains(err.Error(), "takahashi") {
		t.Errorf("a base that is elsewhere: %v, %v", got, err)
	}
	if time.Since(began) > time.Minute {
		t.Errorf("took %v", time.Since(began))
	}
}

// A certificate of another CA, a name that is not the certificate's, no TLS, a server that is away: nobody gets in, and the error names no
// person and no password.
func TestSlapdNotTrusted(t *testing.T) {
	s := startSlapd(t)
	for name, change := range map[string]func(*Config){
		"another CA":              func(c *Config) { c.Roots = x509.NewCertPool() },
		"another name":            func(c *Config) { c.URL = strings.Replace(c.URL, "localhost", "127.0.0.1", 1) },
		"a wrong searcher":        func(c *Config) { c.Password = "wrong" },
		"no TLS at the TLS port":  func(c *Config) { c.URL = fmt.Sprintf("ldap://localhost:%d", s.tls) },
		"TLS at the StartTLS one": func(c *Config) { c.URL = fmt.Sprintf("ldaps://localhost:%d", s.plain) },
	} {
		cfg := s.config("ldaps")
		change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		good, err := open(t, cfg).Verify(ctx, "takahashi", "pw-takahashi 長い")
		cancel()
		if good || err == nil || strings.Contains(err.Error(), "pw-") || strings.Contains(err.Error(), "takahashi") {
			t.Errorf("%s: %v, %v", name, good, err)
		}
	}
	x := open(t, s.config("ldaps"))
	s.stop()
	if good, err := x.Verify(t.Context(), "takahashi", "pw-takahashi 長い"); good || err == nil || strings.Contains(err.Error(), "takahashi") {
		t.Errorf("away: %v, %v", good, err)
	}
}

// A directory that takes the connection and says nothing: the question ends with the person's patience.
func TestSlowDirectory(t *testing.T) {
	s := startSlapd(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // between us and it: passes the hand-shake on, then holds what the directory says
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.tls))
			if err != nil {
				_ = c.Close()
				return
			}
			var asked atomic.Bool // the first question is on its way
			go func() {
				defer up.Close()
				for head, sealed := make([]byte, 5), 0; ; {
					if _, err := io.ReadFull(c, head); err != nil {
						return
					}
					body := make([]byte, int(head[3])<<8|int(head[4]))
					if _, err := io.ReadFull(c, body); err != nil {
						return
					}
					if head[0] == 23 { // sealed: the end of the hand-shake, then the bind
						sealed++
					}
					asked.Store(sealed > 1)
					if _, err := up.Write(append(slices.Clone(head), body...)); err != nil {
						return
					}
				}
			}()
			go func() {
				defer c.Close()
				for buf := make([]byte, 4096); ; {
					n, err := up.Read(buf)
					if err != nil {
						return
					}
					if asked.Load() {
						<-t.Context().Done()
						return
					}
					_, _ = c.Write(buf[:n])
				}
			}()
		}
	}()
	cfg := s.config("ldaps")
	cfg.URL = fmt.Sprintf("ldaps://localhost:%d", l.Addr().(*net.TCPAddr).Port)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		good, err := open(t, cfg).Verify(ctx, "takahashi", "pw-takahashi 長い")
		if good {
			err = errors.New("let in")
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Log(err)
		if err == nil || err.Error() == "let in" {
			t.Errorf("a silent directory: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("waits for ever")
	}
}
