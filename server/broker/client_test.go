package broker_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"monban/server/broker"
	"monban/server/ca"
)

const site = "tagajo-demo"

// bench is a broker with its own authority.
type bench struct {
	ca     *ca.CA
	broker *broker.Broker // nil when the broker is Mosquitto
	addr   string
	// Of Mosquitto only.
	process *os.Process
	acl     string
	cfg     broker.Config
	stop    func() error
}

func newBench(t *testing.T, change func(*broker.Config)) *bench {
	t.Helper()
	b := &bench{ca: newCA(t)}
	b.cfg = broker.Config{
		Listen: "127.0.0.1:0", Site: site, Server: ca.ServerName, TLS: b.ca.ServerTLS(),
		RuntimeDir: filepath.Join(t.TempDir(), "run"), Denied: b.ca.Denied,
		Log: slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&b.cfg)
	}
	b.start(t)
	return b
}

func newCA(t *testing.T) *ca.CA {
	t.Helper()
	c, err := ca.Create(filepath.Join(t.TempDir(), "ca"), ca.Options{Site: site, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) start(t *testing.T) {
	t.Helper()
	br, err := broker.New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.broker, b.addr = br, br.Addr()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- br.Run(ctx) }()
	stopped := false
	b.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := b.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

// tlsOf issues a certificate to the gateway; the server's own name gets the server's.
func (b *bench) tlsOf(t *testing.T, id string) *tls.Config {
	t.Helper()
	cfg := b.ca.ClientTLS("localhost")
	if id == ca.ServerName {
		return cfg
	}
	is, err := b.ca.IssueGateway(id, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(is.CertPEM, is.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Certificates, cfg.GetClientCertificate = []tls.Certificate{cert}, nil
	return cfg
}

// client is a small MQTT 3.1.1 client that can also misbehave.
type client struct {
	t    *testing.T
	raw  net.Conn // below TLS
	conn net.Conn
	in   *bufio.Reader
}

func (b *bench) dial(t *testing.T, cfg *tls.Config) (*client, error) {
	t.Helper()
	raw, err := net.DialTimeout("tcp", b.addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = raw.Close() })
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	conn := tls.Client(raw, cfg)
	if err := conn.Handshake(); err != nil {
		return nil, err
	}
	return &client{t: t, raw: raw, conn: conn, in: bufio.NewReader(conn)}, nil
}

// connect dials and completes CONNECT as id.
func (b *bench) connect(t *testing.T, id string) *client {
	t.Helper()
	c, err := b.dial(t, b.tlsOf(t, id))
	if err != nil {
		t.Fatalf("dial as %s: %v", id, err)
	}
	if err := c.hello(clientID(id), "", nil); err != nil {
		t.Fatalf("connect as %s: %v", id, err)
	}
	return c
}

func clientID(name string) string {
	var r [8]byte
	_, _ = rand.Read(r[:])
	return name + "-" + hex.EncodeToString(r[:])
}

// hello sends CONNECT (with a will when there is a topic) and reads CONNACK.
func (c *client) hello(id, willTopic string, will []byte) error {
	return c.helloRetain(id, willTopic, will, false)
}

func (c *client) helloRetain(id, willTopic string, will []byte, retain bool) error {
	flags := byte(0x02) // clean session
	if retain {
		flags |= 0x20
	}
	body := append(str(id), []byte(nil)...)
	if willTopic != "" {
		flags |= 0x04
		body = append(append(body, str(willTopic)...), str(string(will))...)
	}
	head := append(str("MQTT"), 4, flags, 0, 60) // keep-alive: longer than a test
	if err := c.send(0x10, append(head, body...)); err != nil {
		return err
	}
	kind, p, err := c.read()
	if err != nil {
		return err
	}
	if kind != 0x20 || len(p) != 2 || p[1] != 0 {
		return fmt.Errorf("CONNACK %x %x", kind, p)
	}
	return nil
}

// subscribe returns the SUBACK code.
func (c *client) subscribe(topic string) byte {
	c.t.Helper()
	code, open := c.trySubscribe(topic)
	if !open {
		c.t.Fatalf("subscribe %s: the broker ended the connection", topic)
	}
	return code
}

// trySubscribe returns the SUBACK code, and whether the connection still stands.
func (c *client) trySubscribe(topic string) (code byte, open bool) {
	c.t.Helper()
	if err := c.send(0x82, append(append([]byte{0, 1}, str(topic)...), 0)); err != nil {
		return 0, false
	}
	for {
		kind, p, err := c.read()
		switch {
		case err != nil:
			return 0, false
		case kind == 0x90:
			return p[2], true
		case kind&0xf0 != 0x30:
			c.t.Fatalf("subscribe %s: packet %x", topic, kind)
		}
	}
}

func (c *client) publish(topic, payload string, retain bool, qos byte) {
	c.t.Helper()
	kind := 0x30 | qos<<1
	if retain {
		kind |= 1
	}
	body := str(topic)
	if qos > 0 {
		body = append(body, 0, 7)
	}
	if err := c.send(kind, append(body, payload...)); err != nil {
		c.t.Fatal(err)
	}
}

// settle returns when the broker has worked off everything sent before: PINGREQ is answered in order.
func (c *client) settle() {
	c.t.Helper()
	if err := c.send(0xc0, nil); err != nil {
		c.t.Fatal(err)
	}
	for {
		kind, _, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		if kind == 0xd0 {
			return
		}
	}
}

// drain returns every PUBLISH up to and without the answer to a PINGREQ: "topic payload", with " R"
// when retained.
func (c *client) drain() []string {
	c.t.Helper()
	if err := c.send(0xc0, nil); err != nil {
		c.t.Fatal(err)
	}
	var out []string
	for {
		kind, p, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		switch {
		case kind == 0xd0:
			return out
		case kind&0xf0 == 0x30:
			n := int(binary.BigEndian.Uint16(p))
			s := string(p[2:2+n]) + " " + string(p[2+n:])
			if kind&1 == 1 {
				s += " R"
			}
			out = append(out, s)
		}
	}
}

// gone reports whether the broker closes the connection within the deadline.
func (c *client) gone() bool {
	_ = c.conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, err := io.Copy(io.Discard, c.in)
	var ne net.Error
	return !(errors.As(err, &ne) && ne.Timeout())
}

func (c *client) send(kind byte, body []byte) error {
	p := []byte{kind}
	n := len(body)
	for {
		b := byte(n % 128)
		if n /= 128; n > 0 {
			p = append(p, b|0x80)
			continue
		}
		p = append(p, b)
		break
	}
	_, err := c.conn.Write(append(p, body...))
	return err
}

func (c *client) read() (byte, []byte, error) {
	kind, err := c.in.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	n, shift := 0, 0
	for {
		b, err := c.in.ReadByte()
		if err != nil {
			return 0, nil, err
		}
		n |= int(b&0x7f) << shift
		shift += 7
		if b&0x80 == 0 {
			break
		}
	}
	body := make([]byte, n)
	_, err = io.ReadFull(c.in, body)
	return kind, body, err
}

func str(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

// until polls a condition that another goroutine brings about.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	if !await(t, cond) {
		t.Fatalf("not within 15 s: %s", what)
	}
}

// await is until for a test that says more itself when it was in vain.
func await(t *testing.T, cond func() bool) bool {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(15 * time.Second)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			return false
		}
	}
	return true
}

func topic(gateway, dir, kind string) string {
	return "monban/1/" + site + "/" + gateway + "/" + dir + "/" + kind
}

var (
	ups   = []string{"hello", "heartbeat", "ask", "events", "want", "witness"}
	downs = []string{"welcome", "lease", "answer", "ack", "policy", "chunk", "command"}
)

// extend gives a long test's connection more time.
func (c *client) extend() { _ = c.raw.SetDeadline(time.Now().Add(20 * time.Second)) }
