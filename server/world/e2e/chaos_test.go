package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/gateway/outbox"
	"monban/server/world/faultproxy"
)

// chaos is a running site to which a fault happens every two seconds.
type chaos struct {
	*killRun
	p      *faultproxy.Proxy
	rnd    *rand.Rand
	ids    []string
	broker *process // nil = the embedded one
	count  map[string]int
}

// I1, I2, I3, I4, I6, goal 9: the real programs, twenty gateways, people at every door, and every two
// seconds a fault: kill -9 of server, gateway or broker, partitions, half-open links, connections cut in
// frames, messages dropped, doubled, delayed, reordered, spoilt, old ones said again. Afterwards what
// the locks and readers did is held against the log. MONBAN_CHAOS is how many seconds, half of them
// with the embedded broker and half with Mosquitto.
func TestChaos(t *testing.T) {
	t.Parallel()
	seconds, gateways := environment(t, "MONBAN_CHAOS", 8), 20
	if seconds < 60 {
		gateways = 4
	}
	if testing.Short() {
		t.Skip("starts many processes")
	}
	for _, broker := range []string{"embedded", "mosquitto"} {
		t.Run(broker, func(t *testing.T) {
			t.Parallel() // real time: each waits most of it
			runChaos(t, broker, gateways, time.Duration(seconds)*time.Second/2)
		})
	}
}

func runChaos(t *testing.T, broker string, gateways int, length time.Duration) {
	var doors []doorSpec
	c := &chaos{count: map[string]int{}}
	for i := range gateways {
		c.ids = append(c.ids, fmt.Sprintf("gw-%d", i))
		doors = append(doors, doorSpec{fmt.Sprintf("d%d", i), c.ids[i], "none"})
	}
	people := gateways * (20 + 3*int(length/time.Second)) // more than can be held before readers in the time
	specs := gatewaysOf(doors)
	s := newSite(t, officeCSV(t, people, cardFC, 1, doors), specs)
	n := seed(t)
	c.rnd = rand.New(rand.NewPCG(uint64(n), 9))
	c.p = s.through(n, specs)
	c.killRun = &killRun{s: s, doors: doors, list: make([][]badge, len(doors)), generation: map[string]*atomic.Int64{}}
	if broker == "mosquitto" {
		s.withMosquitto(t)
		c.broker = s.startMosquitto()
		t.Cleanup(func() { c.broker.kill() })
	}
	s.startServer()
	for _, id := range c.ids {
		c.generation[id] = &atomic.Int64{}
		s.startGateway(id)
	}
	for _, id := range c.ids {
		s.linked(id)
	}
	var walking sync.WaitGroup
	var over atomic.Bool
	for i := range doors {
		walking.Go(func() {
			for n := i; !over.Load() && n < people; n += len(doors) {
				c.list[i] = append(c.list[i], c.badge(doors[i], n))
			}
		})
	}
	faults := 0
	for end := time.Now().Add(length); time.Now().Before(end); faults++ {
		next := time.Now().Add(2 * time.Second)
		c.fault()
		time.Sleep(time.Until(next))
	}
	c.quiet()
	over.Store(true)
	walking.Wait()
	began := time.Now()
	for _, id := range c.ids {
		s.drained(id)
	}
	drained := time.Since(began)
	heads := map[string]uint64{}
	for _, id := range c.ids {
		s.gateways[id].stop(t)
		heads[id] = s.head(id)
	}
	s.server.stop(t)
	held, edges := 0, 0
	for _, l := range c.list {
		held += len(l)
		for _, b := range l {
			edges += b.edges
		}
	}
	for _, id := range c.ids {
		edges -= s.edges(id)
	}
	if edges != 0 {
		t.Errorf("I6: %d unlock edges at times when nobody held a card", -edges)
	}
	c.compare(t)
	s.sameHeads(heads)
	s.run("verify", "--openings", s.path("server/monban.db"))
	t.Logf("%s: %d gateways, %d faults in %v: %v; %d cards held; drained %v after the last fault; proxy: %+v",
		broker, gateways, faults, length, c.count, held, drained.Round(time.Millisecond), c.p.Stats())
}

// fault does one thing, and ends what the one before it did.
func (c *chaos) fault() {
	c.quiet()
	names := []string{"kill server", "kill gateway", "partition", "half-open", "cut in frame", "cut", "bad network", "spoilt messages",
		"acks lost", "old messages again"}
	if c.broker != nil {
		names = append(names, "kill broker")
	}
	name := names[c.rnd.IntN(len(names))]
	c.count[name]++
	id := c.ids[c.rnd.IntN(len(c.ids))]
	switch name {
	case "kill server":
		c.mu.Lock()
		c.s.server.kill()
		time.Sleep(time.Duration(c.rnd.IntN(300)) * time.Millisecond)
		c.s.server = c.s.start("monban-server", "serve", "--config", c.s.path("server.toml"))
		c.mu.Unlock()
	case "kill gateway":
		c.mu.Lock()
		c.generation[id].Add(1)
		c.s.gateways[id].kill()
		c.s.startGateway(id)
		c.mu.Unlock()
	case "kill broker":
		c.broker.kill()
		time.Sleep(time.Duration(c.rnd.IntN(300)) * time.Millisecond)
		c.broker = c.s.startMosquitto()
	case "partition":
		c.p.Refuse(true)
		c.p.Cut("")
	case "half-open":
		c.p.Stall(true)
	case "cut in frame":
		c.p.CutInFrame("")
	case "cut":
		c.p.Cut("")
	case "bad network":
		c.p.SetFaults(faultproxy.Faults{"": {Drop: 0.2, Double: 0.2, Hold: 0.2, Delay: 0.2}})
	case "spoilt messages":
		c.p.SetFaults(faultproxy.Faults{"": {Truncate: 0.2, Flip: 0.2}})
	case "acks lost":
		c.p.SetFaults(faultproxy.Faults{"ack": {Drop: 0.7}, "answer": {Drop: 0.3}, "lease": {Drop: 0.3}})
	case "old messages again":
		for _, kind := range downKinds {
			for _, m := range c.p.Said(id, kind) {
				c.p.Inject(m)
				m.Gateway = c.ids[c.rnd.IntN(len(c.ids))]
				m.Retain = c.rnd.IntN(2) == 0
				c.p.Inject(m)
			}
		}
	}
}

// quiet ends the faults of the proxy.
func (c *chaos) quiet() {
	c.p.Refuse(false)
	c.p.Stall(false)
	c.p.SetFaults(nil)
}

// head is how many records a stopped gateway's outbox holds in its newest epoch.
func (s *site) head(gateway string) uint64 {
	s.t.Helper()
	o, err := outbox.Open(outbox.Config{
		Path: s.path(gateway + "/outbox.db"), Gateway: access.GatewayID(gateway), Stamp: func() wire.Stamp { return wire.Stamp{} },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer o.Close() // only read
	st := o.Stat()
	if st.Pending > 1 { // the record of its orderly end may be under way
		s.t.Errorf("%s: %d records are not acknowledged after the end", gateway, st.Pending)
	}
	return st.Head
}

// sameHeads checks that the log has of each gateway every record of its outbox (I2), but at most the one
// of its orderly end.
func (s *site) sameHeads(heads map[string]uint64) {
	s.t.Helper()
	last := map[string]uint64{}
	for _, r := range s.records() {
		last[r.Body.Gateway] = r.Body.Seq
	}
	for id, head := range heads {
		if last[id] != head && last[id]+1 != head {
			s.t.Errorf("I2: %s: the log ends at record %d, the outbox at %d", id, last[id], head)
		}
	}
}
