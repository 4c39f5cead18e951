package broker_test

import (
	"crypto/tls"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/server/ca"
)

// Of the six identities of the matrix these have a certificate of the site; the other two, a certificate
// of another authority and none at all, never get past TLS.
const denied = "gw-denied"

var gateways = []string{"gw-1", "gw-2", denied}

// mayPublish and mayRead are the whole access rule, written a second time.
func mayPublish(who, gateway, dir, kind string) bool {
	switch {
	case who == denied:
		return false
	case who == ca.ServerName:
		return dir == "down" && slices.Contains(downs, kind)
	}
	return who == gateway && dir == "up" && slices.Contains(ups, kind)
}

func mayRead(who, gateway, dir, kind string) bool {
	switch {
	case who == denied:
		return false
	case who == ca.ServerName:
		return dir == "up" && slices.Contains(ups, kind)
	}
	return who == gateway && dir == "down" && slices.Contains(downs, kind)
}

// place is one topic of the matrix.
type place struct{ gateway, dir, kind string }

func (p place) topic() string { return topic(p.gateway, p.dir, p.kind) }

// places are all kinds, in both directions, of all gateways.
func places() []place {
	var out []place
	for _, g := range gateways {
		for _, dir := range []string{"up", "down"} {
			for _, k := range slices.Concat(ups, downs) {
				out = append(out, place{g, dir, k})
			}
		}
	}
	return out
}

// method is a way of bringing a message to a topic.
type method struct {
	name          string
	will, retains bool
	qos           byte
}

var methods = []method{
	{name: "publish"}, {name: "publish qos 1", qos: 1}, {name: "will", will: true},
	{name: "retained", retains: true}, {name: "will retained", will: true, retains: true},
}

// OP-3, AD-11: identity × topic × {publish, will, retained}, on both brokers: what arrives is what may,
// and nothing else, neither now nor at somebody who subscribes later.
func TestMatrixOfPublishers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		b.refusesStrangers(t)
		tlsOf := map[string]*tls.Config{}
		for _, who := range slices.Concat(gateways, []string{ca.ServerName}) {
			tlsOf[who] = b.tlsOf(t, who)
		}
		b.deny(t, denied)
		listeners := map[string]*client{}
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName} {
			listeners[who] = b.listen(t, who)
		}
		want, cells := map[string]bool{}, 0
		for _, who := range slices.Concat(gateways, []string{ca.ServerName}) {
			for _, m := range methods {
				var c *client
				for _, p := range places() {
					if m.will && (p.dir == "up") != slices.Contains(ups, p.kind) {
						continue // a connection each: the kinds in the other direction are tried by publishing alone
					}
					cells++
					payload := who + ", " + m.name
					// Of what the server says to somebody denied nobody is there to hear it.
					if !b.takesNone(m) && p.gateway != denied && mayPublish(who, p.gateway, p.dir, p.kind) {
						want[p.topic()+" "+payload] = true
					}
					switch {
					case who == denied && b.broker != nil && p != places()[0]:
						// No connection: once tried, as many times as there are methods.
					case m.will:
						if c := b.open(t, tlsOf[who], who, p.topic(), []byte(payload), m.retains); c != nil {
							_ = c.raw.Close() // without DISCONNECT: the will is due
						}
					default:
						if c == nil {
							c = b.open(t, tlsOf[who], who, "", nil, false)
						}
						if c != nil {
							c.publish(p.topic(), payload, m.retains, m.qos)
						}
						if c != nil && b.takesNone(m) {
							if !c.gone() {
								t.Errorf("%s: a retained message does not end its sender", who)
							}
							c = nil
						}
					}
				}
				if c != nil {
					c.settle()
					_ = c.conn.Close()
				}
			}
		}
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName} {
			b.left(t, who, 1)
		}
		got := map[string]bool{}
		missing := func() (out []string) {
			for line := range want {
				if !got[line] {
					out = append(out, line)
				}
			}
			return out
		}
		await(t, func() bool {
			for who, c := range listeners {
				for _, line := range c.drain() {
					got[line] = true
					f := strings.Split(strings.Split(line, " ")[0], "/")
					if !mayRead(who, f[3], f[4], f[5]) {
						t.Errorf("%s received %s", who, line)
					}
				}
			}
			return len(missing()) == 0
		})
		if d := cmp.Diff(slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))); d != "" {
			t.Errorf("arrived (-got +want):\n%s", d)
		}
		// Whoever comes later: what was retained on one's own topics at most, marked as retained.
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName} {
			for _, line := range b.listen(t, who).drain() {
				f := strings.Split(strings.Split(line, " ")[0], "/")
				if kept := strings.TrimSuffix(line, " R"); kept == line || !want[kept] || !mayRead(who, f[3], f[4], f[5]) {
					t.Errorf("%s, who came later, received %s", who, line)
				}
			}
		}
		t.Logf("%d cells, %d deliveries", cells, len(got))
	})
}

// takesNone reports that this broker takes no message of this kind from anybody: retain_available false.
func (b *bench) takesNone(m method) bool { return m.retains && b.broker == nil }

// refusesStrangers: another authority's certificate, and none, get no CONNACK.
func (b *bench) refusesStrangers(t *testing.T) {
	t.Helper()
	good := b.tlsOf(t, "gw-1")
	none := good.Clone()
	none.Certificates = nil
	foreign := (&bench{ca: newCA(t)}).tlsOf(t, "gw-1")
	foreign.RootCAs = good.RootCAs
	for name, cfg := range map[string]*tls.Config{"no certificate": none, "certificate of an unknown authority": foreign} {
		for _, id := range []string{"gw-1", ca.ServerName} {
			c, err := b.dial(t, cfg)
			if err == nil && c.hello(clientID(id), "", nil) == nil {
				t.Errorf("%s: connected", name)
			}
		}
	}
}

// open connects as who; on the embedded broker somebody denied gets no connection, which is nil.
func (b *bench) open(t *testing.T, cfg *tls.Config, who, willTopic string, will []byte, retain bool) *client {
	t.Helper()
	c, err := b.dial(t, cfg)
	if err == nil {
		err = c.helloRetain(clientID(who), willTopic, will, retain)
	}
	switch {
	case err == nil && who == denied && b.broker != nil:
		t.Fatal("somebody denied has connected")
	case err != nil && who != denied && willTopic == "":
		t.Fatalf("%s: %v", who, err)
	case err != nil:
		return nil
	}
	return c
}

// listen connects as who and subscribes all that who may read.
func (b *bench) listen(t *testing.T, who string) *client {
	t.Helper()
	c := b.connect(t, who)
	if who == ca.ServerName {
		for _, k := range ups {
			if code := c.subscribe(topic("+", "up", k)); code != 0 {
				t.Fatalf("the server may not subscribe %s: %x", k, code)
			}
		}
		return c
	}
	for _, k := range downs {
		if code := c.subscribe(topic(who, "down", k)); code != 0 {
			t.Fatalf("%s may not subscribe its own %s: %x", who, k, code)
		}
	}
	return c
}

// wildcards are filters wider than one topic, and attempts at them.
func wildcards() []string {
	out := []string{
		"#", "+/#", "monban/#", "monban/1/#", "monban/1/" + site + "/#", "$SYS/#", "$JS/#", "$MQTT/#", "$MQTT/JSA/#", "_INBOX/#", ">", "*",
		"+/+/+/+/+/+", "monban/1/" + site + "/*/up/ask", "monban/1/other/gw-1/down/answer", "/monban/1/" + site + "/gw-1/down/answer",
		"monban//1/" + site, "$share/g/" + topic("gw-1", "down", "answer"), "$share/g/" + topic("+", "down", "answer"), "$share/g/#",
	}
	for _, g := range slices.Concat(gateways, []string{"+"}) {
		out = append(out, "monban/1/"+site+"/"+g+"/#", "monban/1/"+site+"/"+g+"/+/+")
		for _, dir := range []string{"up", "down", "+"} {
			for _, k := range slices.Concat(ups, downs, []string{"+", "#"}) {
				if g == "+" || dir == "+" || k == "+" || k == "#" {
					out = append(out, topic(g, dir, k))
				}
			}
		}
	}
	return out
}

// OP-3: identity × filter, exact and with + and #, on both brokers. SUBACKs differ and may lie; the
// oracle is what arrives when everybody says all that they may.
func TestMatrixOfSubscribers(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		cfg := b.tlsOf(t, denied)
		b.deny(t, denied)
		type reader struct {
			who   string
			exact bool
			c     *client
		}
		var readers []reader
		cells := 0
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName, denied} {
			for _, exact := range []bool{true, false} {
				var c *client
				if who != denied {
					c = b.connect(t, who)
				} else if c = b.open(t, cfg, who, "", nil, false); c == nil {
					cells += len(places()) // refused as a whole
					continue
				}
				readers = append(readers, reader{who, exact, c})
				filters := wildcards()
				if exact {
					filters = nil
					for _, p := range places() {
						filters = append(filters, p.topic())
					}
				}
				for _, f := range filters {
					cells++
					code, open := c.trySubscribe(f)
					if !open { // the broker may end who asks for this; the rest is asked on a new connection
						c = b.open(t, b.tlsOf(t, who), who, "", nil, false)
						readers[len(readers)-1].c = c
						continue
					}
					if exact && b.broker != nil {
						s := strings.Split(f, "/")
						if may := mayRead(who, s[3], s[4], s[5]); may != (code == 0) {
							t.Errorf("%s subscribes %s: code %x", who, f, code)
						}
					}
				}
			}
		}
		said := 0
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName} {
			c := b.connect(t, who)
			for _, p := range places() {
				c.publish(p.topic(), "x", false, 0)
				said++
			}
			c.settle()
		}
		own := map[string]map[string]bool{}
		for _, r := range readers {
			for _, line := range r.c.drain() {
				f := strings.Split(strings.Split(line, " ")[0], "/")
				if f[0] == "$SYS" && b.broker == nil && r.who != denied {
					t.Errorf("%s received %s", r.who, line)
				}
				if len(f) != 6 || !mayRead(r.who, f[3], f[4], f[5]) {
					t.Errorf("%s received %s", r.who, line)
					continue
				}
				if own[r.who] == nil {
					own[r.who] = map[string]bool{}
				}
				if r.exact {
					own[r.who][strings.Join(f, "/")] = true
				}
			}
		}
		for _, who := range []string{"gw-1", "gw-2", ca.ServerName} {
			for _, p := range places() {
				// Nothing goes up from somebody denied, and nobody else may say it.
				if mayRead(who, p.gateway, p.dir, p.kind) && p.gateway != denied && !own[who][p.topic()] {
					t.Errorf("%s did not receive %s", who, p.topic())
				}
			}
		}
		t.Logf("%d cells, %d messages said", cells, said)
	})
}

// The client id of another does not evict it, and does not stay (AD-11): its ids are 64 random bits.
func TestNobodyIsEvictedByGuessing(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, b *bench) {
		victim := b.listen(t, "gw-1")
		cfg := b.tlsOf(t, "gw-2")
		for i := range 30 {
			c, err := b.dial(t, cfg)
			if err != nil {
				t.Fatal(err)
			}
			id := []string{"gw-1", "gw-1-", fmt.Sprintf("gw-1-%016x", i), ca.ServerName}[i%4]
			_ = c.hello(id, "", nil) // refused, or ended by the sweep
			victim.settle()
			_ = c.conn.Close()
		}
	})
}
