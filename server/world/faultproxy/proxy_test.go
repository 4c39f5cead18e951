package faultproxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/ca"
)

// pair is a gateway's end and a broker's end with the proxy between.
type pair struct {
	p       *Proxy
	gateway *end
	broker  *end
	dial    func() *end // another connection of the gateway
	accept  func() *end // its broker's end
}

type end struct {
	conn net.Conn
	r    *bufio.Reader
}

func newPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	c, err := ca.Create(filepath.Join(t.TempDir(), "ca"), ca.Options{Site: "s", Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	is, err := c.IssueGateway("gw-1", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(is.CertPEM, is.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	client := c.ClientTLS("localhost")
	client.Certificates, client.GetClientCertificate = []tls.Certificate{cert}, nil
	l, err := tls.Listen("tcp", "127.0.0.1:0", c.ServerTLS())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p, err := New(Config{
		Broker: l.Addr().String(), ServerTLS: c.ServerTLS(), Seed: seed,
		ClientTLS: func(name string) (*tls.Config, error) {
			if name != "gw-1" {
				return nil, fmt.Errorf("no identity of %s", name)
			}
			return client, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	q := &pair{p: p}
	q.accept = func() *end {
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return newEnd(t, conn)
	}
	q.dial = func() *end {
		conn, err := tls.Dial("tcp", p.Addr(), client)
		if err != nil {
			t.Fatal(err)
		}
		return newEnd(t, conn)
	}
	q.connect()
	return q
}

// connect makes a connection through the proxy, and returns when it stands.
func (q *pair) connect() {
	q.gateway = q.dial()
	q.broker = q.accept()
	go func() { _ = q.broker.conn.(*tls.Conn).Handshake() }() // an error shows at the first read
	for q.p.Linked() != 1 {
		time.Sleep(5 * time.Millisecond)
	}
}

func newEnd(t *testing.T, conn net.Conn) *end {
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &end{conn, bufio.NewReader(conn)}
}

const base = "monban/1/s/gw-1/"

func (e *end) say(t *testing.T, m ...Message) {
	t.Helper()
	for _, m := range m {
		if _, err := e.conn.Write(publish(m).bytes()); err != nil {
			t.Fatal(err)
		}
	}
}

// hear reads payloads up to and without one that says "end".
func (e *end) hear(t *testing.T) []string {
	t.Helper()
	var out []string
	for {
		f, err := readFrame(e.r)
		if err != nil {
			t.Fatalf("after %q: %v", out, err)
		}
		_, _, payload, err := f.split()
		if err != nil {
			continue
		}
		if string(payload) == "end" {
			return out
		}
		out = append(out, string(payload))
	}
}

// run says a hundred acks and then an end that nothing happens to.
func (q *pair) run(t *testing.T, o Odds) []string {
	t.Helper()
	q.p.SetFaults(Faults{"ack": o})
	for i := range 100 {
		q.broker.say(t, Message{Topic: base + "down/ack", Payload: fmt.Appendf(nil, "message %d", i)})
	}
	time.Sleep(MaxDelay + 2*MaxHold) // what is late may come before the end
	q.broker.say(t, Message{Topic: base + "down/lease", Payload: []byte("end")})
	return q.gateway.hear(t)
}

func hundred() []string {
	var out []string
	for i := range 100 {
		out = append(out, fmt.Sprintf("message %d", i))
	}
	return out
}

// Each fault does what its name says, and nothing else.
func TestFaults(t *testing.T) {
	t.Parallel()
	sorted := func(s []string) []string { s = slices.Clone(s); slices.Sort(s); return s }
	want := hundred()
	for name, c := range map[string]struct {
		odds  Odds
		check func(got []string) bool
	}{
		"none":     {Odds{}, func(got []string) bool { return slices.Equal(got, want) }},
		"drop all": {Odds{Drop: 1}, func(got []string) bool { return len(got) == 0 }},
		"drop half": {Odds{Drop: 0.5}, func(got []string) bool {
			i := 0
			for _, w := range want {
				if i < len(got) && got[i] == w {
					i++
				}
			}
			return i == len(got) && i > 25 && i < 75
		}},
		"double": {Odds{Double: 1}, func(got []string) bool {
			for i, w := range want {
				if len(got) != 200 || got[2*i] != w || got[2*i+1] != w {
					return false
				}
			}
			return true
		}},
		"hold":  {Odds{Hold: 0.3}, func(got []string) bool { return !slices.Equal(got, want) && slices.Equal(sorted(got), sorted(want)) }},
		"delay": {Odds{Delay: 0.3}, func(got []string) bool { return !slices.Equal(got, want) && slices.Equal(sorted(got), sorted(want)) }},
		"truncate": {Odds{Truncate: 1}, func(got []string) bool {
			for i := range got {
				if got[i] == want[i] || !strings.HasPrefix(want[i], got[i]) {
					return false
				}
			}
			return len(got) == 100
		}},
		"flip": {Odds{Flip: 1}, func(got []string) bool {
			for i := range got {
				bits := 0
				for j := range got[i] {
					for x := got[i][j] ^ want[i][j]; x != 0; x &= x - 1 {
						bits++
					}
				}
				if bits != 1 {
					return false
				}
			}
			return len(got) == 100
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := newPair(t, 1).run(t, c.odds); !c.check(got) {
				t.Errorf("arrived: %q", got)
			}
		})
	}
}

// The same seed does the same to the same messages; another seed does something else.
func TestSeedRepeats(t *testing.T) {
	t.Parallel()
	o := Odds{Drop: 0.3, Double: 0.2, Flip: 0.1, Truncate: 0.1}
	a, b, c := newPair(t, 7).run(t, o), newPair(t, 7).run(t, o), newPair(t, 8).run(t, o)
	if !slices.Equal(a, b) {
		t.Errorf("two runs of one seed differ:\n%q\n%q", a, b)
	}
	if slices.Equal(a, c) {
		t.Error("two seeds do the same")
	}
}

// Faults are by class: another class passes whole.
func TestFaultsAreByClass(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	q.p.SetFaults(Faults{"ack": {Drop: 1}})
	q.broker.say(t, Message{Topic: base + "down/ack", Payload: []byte("a")}, Message{Topic: base + "down/answer", Payload: []byte("b")},
		Message{Topic: base + "down/lease", Payload: []byte("end")})
	if got := q.gateway.hear(t); !slices.Equal(got, []string{"b"}) {
		t.Errorf("arrived: %q", got)
	}
	q.p.SetFaults(Faults{"": {Drop: 1}, "lease": {}})
	q.gateway.say(t, Message{Topic: base + "up/ask", Payload: []byte("a")}, Message{Topic: base + "up/lease", Payload: []byte("end")})
	if got := q.broker.hear(t); len(got) != 0 {
		t.Errorf("arrived: %q", got)
	}
}

// What was said before can be said again on a later session, and retained; a tap can drop and invent.
func TestReplayAndTap(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	q.broker.say(t, Message{Topic: base + "down/command", Payload: []byte("open")}, Message{Topic: base + "down/lease", Payload: []byte("end")})
	q.gateway.hear(t)
	if n := q.p.Cut("gw-1"); n != 1 {
		t.Errorf("%d connections cut", n)
	}
	if _, err := readFrame(q.gateway.r); err == nil {
		t.Error("still connected")
	}
	q.connect()
	old := q.p.Said("gw-1", "command")
	if len(old) != 1 || old[0].Session != 1 {
		t.Fatalf("remembered: %+v", old)
	}
	old[0].Retain = true
	q.p.Inject(old[0])
	f, err := readFrame(q.gateway.r)
	if err != nil || f.first != typePublish|1 || !bytes.HasSuffix(f.body, []byte("open")) {
		t.Errorf("replayed: %+v, %v", f, err)
	}
	q.p.SetTap(func(m Message) []Message {
		if string(m.Payload) == "secret" {
			return nil
		}
		n := m
		n.Payload = []byte("invented")
		return []Message{n, m}
	})
	q.broker.say(t, Message{Topic: base + "down/ack", Payload: []byte("secret")}, Message{Topic: base + "down/ack", Payload: []byte("end")})
	if got := q.gateway.hear(t); !slices.Equal(got, []string{"invented"}) {
		t.Errorf("arrived: %q", got)
	}
}

// A stalled link is open and silent, and goes on afterwards.
func TestStall(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	q.p.Stall(true)
	q.broker.say(t, Message{Topic: base + "down/ack", Payload: []byte("a")}, Message{Topic: base + "down/ack", Payload: []byte("end")})
	_ = q.gateway.conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := q.gateway.r.Peek(1); err == nil {
		t.Error("a stalled link delivers")
	} else if ne, ok := err.(net.Error); !ok || !ne.Timeout() {
		t.Errorf("a stalled link is not open: %v", err)
	}
	q.p.Stall(false)
	_ = q.gateway.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	q.gateway.r.Reset(q.gateway.conn)
	if got := q.gateway.hear(t); !slices.Equal(got, []string{"a"}) {
		t.Errorf("arrived: %q", got)
	}
}

// A connection can end in the middle of a frame.
func TestCutInFrame(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	q.p.CutInFrame("gw-1")
	q.broker.say(t, Message{Topic: base + "down/ack", Payload: []byte("a long payload")})
	first, err := q.gateway.r.ReadByte()
	if err != nil || first != typePublish {
		t.Fatalf("nothing of the frame came: %v", err)
	}
	_ = q.gateway.r.UnreadByte()
	if f, err := readFrame(q.gateway.r); err == nil {
		t.Errorf("the whole frame came: %+v", f)
	}
}

// A SUBSCRIBE is granted by the proxy and hidden from the broker.
func TestLieInSubacks(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	q.p.LieInSubacks(true)
	body := []byte{0, 9, 0, 1, 'a', 0, 0, 2, 'b', 'c', 0}
	if _, err := q.gateway.conn.Write(frame{0x82, body}.bytes()); err != nil {
		t.Fatal(err)
	}
	f, err := readFrame(q.gateway.r)
	if err != nil || f.first != typeSuback || !bytes.Equal(f.body, []byte{0, 9, 0, 0}) {
		t.Errorf("SUBACK %+v, %v", f, err)
	}
	q.gateway.say(t, Message{Topic: base + "up/ask", Payload: []byte("end")})
	if f, err := readFrame(q.broker.r); err != nil || f.first != typePublish {
		t.Errorf("the broker got %+v, %v", f, err)
	}
}

// Strangers get no further than they would at the broker.
func TestStrangers(t *testing.T) {
	t.Parallel()
	q := newPair(t, 1)
	c, err := tls.Dial("tcp", q.p.Addr(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	if err == nil {
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		_, err = c.Read(make([]byte, 1))
	}
	if err == nil {
		t.Error("no certificate, and served")
	}
	if n := q.p.Linked(); n != 1 {
		t.Errorf("%d links", n)
	}
}
