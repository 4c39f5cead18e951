package broker_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/wire"
	"monban/server/broker"
	"monban/server/ca"
)

func TestStartStopRestart(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for range 3 {
		c := b.connect(t, "gw-1")
		c.settle()
		if err := b.stop(); err != nil {
			t.Fatal(err)
		}
		if !c.gone() {
			t.Error("a connection outlived the broker")
		}
		if left, err := os.ReadDir(b.cfg.RuntimeDir); err != nil || len(left) != 0 {
			t.Errorf("left in the runtime directory: %v, %v", left, err)
		}
		b.start(t)
	}
}

func TestFreshDirectoryRemovesThatOfADeadProcess(t *testing.T) {
	t.Parallel()
	dead := ""
	b := newBench(t, func(c *broker.Config) {
		dead = filepath.Join(c.RuntimeDir, "broker-2147483600-1") // above any pid_max
		if err := os.MkdirAll(dead, 0o700); err != nil {
			t.Fatal(err)
		}
		alive := filepath.Join(c.RuntimeDir, fmt.Sprintf("broker-%d-1", os.Getpid()))
		if err := os.MkdirAll(alive, 0o700); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := os.Stat(dead); err == nil {
		t.Error("the directory of a dead process is still there")
	}
	left, err := os.ReadDir(b.cfg.RuntimeDir)
	if err != nil || len(left) != 2 {
		t.Errorf("%v, %v; want that of the living process and this start's", left, err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's listener
	b := newBench(t, nil)
	cfg := b.cfg
	cfg.Listen = l.Addr().String()
	got, err := broker.New(cfg)
	if err == nil {
		_ = got.Close()
		t.Fatal("started on a port in use")
	}
	if !strings.Contains(err.Error(), l.Addr().String()) || !strings.Contains(err.Error(), "in use") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q", err)
	}
	for _, listen := range []string{"", "127.0.0.1", ":1", "127.0.0.1:x", "127.0.0.1:70000", "192.0.2.1:8883"} {
		cfg.Listen = listen
		if got, err := broker.New(cfg); err == nil {
			_ = got.Close()
			t.Errorf("started on %q", listen)
		}
	}
}

// OP-3: no plaintext, no weaker TLS, no broker without certificates, whatever the caller passes.
func TestWeakTLSIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for name, change := range map[string]func(*tls.Config){
		"no client certificate":   func(c *tls.Config) { c.ClientAuth = tls.NoClientCert },
		"optional certificate":    func(c *tls.Config) { c.ClientAuth = tls.VerifyClientCertIfGiven },
		"unverified certificates": func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert },
		"TLS 1.2":                 func(c *tls.Config) { c.MinVersion = tls.VersionTLS12 },
	} {
		cfg := b.cfg
		cfg.TLS = cfg.TLS.Clone()
		change(cfg.TLS)
		if got, err := broker.New(cfg); err == nil {
			_ = got.Close()
			t.Error(name)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	foreign := &bench{ca: newCA(t)}
	good := b.tlsOf(t, "gw-1")

	none := good.Clone()
	none.Certificates = nil
	wrong := foreign.tlsOf(t, "gw-1")
	wrong.RootCAs = good.RootCAs
	for name, cfg := range map[string]*tls.Config{"no certificate": none, "another authority": wrong} {
		// TLS 1.3: the client's handshake ends before the server's verdict, which comes with the next read.
		c, err := b.dial(t, cfg)
		if err == nil {
			err = c.hello(clientID("gw-1"), "", nil)
		}
		if err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	raw, err := net.Dial("tcp", b.broker.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close() //nolint:errcheck // a test's socket
	_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
	plain := &client{t: t, conn: raw}
	if err := plain.send(0x10, append(append(str("MQTT"), 4, 2, 0, 5), str("gw-1")...)); err != nil {
		t.Fatal(err)
	}
	if n, err := raw.Read(make([]byte, 16)); n > 0 && err == nil {
		// An alert record (0x15) is all that may come.
		buf := make([]byte, 1)
		if _, err := raw.Read(buf); err == nil {
			t.Error("plaintext CONNECT was answered")
		}
	}
	b.connect(t, "gw-1").settle()
}

func TestWillsAndRetainedMessagesDoNotCross(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	victim := b.connect(t, "gw-1")
	for _, k := range downs {
		victim.subscribe(topic("gw-1", "down", k))
	}
	server := b.connect(t, ca.ServerName)
	for _, k := range ups {
		server.subscribe(topic("+", "up", k))
	}
	for _, tp := range []string{topic("gw-1", "down", "command"), topic("gw-1", "up", "events")} {
		c, err := b.dial(t, b.tlsOf(t, "gw-2"))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.hello(clientID("gw-2"), tp, []byte("will")); err != nil {
			continue // refused at CONNECT is as good
		}
		c.publish(tp, "kept", true, 0)
		c.settle()
		_ = c.conn.Close() // without DISCONNECT: the will is due
	}
	until(t, "the broker notices that gw-2 left", func() bool { return b.broker.Connections()["gw-2"] == 0 })
	if got := append(victim.drain(), server.drain()...); len(got) != 0 {
		t.Errorf("arrived: %q", got)
	}
	// Who comes later is not given a foreign retained message either.
	late := b.connect(t, "gw-1")
	for _, k := range downs {
		late.subscribe(topic("gw-1", "down", k))
	}
	lateServer := b.connect(t, ca.ServerName)
	for _, k := range ups {
		lateServer.subscribe(topic("+", "up", k))
	}
	if got := append(late.drain(), lateServer.drain()...); len(got) != 0 {
		t.Errorf("arrived later: %q", got)
	}
	// A gateway's own retained message reaches the server with RETAIN set, by which the server drops it.
	own := b.connect(t, "gw-2")
	own.publish(topic("gw-2", "up", "hello"), "old", true, 0)
	own.settle()
	until(t, "the retained message is stored", func() bool {
		again := b.connect(t, ca.ServerName)
		again.subscribe(topic("+", "up", "hello"))
		return slices.Contains(again.drain(), topic("gw-2", "up", "hello")+" old R")
	})
}

func TestOversizedPayloadEndsOnlyItsSender(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	bystander, server := b.connect(t, "gw-2"), b.connect(t, ca.ServerName)
	server.subscribe(topic("+", "up", "events"))
	fits := b.connect(t, "gw-1")
	fits.publish(topic("gw-1", "up", "events"), strings.Repeat("x", 48<<10), false, 0)
	fits.settle()
	if got := server.drain(); len(got) != 1 {
		t.Errorf("48 KiB did not arrive: %d", len(got))
	}
	for _, n := range []int{64 << 10, 1 << 20} {
		c := b.connect(t, "gw-1")
		_ = c.send(0x30, append(str(topic("gw-1", "up", "events")), strings.Repeat("x", n)...)) // may break off
		if !c.gone() {
			t.Errorf("%d bytes: still connected", n)
		}
	}
	bystander.settle()
	if got := server.drain(); len(got) != 0 {
		t.Errorf("oversized arrived: %d", len(got))
	}
}

// Kick, deny list and client id: what ends a living connection.
func TestConnectionsAreEnded(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	found := map[string]int{}
	b := newBench(t, func(c *broker.Config) {
		c.Finding = func(kind broker.Finding, name string) {
			mu.Lock()
			defer mu.Unlock()
			found[string(kind)+" "+name]++
		}
	})
	a1, a2, other := b.connect(t, "gw-1"), b.connect(t, "gw-1"), b.connect(t, "gw-2")
	if n := b.broker.Connections()["gw-1"]; n != 2 {
		t.Errorf("%d connections of gw-1", n)
	}
	if n := b.broker.Kick("gw-1"); n != 2 || !a1.gone() || !a2.gone() {
		t.Errorf("kicked %d", n)
	}
	if n := b.broker.Kick("gw-9"); n != 0 {
		t.Errorf("kicked %d of nobody", n)
	}
	other.settle()

	// gw-2 denied while connected: ended by the sweep, and its next handshake fails.
	cfg := b.tlsOf(t, "gw-2")
	if _, err := b.ca.DenyGateway("gw-2", time.Now()); err != nil {
		t.Fatal(err)
	}
	if !other.gone() {
		t.Error("denied gateway still connected")
	}
	if c, err := b.dial(t, cfg); err == nil && c.hello(clientID("gw-2"), "", nil) == nil {
		t.Error("denied gateway connected again")
	}

	// gw-3 with the client id of gw-1: ended; with its own: stays.
	rogue, err := b.dial(t, b.tlsOf(t, "gw-3"))
	if err != nil {
		t.Fatal(err)
	}
	if err := rogue.hello(clientID("gw-1"), "", nil); err != nil {
		t.Fatal(err)
	}
	honest := b.connect(t, "gw-3")
	if !rogue.gone() {
		t.Error("foreign client id still connected")
	}
	honest.settle()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"certificate_denied gw-2", "client_id_foreign gw-3"} {
		if found[want] == 0 {
			t.Errorf("no finding %q in %v", want, found)
		}
	}
}

// One certificate cannot take every place.
func TestOneNameCannotTakeAllConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	cfg := b.tlsOf(t, "gw-1")
	accepted := 0
	for range 40 {
		c, err := b.dial(t, cfg)
		if err == nil && c.hello(clientID("gw-1"), "", nil) == nil {
			accepted++
		}
	}
	if accepted != 16 {
		t.Errorf("%d connections of one name", accepted)
	}
	b.connect(t, "gw-2").settle()
}

// The hook refuses a denied certificate even where the TLS configuration does not look.
func TestDenyListIsCheckedAtAuthenticationToo(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *broker.Config) {
		c.TLS = c.TLS.Clone()
		c.TLS.VerifyConnection, c.TLS.GetConfigForClient = nil, nil
	})
	cfg := b.tlsOf(t, "gw-1")
	if _, err := b.ca.DenyGateway("gw-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	c, err := b.dial(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if c.hello(clientID("gw-1"), "", nil) == nil {
		t.Error("connected")
	}
}

// The broker's lists of kinds are the protocol's.
func TestKindsAreThoseOfTheProtocol(t *testing.T) {
	t.Parallel()
	if d := cmp.Diff(ups, wire.UpKinds()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(downs, wire.DownKinds()); d != "" {
		t.Error(d)
	}
	for _, k := range slices.Concat(ups, downs) {
		dir := "down"
		if slices.Contains(ups, k) {
			dir = "up"
		}
		if got := wire.Topic(site, "gw-1", k); got != topic("gw-1", dir, k) {
			t.Errorf("%s: %s", k, got)
		}
	}
}
