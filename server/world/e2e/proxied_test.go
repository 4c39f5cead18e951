package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/server/world/faultproxy"
)

// through puts a fault proxy between every gateway and the broker; it is called before they are started.
func (s *site) through(seed int64, gateways []gatewaySpec) *faultproxy.Proxy {
	s.t.Helper()
	load := func(cert, key, root string) (tls.Certificate, *x509.CertPool) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			s.t.Fatal(err)
		}
		pem, err := os.ReadFile(root)
		if err != nil {
			s.t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(pem)
		return pair, pool
	}
	ca := s.path("server/ca")
	cert, pool := load(filepath.Join(ca, "server.crt"), filepath.Join(ca, "server.key"), filepath.Join(ca, "root.crt"))
	p, err := faultproxy.New(faultproxy.Config{
		Broker: fmt.Sprintf("127.0.0.1:%d", s.mqtt), Seed: uint64(seed),
		ServerTLS: &tls.Config{
			Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
			MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
		},
		ClientTLS: func(name string) (*tls.Config, error) { // read anew each time: certificates may be renewed
			dir := s.path(name + "-identity")
			pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"))
			return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS13}, err
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			s.t.Error(err)
		}
	})
	for _, g := range gateways {
		text, err := os.ReadFile(s.path(g.id + ".toml"))
		if err != nil {
			s.t.Fatal(err)
		}
		s.write(g.id+".toml", strings.Replace(string(text), fmt.Sprintf("127.0.0.1:%d", s.mqtt), p.Addr(), 1))
	}
	return p
}

// edges counts the unlock edges of every door of a gateway since its first start.
func (s *site) edges(gateway string) int {
	n := 0
	for _, l := range s.trace(gateway) {
		if l.fields[0] == "lock" && l.fields[2] == "released" {
			n++
		}
	}
	return n
}

// goThrough holds person n's card before a reader and passes the door, which must open exactly once.
func (s *site) goThrough(what, gateway, door string, fc, n int) {
	s.t.Helper()
	before := s.released(gateway, door)
	if _, err := s.tell(gateway, fmt.Sprintf("badge %s enter H10301 %d %d", door, fc, 1+n)); err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
	s.until(5*time.Second, what+": a valid card opens "+door, func() bool { return s.released(gateway, door) > before })
	s.pass(gateway, door)
	if n := s.released(gateway, door) - before; n != 1 {
		s.t.Errorf("%s: %d unlock edges for one card", what, n)
	}
}

// environment is a number of the environment, or n.
func environment(t *testing.T, name string, n int) int {
	t.Helper()
	if v := os.Getenv(name); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return n
}
