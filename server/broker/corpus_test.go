package broker_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/server/broker"
	"monban/server/ca"
)

// frame is a packet with a right remaining length.
func frame(kind byte, parts ...[]byte) []byte {
	body := slices.Concat(parts...)
	return append(binary.AppendUvarint([]byte{kind}, uint64(len(body))), body...)
}

// connectWith is a CONNECT of the given level and flags with a keep-alive of 5 s.
func connectWith(level, flags byte, payload ...[]byte) []byte {
	return frame(0x10, append([][]byte{str("MQTT"), {level, flags, 0, 5}}, payload...)...)
}

// corpus is malformed, hostile or unusual MQTT: each has killed or could kill some broker. It is added
// to, never taken from.
func corpus() map[string][]byte {
	connect := func(tail ...byte) []byte { return append([]byte{0x10, byte(len(tail))}, tail...) }
	long := strings.Repeat("/", 65535)
	filters := func(n int, filter string) []byte {
		body := []byte{0, 1}
		for range n {
			body = append(append(body, str(filter)...), 0)
		}
		return body
	}
	return map[string][]byte{
		"empty length":               {0x10},
		"zero type":                  {0x00, 0x00},
		"type fifteen":               {0xf0, 0x00},
		"endless length":             {0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		"largest length":             {0x30, 0xff, 0xff, 0xff, 0x7f},
		"length in too many bytes":   {0x30, 0x80, 0x80, 0x80, 0x80, 0x00},
		"length longer than needed":  {0xc0, 0x80, 0x00},
		"connect without body":       {0x10, 0x00},
		"connect short name":         connect(0, 4, 'M', 'Q'),
		"connect other protocol":     connect(0, 4, 'H', 'T', 'T', 'P', 4, 2, 0, 5, 0, 0),
		"connect level 255":          connect(0, 4, 'M', 'Q', 'T', 'T', 255, 2, 0, 5, 0, 0),
		"connect bridge level":       connectWith(0x84, 2, str("gw-1")),
		"connect version 5":          connect(0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 5, 0, 0, 0),
		"connect 5 endless property": connectWith(5, 2, []byte{0xff, 0xff, 0xff, 0xff, 0xff}, str("a")),
		"connect 5 twice a property": connectWith(5, 2, []byte{10, 0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1}, str("a")),
		"connect 3.1":                frame(0x10, str("MQIsdp"), []byte{3, 2, 0, 5}, str("gw-1")),
		"connect reserved flag":      connect(0, 4, 'M', 'Q', 'T', 'T', 4, 3, 0, 5, 0, 0),
		"connect name beyond end":    connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0xff, 0xff, 'a'),
		"connect will without topic": connect(0, 4, 'M', 'Q', 'T', 'T', 4, 6, 0, 5, 0, 1, 'a'),
		"connect will empty topic":   connectWith(4, 6, str("a"), str(""), str("x")),
		"connect will wildcard":      connectWith(4, 6, str("a"), str("#"), str("x")),
		"connect will qos 3":         connectWith(4, 0x1e, str("a"), str("b"), str("x")),
		"connect will qos no will":   connectWith(4, 0x0a, str("a")),
		"connect password no user":   connectWith(4, 0x42, str("a"), str("secret")),
		"connect user missing":       connectWith(4, 0x82, str("a")),
		"connect zero in id":         connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0, 1, 0),
		"connect no id not clean":    connectWith(4, 0, str("")),
		"connect id of 65535 bytes":  connectWith(4, 2, str(strings.Repeat("a", 65535))),
		"connect bytes left over":    connectWith(4, 2, str("gw-1"), []byte("and more")),
		"second connect":             connect(0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 5, 0, 1, 'a'),
		"publish without topic":      {0x30, 0x00},
		"publish empty topic":        {0x30, 0x02, 0, 0},
		"publish topic beyond end":   {0x30, 0x03, 0xff, 0xff, 'a'},
		"publish wildcard":           {0x30, 0x04, 0, 1, '#', 'x'},
		"publish dollar":             append([]byte{0x30, 0x08}, append(str("$SYS/"), 'x')...),
		"publish 65535 slashes":      frame(0x30, str(long)),
		"publish zero in topic":      frame(0x30, str("a\x00b"), []byte("x")),
		"publish qos 3":              {0x36, 0x05, 0, 1, 'a', 0, 1},
		"publish qos 0 doubled":      {0x38, 0x03, 0, 1, 'a'},
		"publish qos 1 no id":        {0x32, 0x03, 0, 1, 'a'},
		"publish id zero":            {0x32, 0x05, 0, 1, 'a', 0, 0},
		"publish qos 2 own topic":    frame(0x34, str(topic("gw-1", "up", "ask")), []byte{0, 9}, []byte("x")),
		"publish bad utf-8":          {0x30, 0x05, 0, 3, 0xff, 0xfe, 0xfd},
		"publish surrogate":          frame(0x30, str("\xed\xa0\x80"), []byte("x")),
		"subscribe flags":            {0x80, 0x06, 0, 1, 0, 1, 'a', 0},
		"subscribe nothing":          {0x82, 0x02, 0, 1},
		"subscribe id zero":          frame(0x82, []byte{0, 0}, str("a"), []byte{0}),
		"subscribe qos 7":            {0x82, 0x06, 0, 1, 0, 1, 'a', 7},
		"subscribe no qos":           {0x82, 0x05, 0, 1, 0, 1, 'a'},
		"subscribe empty filter":     {0x82, 0x05, 0, 1, 0, 0, 0},
		"subscribe inner hash":       {0x82, 0x08, 0, 1, 0, 3, 'a', '#', 'b', 0},
		"subscribe 65535 slashes":    frame(0x82, []byte{0, 1}, str(long), []byte{0}),
		"subscribe 15000 filters":    frame(0x82, filters(15000, "a")),
		"subscribe share no group":   frame(0x82, []byte{0, 1}, str("$share//a"), []byte{0}),
		"subscribe share no filter":  frame(0x82, []byte{0, 1}, str("$share/a/"), []byte{0}),
		"unsubscribe nothing":        {0xa2, 0x02, 0, 1},
		"unsubscribe unknown":        frame(0xa2, []byte{0, 1}, str("never/subscribed")),
		"puback alone":               {0x40, 0x02, 0xff, 0xff},
		"puback short":               {0x40, 0x01, 0xff},
		"pubrec alone":               {0x50, 0x02, 0x12, 0x34},
		"pubrel unknown":             {0x62, 0x02, 0x12, 0x34},
		"pubrel flags":               {0x60, 0x02, 0x12, 0x34},
		"pubcomp alone":              {0x70, 0x02, 0x12, 0x34},
		"connack from a client":      {0x20, 0x02, 0, 0},
		"suback from a client":       {0x90, 0x03, 0, 1, 0},
		"unsuback from a client":     {0xb0, 0x02, 0, 1},
		"pingresp from a client":     {0xd0, 0x00},
		"ping with body":             {0xc0, 0x01, 0},
		"disconnect with body":       {0xe0, 0x01, 0},
		"disconnect and more":        append([]byte{0xe0, 0x00}, frame(0x30, str("a"), []byte("x"))...),
		"auth of version 5":          {0xf0, 0x02, 0x18, 0x00},
		"http":                       []byte("GET / HTTP/1.1\r\n\r\n"),
		"nats":                       []byte("CONNECT {}\r\nPUB a 1\r\nx\r\nSUB > 1\r\n"),
		"version 5 subscribe":        {0x82, 0x06, 0x00, 0x01, 0x0b, 0xff, 0xff, 0xff},
	}
}

// Goal 14: malformed packets before CONNECT, after it and after half a packet, on both brokers. The
// sender may be dropped; the broker lives, and so does its neighbour's connection.
func TestMalformedPackets(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		bystander, cfg := b.connect(t, "gw-2"), b.tlsOf(t, "gw-1")
		packets := corpus()
		if len(packets) < 50 {
			t.Fatalf("%d packets", len(packets))
		}
		for name, packet := range packets {
			for _, state := range []string{"before CONNECT", "after CONNECT", "after half a packet"} {
				c, err := b.dial(t, cfg)
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
				bystander.settle()
			}
		}
		b.connect(t, "gw-1").settle()
		t.Logf("%d packets in 3 states", len(packets))
	})
}

// randomFor is how long random packets are sent: MONBAN_MQTT_SECONDS, else one second a broker.
func randomFor(t *testing.T) time.Duration {
	t.Helper()
	v := os.Getenv("MONBAN_MQTT_SECONDS")
	if v == "" {
		return time.Second
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("MONBAN_MQTT_SECONDS: %v", err)
	}
	return time.Duration(n) * time.Second
}

// Goal 14: random packets, and packets of the corpus with random damage, with a valid certificate. The
// broker lives, and an honest gateway's message still reaches the server.
func TestRandomPackets(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		seed := rand.Uint64()
		t.Logf("SEED=%d", seed)
		rnd := rand.New(rand.NewPCG(seed, 14))
		server, honest, cfg := b.listen(t, ca.ServerName), b.connect(t, "gw-2"), b.tlsOf(t, "gw-1")
		packets := corpus()
		var names []string
		for name := range packets {
			names = append(names, name)
		}
		slices.Sort(names)
		sent, worst := 0, time.Duration(0)
		for end := time.Now().Add(randomFor(t)); time.Now().Before(end); {
			c, err := b.dial(t, cfg)
			if err != nil {
				t.Fatalf("after %d packets: %v", sent, err)
			}
			if rnd.IntN(4) > 0 {
				if err := c.hello(clientID("gw-1"), "", nil); err != nil {
					t.Fatalf("after %d packets: %v", sent, err)
				}
			}
			_ = c.raw.SetWriteDeadline(time.Now().Add(5 * time.Second))
			for range 50 {
				var p []byte
				if rnd.IntN(2) == 0 {
					p = make([]byte, 1+rnd.IntN(60))
					for i := range p {
						p[i] = byte(rnd.Uint32())
					}
					if rnd.IntN(2) == 0 && len(p) > 1 {
						p[1] = byte(len(p) - 2) // a right length gets further
					}
				} else {
					p = slices.Clone(packets[names[rnd.IntN(len(names))]])
					p = p[:min(len(p), 300)]
					p[rnd.IntN(len(p))] ^= 1 << rnd.IntN(8)
				}
				sent++
				if _, err := c.conn.Write(p); err != nil {
					break // dropped, as it should be
				}
			}
			_ = c.conn.Close()
			began := time.Now()
			honest.publish(topic("gw-2", "up", "ask"), strconv.Itoa(sent), false, 0)
			honest.settle()
			heard := server.drain()
			if want := topic("gw-2", "up", "ask") + " " + strconv.Itoa(sent); !slices.Contains(heard, want) {
				t.Fatalf("after %d packets the honest gateway's message did not arrive: %q", sent, heard)
			}
			worst = max(worst, time.Since(began))
			server.extend()
			honest.extend()
		}
		if worst > 2*time.Second { // 20 times what a loaded machine needs
			t.Errorf("an honest message took %v", worst)
		}
		t.Logf("%d packets, an honest message took at most %v", sent, worst)
	})
}

// halfOpen is how many connections without a certificate are held open at once.
func halfOpen() int {
	if os.Getenv("MONBAN_MQTT_SECONDS") != "" {
		return 1000
	}
	return 300
}

// Connections that never finish TLS, more of them than the broker has places for gateways, do not keep
// a gateway out, and are ended.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *broker.Config) { c.MaxGateways = 50 }) // places for 116 connections
	bystander, cfg := b.connect(t, "gw-2"), b.tlsOf(t, "gw-1")
	var conns []net.Conn
	t.Cleanup(func() {
		for _, c := range conns {
			_ = c.Close()
		}
	})
	hello := []byte{0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3} // the beginning of a ClientHello
	for i := range halfOpen() {
		c, err := net.DialTimeout("tcp", b.addr, 5*time.Second)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		conns = append(conns, c)
		_, _ = c.Write(hello[:i%len(hello)])
	}
	bystander.settle()
	c, err := b.dial(t, cfg)
	if err == nil {
		err = c.hello(clientID("gw-1"), "", nil)
	}
	if err != nil {
		t.Fatalf("with %d half-open connections a gateway cannot connect: %v", len(conns), err)
	}
	// Each is ended without its doing: a read gives the end, not a time-out (authTimeout is 3 s).
	var all sync.WaitGroup
	for i, c := range conns {
		all.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			buf := make([]byte, 256)
			for {
				if _, err := c.Read(buf); err != nil {
					if ne, ok := err.(net.Error); ok && ne.Timeout() {
						t.Errorf("half-open connection %d is still open after 20 s", i)
					}
					return
				}
			}
		})
	}
	all.Wait()
	bystander.settle()
	t.Logf("%d half-open connections", len(conns))
}

// Slow senders: TLS finished and then one byte each half second of a CONNECT; they are ended, on time.
func TestSlowSendersAreEnded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	cfg := b.tlsOf(t, "gw-1")
	var all sync.WaitGroup
	for range 20 {
		c, err := b.dial(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			began := time.Now()
			for _, x := range slices.Concat(connectWith(4, 2, str(clientID("gw-1"))), make([]byte, 100)) {
				if _, err := c.conn.Write([]byte{x}); err != nil {
					return
				}
				if time.Since(began) > 15*time.Second {
					t.Error("a CONNECT may take longer than 15 s")
					return
				}
				time.Sleep(500 * time.Millisecond)
			}
		})
	}
	b.connect(t, "gw-2").settle()
	all.Wait()
}
