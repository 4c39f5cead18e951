package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/world/faultproxy"
)

// hostile is a broker with a valid certificate and bad intent: what it does to gw-1 and gw-2.
type hostile struct {
	s    *site
	p    *faultproxy.Proxy
	rnd  *rand.Rand
	mu   sync.Mutex // guards rnd
	keys []note.Signer
	// right is the one key that orders; only genuine uses it.
	right note.Signer

	quit chan struct{} // ends what an attack does in the background
	own  sync.WaitGroup
}

var (
	hostileGateways = []string{"gw-1", "gw-2"}
	downKinds       = []string{"welcome", "lease", "answer", "ack", "policy", "chunk", "command"}
	upKinds         = []string{"hello", "heartbeat", "ask", "events", "want"}
)

func downTopic(gateway, kind string) string { return "monban/1/e2e/" + gateway + "/down/" + kind }

// attack is one kind of bad intent.
type attack struct {
	name  string
	start func(h *hostile)
	// offline: while it lasts the gateways lose their lease, and doors keep their offline mode (cached).
	offline bool
	// last is how long it goes on before cards are held before the readers.
	last time.Duration
	// check looks at the end of the attack.
	check func(h *hostile)
}

// OP-3, I1–I4, I6, I7: whatever a broker does that holds every TLS key but no signing key, no door moves
// because of it, a valid card still opens exactly its door exactly once, an unknown card, a revoked one
// opens none, and when the broker turns honest every record arrives, once and in order.
// MONBAN_HOSTILE_SECONDS is how long each attack lasts beside the badges.
func TestHostileBroker(t *testing.T) {
	t.Parallel() // it waits more than it works
	var doors []doorSpec
	for _, g := range hostileGateways {
		doors = append(doors, doorSpec{g + "-a", g, "none"}, doorSpec{g + "-b", g, "none"})
	}
	const fc, people = 66, 120
	revoked := people - 1
	gateways := gatewaysOf(doors)
	s := newSite(t, officeCSV(t, people, fc, 1, doors), gateways)
	n := seed(t)
	h := &hostile{s: s, p: s.through(n, gateways), rnd: rand.New(rand.NewPCG(uint64(n), 4))}
	h.loadKeys()
	s.startServer()
	for _, g := range hostileGateways {
		s.startGateway(g)
		s.linked(g)
	}
	// The revoked card was good once: the old policy that says so has been seen by the broker.
	s.goThrough("before", "gw-1", "gw-1-a", fc, revoked)
	s.server.stop(t)
	s.run("card", "--config", s.path("server.toml"), fmt.Sprintf("c%04d", revoked), "revoked", "--reason", "test")
	s.startServer()
	s.until(30*time.Second, "the revocation is known", func() bool {
		return len(h.p.Said("gw-1", "policy")) > 1 && len(h.p.Said("gw-2", "policy")) > 1
	})
	for _, g := range hostileGateways {
		s.linked(g)
		s.drained(g)
	}
	person := 0
	for i, a := range h.attacks() {
		door := string('a' + byte(i%2)) // a reader rests between two cards
		before := [2]int{s.edges("gw-1"), s.edges("gw-2")}
		h.quit = make(chan struct{})
		a.start(h)
		time.Sleep(a.last + time.Duration(environment(t, "MONBAN_HOSTILE_SECONDS", 0))*time.Second)
		if a.offline {
			s.until(15*time.Second, a.name+": the lease is lost", func() bool {
				one, _ := s.status("gw-1")
				two, _ := s.status("gw-2")
				return !one && !two
			})
		}
		// Nobody badged: nothing moved.
		for j, g := range hostileGateways {
			if now := s.edges(g); now != before[j] {
				t.Errorf("I6: %s: %d unlock edges at %s", a.name, now-before[j], g)
			}
		}
		// A revoked and an unknown card at one door, a valid one at another.
		bad := fmt.Sprintf("badge gw-1-%s enter H10301 %d %d", door, fc, 1+revoked)
		if i%2 == 1 {
			bad = fmt.Sprintf("badge gw-1-%s enter H10301 %d 60000", door, fc)
		}
		if _, err := s.tell("gw-1", bad); err != nil {
			t.Fatal(err)
		}
		s.goThrough(a.name, "gw-2", "gw-2-"+door, fc, person)
		person++
		if a.check != nil {
			a.check(h)
		}
		for j, want := range [2]int{before[0], before[1] + 1} {
			if now := s.edges(hostileGateways[j]); now != want {
				t.Errorf("%s: %d unlock edges at %s, want %d", a.name, now-before[j], hostileGateways[j], want-before[j])
			}
		}
		h.honest()
		if a.offline {
			h.p.Cut("") // what the gateways were told about this connection is void
		}
		for _, g := range hostileGateways {
			s.linked(g)
		}
	}
	h.genuine()
	for _, g := range hostileGateways {
		s.drained(g)
		s.gateways[g].stop(t)
	}
	s.server.stop(t)
	t.Logf("%d attacks, proxy: %+v", len(h.attacks()), h.p.Stats())
	h.compare(person, revoked)
	s.run("verify", "--openings", s.path("server/monban.db"))
}

// loadKeys reads every signing key that exists but the one for commands: those of the gateways and of
// the server's other roles. A thief of all of them still orders nothing (D18).
func (h *hostile) loadKeys() {
	files, err := filepath.Glob(h.s.path("server/keys/*.key"))
	if err != nil || len(files) < 4 {
		h.s.t.Fatalf("%d key files, %v", len(files), err)
	}
	for _, g := range hostileGateways {
		files = append(files, h.s.path(g+"-identity/note.key"))
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			h.s.t.Fatal(err)
		}
		k, err := note.NewSigner(strings.TrimSpace(string(text)))
		if err != nil {
			continue // the root's form may differ
		}
		if strings.HasSuffix(f, "command.key") {
			h.right = k
			continue
		}
		h.keys = append(h.keys, k)
	}
	if len(h.keys) < 5 || h.right == nil {
		h.s.t.Fatalf("only %d keys to forge with", len(h.keys))
	}
}

// honest ends the attack.
func (h *hostile) honest() {
	close(h.quit)
	h.own.Wait()
	h.p.SetTap(nil)
	h.p.SetFaults(nil)
	h.p.Stall(false)
	h.p.Refuse(false)
	h.p.LieInSubacks(false)
}

// whileItLasts repeats f until the attack ends.
func (h *hostile) whileItLasts(pause time.Duration, f func()) {
	quit := h.quit
	h.own.Go(func() {
		for {
			select {
			case <-quit:
				return
			default:
				f()
				if pause > 0 {
					time.Sleep(pause)
				}
			}
		}
	})
}

// say brings a message to its gateway, on this topic.
func (h *hostile) say(gateway, topic string, payload []byte, retain bool) {
	h.p.Inject(faultproxy.Message{Gateway: gateway, Topic: topic, Payload: payload, Retain: retain})
}

// replay says again everything of these kinds that the broker has seen, each to its own gateway.
func (h *hostile) replay(retain bool, kinds ...string) {
	for _, g := range hostileGateways {
		for _, k := range kinds {
			for _, m := range h.p.Said(g, k) {
				h.say(g, m.Topic, m.Payload, retain)
			}
		}
	}
}

func (h *hostile) garbage() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	b := make([]byte, 1+h.rnd.IntN(400))
	for i := range b {
		b[i] = byte(h.rnd.Uint32())
	}
	return b
}

// order is an order to open a door, for this running of the gateway and its newest heartbeat.
func (h *hostile) order(gateway string, id int, k note.Signer) []byte {
	said := h.p.Said(gateway, "heartbeat")
	if len(said) == 0 {
		h.s.t.Errorf("%s has no heartbeat", gateway)
		return nil
	}
	var beat struct {
		Body struct{ Challenge, Boot string }
	}
	line, _, _ := bytes.Cut(said[len(said)-1].Payload, []byte("\n"))
	if err := json.Unmarshal(line, &beat); err != nil || beat.Body.Challenge == "" || beat.Body.Boot == "" {
		h.s.t.Errorf("heartbeat not understood: %v: %s", err, line)
		return nil
	}
	text := fmt.Sprintf(`{"monban":1,"kind":"command","topic":%q,"body":{"gateway":%q,"id":"%032x","door":"%s-a","action":"remote_unlock","pulse_ms":1000,"ttl_ms":5000,"order":1,"boot":%q,"challenge":%q,"server_ms":%d}}`+"\n",
		downTopic(gateway, "command"), gateway, id, gateway, beat.Body.Boot, beat.Body.Challenge, time.Now().UnixMilli())
	msg, err := note.Sign(&note.Note{Text: text}, k)
	if err != nil {
		h.s.t.Error(err)
	}
	return msg
}

// forge says orders signed by every key but the one that may.
func (h *hostile) forge(gateway string) {
	for i, k := range h.keys {
		h.say(gateway, downTopic(gateway, "command"), h.order(gateway, i+1, k), false)
	}
}

// genuine shows that the orders above fail for their keys alone: the same order with the right key opens
// the door, once, however often the broker says it, to whomever, and not after a restart (I7).
func (h *hostile) genuine() {
	s := h.s
	before := [2]int{s.edges("gw-1"), s.edges("gw-2")}
	msg := h.order("gw-1", 1000, h.right)
	said := time.Now()
	again := func() {
		for range 50 {
			h.say("gw-1", downTopic("gw-1", "command"), msg, false)
			h.say("gw-1", downTopic("gw-1", "command"), msg, true)
			h.say("gw-2", downTopic("gw-2", "command"), msg, false)
		}
	}
	again()
	s.until(5*time.Second, "a genuine order opens a door", func() bool { return s.edges("gw-1") > before[0] })
	h.p.Cut("")
	s.until(10*time.Second, "both are back", func() bool { return h.p.Linked() == 2 })
	again()
	s.gateways["gw-1"].kill()
	s.startGateway("gw-1")
	s.linked("gw-1")
	again()
	time.Sleep(max(0, time.Until(said.Add(5500*time.Millisecond)))) // and when it has expired
	again()
	time.Sleep(settle)
	if one, two := s.edges("gw-1")-before[0], s.edges("gw-2")-before[1]; one != 1 || two != 0 {
		s.t.Errorf("I7: one order to gw-1: %d unlock edges there, %d at gw-2", one, two)
	}
}

func everything(o faultproxy.Odds) func(*hostile) {
	return func(h *hostile) { h.p.SetFaults(faultproxy.Faults{"": o}) }
}

// attacks are all kinds of bad intent of which a broker is capable.
func (h *hostile) attacks() []attack {
	swap := map[string]string{"gw-1": "gw-2", "gw-2": "gw-1"}
	return []attack{
		{name: "doubles everything", start: everything(faultproxy.Odds{Double: 1})},
		{name: "reorders half", start: everything(faultproxy.Odds{Hold: 0.5})},
		{name: "delays everything", start: everything(faultproxy.Odds{Delay: 1})},
		{name: "drops half", start: everything(faultproxy.Odds{Drop: 0.5})},
		{name: "truncates half", start: everything(faultproxy.Odds{Truncate: 0.5})},
		{name: "flips a bit of half", start: everything(faultproxy.Odds{Flip: 0.5})},
		{name: "drops everything", start: everything(faultproxy.Odds{Drop: 1}), offline: true},
		{name: "says garbage on every topic", start: func(h *hostile) {
			h.whileItLasts(5*time.Millisecond, func() {
				for _, g := range hostileGateways {
					for _, k := range downKinds {
						h.say(g, downTopic(g, k), h.garbage(), false)
					}
				}
			})
		}},
		{name: "repeats everything said before", start: func(h *hostile) { h.replay(false, downKinds...); h.replay(false, downKinds...) }},
		{name: "retains everything said before", start: func(h *hostile) { h.replay(true, downKinds...) }},
		{name: "tells one gateway what was said to the other", start: func(h *hostile) {
			for _, g := range hostileGateways {
				for _, k := range downKinds {
					for _, m := range h.p.Said(swap[g], k) {
						h.say(g, m.Topic, m.Payload, false)
						h.say(g, downTopic(g, k), m.Payload, false)
					}
				}
			}
		}},
		{name: "gives back to a gateway what it said", start: func(h *hostile) {
			for _, g := range hostileGateways {
				for i, k := range upKinds {
					for _, m := range h.p.Said(g, k) {
						h.say(g, downTopic(g, downKinds[i]), m.Payload, false)
						h.say(g, m.Topic, m.Payload, false)
					}
				}
			}
		}},
		{name: "says things under other kinds", start: func(h *hostile) {
			for _, g := range hostileGateways {
				for i, k := range downKinds {
					for _, m := range h.p.Said(g, k) {
						h.say(g, downTopic(g, downKinds[(i+1)%len(downKinds)]), m.Payload, false)
					}
				}
			}
		}},
		{name: "gives the old policy instead of the new one", start: func(h *hostile) {
			first := map[string]faultproxy.Message{}
			for _, g := range hostileGateways {
				first[g] = h.p.Said(g, "policy")[0]
			}
			h.p.SetTap(func(m faultproxy.Message) []faultproxy.Message {
				if m.Class == "policy" && !m.Up {
					m.Payload = first[m.Gateway].Payload
				}
				return []faultproxy.Message{m}
			})
			for _, g := range hostileGateways {
				h.say(g, first[g].Topic, first[g].Payload, false)
			}
			h.replay(false, "chunk")
		}},
		{name: "gives old leases instead of new ones", offline: true, start: func(h *hostile) {
			old := map[string][]byte{}
			for _, g := range hostileGateways {
				old[g] = h.p.Said(g, "lease")[0].Payload
			}
			h.p.SetTap(func(m faultproxy.Message) []faultproxy.Message {
				if m.Class == "lease" && !m.Up {
					m.Payload = old[m.Gateway]
				}
				return []faultproxy.Message{m}
			})
		}},
		{name: "answers every question with an earlier grant", start: func(h *hostile) {
			h.p.SetTap(func(m faultproxy.Message) []faultproxy.Message {
				if m.Class != "ask" || !m.Up {
					return []faultproxy.Message{m}
				}
				for _, g := range hostileGateways {
					for _, a := range h.p.Said(g, "answer") {
						h.say(m.Gateway, downTopic(m.Gateway, "answer"), a.Payload, false)
					}
				}
				return nil
			})
		}},
		{name: "acknowledges by old acks and drops the records", start: func(h *hostile) {
			h.p.SetTap(func(m faultproxy.Message) []faultproxy.Message {
				if m.Class != "events" || !m.Up {
					return []faultproxy.Message{m}
				}
				for _, g := range hostileGateways { // also those of the other gateway, which go further
					for _, a := range h.p.Said(g, "ack") {
						h.say(m.Gateway, downTopic(m.Gateway, "ack"), a.Payload, false)
					}
				}
				return nil
			})
		}, check: func(h *hostile) {
			if _, pending := h.s.status("gw-2"); pending < 1 {
				h.s.t.Errorf("I4: %d records are pending, though none has arrived", pending)
			}
		}},
		{name: "acknowledges, then is silent", start: func(h *hostile) {
			var once sync.Once
			h.p.SetTap(func(m faultproxy.Message) []faultproxy.Message {
				if m.Class == "ack" {
					once.Do(func() { h.p.SetFaults(faultproxy.Faults{"": {Drop: 1}}) })
				}
				return []faultproxy.Message{m}
			})
		}},
		{name: "forges orders to open with every other key", start: func(h *hostile) {
			h.whileItLasts(20*time.Millisecond, func() { h.forge("gw-1"); h.forge("gw-2") })
		}},
		{name: "grants subscriptions and delivers nothing", offline: true, start: func(h *hostile) {
			h.p.LieInSubacks(true)
			h.p.Cut("")
		}},
		{name: "stops reading", offline: true, start: func(h *hostile) { h.p.Stall(true) }},
		{name: "ends connections in the middle of frames", start: func(h *hostile) {
			h.whileItLasts(150*time.Millisecond, func() { h.p.CutInFrame("") })
		}},
		{name: "floods with ten thousand messages a second", last: time.Second, start: func(h *hostile) {
			payload := h.garbage()
			for _, g := range hostileGateways {
				var old []faultproxy.Message
				for _, k := range downKinds {
					old = append(old, h.p.Said(g, k)...)
				}
				n := 0
				h.whileItLasts(10*time.Millisecond, func() {
					for range 50 { // 5,000 a second to each
						n++
						if n%10 == 0 && len(old) > 0 {
							m := old[n/10%len(old)]
							h.say(g, m.Topic, m.Payload, false)
							continue
						}
						h.say(g, downTopic(g, downKinds[n%len(downKinds)]), payload, false)
					}
				})
			}
		}},
	}
}

// compare holds the log against what happened: each valid card was granted once and in order, no other
// was; the gateways' records are complete, once each and in order.
func (h *hostile) compare(people, revoked int) {
	t := h.s.t
	grants := map[string]int{}
	for id, a := range h.s.attempts() {
		if len(a.events) > 0 && a.events[0] == "granted" {
			if a.person == "" {
				t.Errorf("attempt %s is granted to nobody", id)
			}
			grants[a.person]++
		}
	}
	for n := range people {
		if p := fmt.Sprintf("p%04d", n); grants[p] != 1 {
			t.Errorf("I2: %s passed once; the log has %d grants", p, grants[p])
		}
	}
	if p := fmt.Sprintf("p%04d", revoked); grants[p] != 1 {
		t.Errorf("I5: %s passed once before the revocation; the log has %d grants", p, grants[p])
	}
	if len(grants) != people+1 {
		t.Errorf("%d people were granted, want %d", len(grants), people+1)
	}
	h.s.ordered()
}

// ordered checks that each gateway's records stand in the log from 1, without a gap and once each, in
// one epoch (I2, I3).
func (s *site) ordered() {
	s.t.Helper()
	next := map[string]uint64{}
	for _, rec := range s.records() {
		key := rec.Body.Gateway + "/" + rec.Body.Epoch
		if rec.Body.Seq != next[key]+1 {
			s.t.Errorf("I3: %s: record %d follows %d", key, rec.Body.Seq, next[key])
		}
		next[key] = rec.Body.Seq
	}
	seen := map[string]bool{}
	for key := range next {
		g, _, _ := strings.Cut(key, "/")
		if seen[g] {
			s.t.Errorf("%s has more than one epoch", g)
		}
		seen[g] = true
	}
}

// records are the gateways' records in the order of the log.
func (s *site) records() []recordBody {
	s.t.Helper()
	var out []recordBody
	for _, l := range s.log() {
		if l.Kind != "record" {
			continue
		}
		var rec recordBody
		if err := json.Unmarshal(l.Body, &rec); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, rec)
	}
	return out
}
