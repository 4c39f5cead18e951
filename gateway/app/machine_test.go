package app

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Certificates: well with much of their life left; late, ended or not begun say what to do.
func TestDoctorCertificate(t *testing.T) {
	made := time.Now()
	a := newAuthority(t, made) // certificates of 14 days
	cert, key := a.pair(t, "gw")
	pair, err := tls.X509KeyPair([]byte(cert), key)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}}
	day := 24 * time.Hour
	for _, k := range []struct {
		at    time.Duration
		enrol string
		want  string
	}{
		{day, "s:1", ""}, {10 * day, "s:1", ""}, {11 * day, "s:1", "renewed by itself"}, {11 * day, "", "gateway add"},
		{15 * day, "s:1", "ended on"}, {-2 * day, "", "begins only on"},
	} {
		got := checkCertificate(c, k.enrol, made.Add(k.at))
		if (got.Err == nil) != (k.want == "") || got.Err != nil && !strings.Contains(got.Err.Error(), k.want) {
			t.Errorf("%v after it was made: %v, want %q", k.at, got.Err, k.want)
		}
	}
}

// The disk is well where a block can be stored, and a folder in which nothing can be is not; no file is left.
func TestDoctorDisk(t *testing.T) {
	dir := t.TempDir()
	if c := checkDisk(dir); c.Err != nil || !strings.Contains(c.Note, "MiB free") {
		t.Errorf("%+v", c)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := os.Mkdir(filepath.Join(dir, "doctor.tmp"), 0o700); err != nil { // root may write anywhere, but not over a folder
		t.Fatal(err)
	}
	if c := checkDisk(dir); c.Err == nil {
		t.Error("a disk on which nothing can be stored is well")
	}
	if c := checkDisk(filepath.Join(dir, "none")); c.Err == nil {
		t.Error("a folder that is not there is well")
	}
}

// The link is well with a server of our authority, and nothing else is: nobody there, another's server.
func TestDoctorLink(t *testing.T) {
	a, other := newAuthority(t, time.Now()), newAuthority(t, time.Now())
	serve := func(of *authority) string {
		cert, key := of.pair(t, "server")
		pair, err := tls.X509KeyPair([]byte(cert), key)
		if err != nil {
			t.Fatal(err)
		}
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_ = c.(*tls.Conn).Handshake()
			}
		}()
		return "tls://" + l.Addr().String()
	}
	c := a.trusting()
	if k := checkLink(t.Context(), c, serve(a)); k.Err != nil {
		t.Error(k.Err)
	}
	if k := checkLink(t.Context(), c, serve(other)); k.Err == nil || !strings.Contains(k.Err.Error(), "our server") {
		t.Errorf("another's server: %v", k.Err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "tls://" + l.Addr().String()
	l.Close()
	if k := checkLink(t.Context(), c, nobody); k.Err == nil || !strings.Contains(k.Err.Error(), "cable") {
		t.Errorf("nobody there: %v", k.Err)
	}
}

// trusting is what a gateway of this authority shows and believes.
func (a *authority) trusting() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(a.root)
	return &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: pool}
}
