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

// Identity × topic × publish, at QoS 0 and 1, with and without RETAIN. The oracle is what arrives.
func TestPublishMatrix(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	names := []string{"gw-1", "gw-2", ca.ServerName}
	listeners := map[string]*client{}
	for _, n := range names {
		c := b.connect(t, n)
		listeners[n] = c
		for _, k := range downs {
			if n != ca.ServerName {
				if code := c.subscribe(topic(n, "down", k)); code != 0 {
					t.Fatalf("%s may not subscribe its own %s: %x", n, k, code)
				}
			}
		}
		for _, k := range ups {
			if n == ca.ServerName {
				if code := c.subscribe(topic("+", "up", k)); code != 0 {
					t.Fatalf("server may not subscribe %s: %x", k, code)
				}
			}
		}
	}
	got, want := map[string][]string{}, map[string][]string{}
	cells := 0
	for _, who := range names {
		c := b.connect(t, who)
		for _, target := range []string{"gw-1", "gw-2"} {
			for _, dir := range []string{"up", "down"} {
				for _, k := range slices.Concat(ups, downs) {
					for _, qos := range []byte{0, 1} {
						tp := topic(target, dir, k)
						payload := fmt.Sprintf("by %s qos %d", who, qos)
						c.publish(tp, payload, false, qos)
						cells++
						own := dir == "up" && who == target && slices.Contains(ups, k)
						fromServer := dir == "down" && who == ca.ServerName && slices.Contains(downs, k)
						switch {
						case own:
							want[ca.ServerName] = append(want[ca.ServerName], tp+" "+payload)
						case fromServer:
							want[target] = append(want[target], tp+" "+payload)
						}
					}
				}
			}
		}
		c.settle()
	}
	for n, c := range listeners {
		got[n] = c.drain()
		slices.Sort(got[n])
		slices.Sort(want[n])
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("arrived (-got +want):\n%s", d)
	}
	t.Logf("%d cells", cells)
}

// Identity × filter. Everything is published by those who may; nothing foreign arrives.
func TestSubscribeMatrix(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	names := []string{"gw-1", "gw-2", ca.ServerName}
	filters := []string{
		"#", "+/#", "monban/#", "monban/1/#", "monban/1/" + site + "/#", "$SYS/#", "$JS/#", "$MQTT/#", "$MQTT/JSA/#", "_INBOX/#", ">", "*",
		"monban/1/" + site + "/*/up/ask", "monban/1/other/gw-1/down/answer", "/monban/1/" + site + "/gw-1/down/answer", "monban//1/" + site,
		"$share/g/" + topic("gw-1", "down", "answer"),
	}
	for _, target := range []string{"gw-1", "gw-2", "+"} {
		for _, dir := range []string{"up", "down", "+"} {
			for _, k := range slices.Concat(ups, downs, []string{"+", "#"}) {
				filters = append(filters, topic(target, dir, k))
			}
		}
	}
	readers := map[string]*client{}
	cells := 0
	for _, who := range names {
		c := b.connect(t, who)
		readers[who] = c
		for _, f := range filters {
			code := c.subscribe(f)
			cells++
			own := false
			for _, k := range downs {
				own = own || who != ca.ServerName && f == topic(who, "down", k)
			}
			for _, k := range ups {
				own = own || who == ca.ServerName && (f == topic("+", "up", k) || f == topic("gw-1", "up", k) || f == topic("gw-2", "up", k))
				own = own || who == ca.ServerName && f == "monban/1/"+site+"/*/up/ask" // a star is a literal in MQTT
			}
			if own != (code == 0) && f != "monban/1/"+site+"/*/up/ask" {
				t.Errorf("%s subscribes %s: code %x", who, f, code)
			}
		}
	}
	for _, who := range names {
		c := b.connect(t, who)
		for _, target := range []string{"gw-1", "gw-2"} {
			for _, k := range ups {
				c.publish(topic(target, "up", k), "x", false, 0)
			}
			for _, k := range downs {
				c.publish(topic(target, "down", k), "x", false, 0)
			}
		}
		c.settle()
	}
	for who, c := range readers {
		for _, m := range c.drain() {
			tp, _, _ := strings.Cut(m, " ")
			ok := who != ca.ServerName && strings.HasPrefix(tp, topic(who, "down", "")) ||
				who == ca.ServerName && strings.Contains(tp, "/up/")
			if !ok {
				t.Errorf("%s received %s", who, m)
			}
		}
	}
	t.Logf("%d cells", cells)
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

// Malformed packets, before and after CONNECT: the sender may be dropped, the broker stays.
func TestMalformedPackets(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	bystander := b.connect(t, "gw-2")
	connect := func(tail ...byte) []byte { return append([]byte{0x10, byte(len(tail))}, tail...) }
	corpus := map[string][]byte{
		"empty length":               {0x10},
		"zero type":                  {0x00, 0x00},
		"type fifteen":               {0xf0, 0x00},
		"endless length":             {0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"largest length":             {0x30, 0xff, 0xff, 0xff, 0x7f},
		"connect without body":       {0x10, 0x00},
		"connect short name":         connect(0, 4, 'M', 'Q'),
		"connect other protocol":     connect(0, 4, 'H', 'T', 'T', 'P', 4, 2, 0, 5, 0, 0),
		"connect level 255":          connect(0, 4, 'M', 'Q', 'T', 'T', 255, 2, 0, 5, 0, 0),
		"connect version 5":          connect(0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 5, 0, 0, 0),
		"connect reserved flag":      connect(0, 4, 'M', 'Q', 'T', 'T', 4, 3, 0, 5, 0, 0),
		"connect name beyond end":    connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0xff, 0xff, 'a'),
		"connect will without topic": connect(0, 4, 'M', 'Q', 'T', 'T', 4, 6, 0, 5, 0, 1, 'a'),
		"connect zero in id":         connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0, 1, 0),
		"second connect":             connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0, 1, 'a'),
		"publish without topic":      {0x30, 0x00},
		"publish empty topic":        {0x30, 0x02, 0, 0},
		"publish topic beyond end":   {0x30, 0x03, 0xff, 0xff, 'a'},
		"publish wildcard":           {0x30, 0x04, 0, 1, '#', 'x'},
		"publish dollar":             append([]byte{0x30, 0x08}, append(str("$SYS/"), 'x')...),
		"publish qos 3":              {0x36, 0x05, 0, 1, 'a', 0, 1},
		"publish qos 1 no id":        {0x32, 0x03, 0, 1, 'a'},
		"publish id zero":            {0x32, 0x05, 0, 1, 'a', 0, 0},
		"publish bad utf-8":          {0x30, 0x05, 0, 3, 0xff, 0xfe, 0xfd},
		"subscribe flags":            {0x80, 0x06, 0, 1, 0, 1, 'a', 0},
		"subscribe nothing":          {0x82, 0x02, 0, 1},
		"subscribe qos 7":            {0x82, 0x06, 0, 1, 0, 1, 'a', 7},
		"subscribe no qos":           {0x82, 0x05, 0, 1, 0, 1, 'a'},
		"subscribe empty filter":     {0x82, 0x05, 0, 1, 0, 0, 0},
		"subscribe inner hash":       {0x82, 0x08, 0, 1, 0, 3, 'a', '#', 'b', 0},
		"unsubscribe nothing":        {0xa2, 0x02, 0, 1},
		"puback alone":               {0x40, 0x02, 0xff, 0xff},
		"puback short":               {0x40, 0x01, 0xff},
		"pubrel unknown":             {0x62, 0x02, 0x12, 0x34},
		"connack from a client":      {0x20, 0x02, 0, 0},
		"suback from a client":       {0x90, 0x03, 0, 1, 0},
		"ping with body":             {0xc0, 0x01, 0},
		"disconnect with body":       {0xe0, 0x01, 0},
		"http":                       []byte("GET / HTTP/1.1\r\n\r\n"),
		"nats":                       []byte("CONNECT {}\r\nPUB a 1\r\nx\r\nSUB > 1\r\n"),
		"version 5 subscribe":        {0x82, 0x06, 0x00, 0x01, 0x0b, 0xff, 0xff, 0xff},
	}
	for name, packet := range corpus {
		for _, state := range []string{"before CONNECT", "after CONNECT", "after half a packet"} {
			c, err := b.dial(t, b.tlsOf(t, "gw-1"))
			if err != nil {
				t.Fatalf("%s %s: %v", name, state, err)
			}
			if state != "before CONNECT" {
				if err := c.hello(clientID("gw-1"), "", nil); err != nil {
					t.Fatalf("%s %s: %v", name, state, err)
				}
			}
			if state == "after half a packet" {
				_, _ = c.conn.Write([]byte{0x30, 0x7f, 0, 9}) // the broker may have dropped us already
			}
			_, _ = c.conn.Write(packet)
			_ = c.conn.Close()
			bystander.settle() // the broker lives, and so does the neighbour's connection
		}
	}
	b.connect(t, "gw-1").settle()
	t.Logf("%d packets in 3 states", len(corpus))
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
		c.TLS.VerifyConnection = nil
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
