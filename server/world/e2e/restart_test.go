package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Goal 12; I2, I3, I6: the external broker is killed and started again and again. Nothing is lost, no lock
// moves, and all gateways are linked again within 10 s. MONBAN_RESTARTS is how many times. (The
// embedded broker ends with its server, which TestKillNine kills.)
func TestBrokerRestarts(t *testing.T) {
	t.Parallel()
	const gateways, fc = 3, 22
	restarts := environment(t, "MONBAN_RESTARTS", 5)
	var doors []doorSpec
	for i := range gateways {
		doors = append(doors, doorSpec{fmt.Sprintf("d%d", i), fmt.Sprintf("gw-%d", i), "none"})
	}
	specs := gatewaysOf(doors)
	s := newSite(t, officeCSV(t, restarts/5+2, fc, 1, doors), specs)
	s.withMosquitto(t)
	random := seed(t)
	// The proxy only counts connections: a lease outlives a short outage.
	rnd, p := rand.New(rand.NewPCG(uint64(random), 12)), s.through(random, specs)
	broker := s.startMosquitto()
	t.Cleanup(func() { broker.kill() })
	s.startServer()
	for _, g := range specs {
		s.startGateway(g.id)
	}
	for _, g := range specs {
		s.linked(g.id)
	}
	var back []time.Duration
	badges := 0
	for n := range restarts {
		before := p.Stats().Sessions
		broker.kill()
		time.Sleep(time.Duration(rnd.IntN(200)) * time.Millisecond)
		broker = s.startMosquitto()
		start := time.Now()
		if n%5 == 2 {
			d := doors[rnd.IntN(len(doors))]
			s.goThrough(fmt.Sprintf("restart %d", n), d.gateway, d.id, fc, badges)
			badges++
		}
		s.until(30*time.Second, "every gateway has a connection", func() bool {
			return p.Stats().Sessions-before >= gateways && p.Linked() >= gateways
		})
		for _, g := range specs {
			s.drained(g.id)
		}
		back = append(back, time.Since(start))
	}
	edges := 0
	for _, g := range specs {
		s.gateways[g.id].stop(t)
		edges += s.edges(g.id)
	}
	s.server.stop(t)
	if edges != badges {
		t.Errorf("I6: %d unlock edges for %d cards", edges, badges)
	}
	s.ordered()
	s.run("verify", s.path("server/monban.db"))
	slices.Sort(back)
	p99 := back[(len(back)-1)*99/100]
	if p99 > 10*time.Second {
		t.Errorf("linked and drained after %v (p99)", p99)
	}
	t.Logf("%d restarts of Mosquitto: linked and drained after %v (median), %v (p99), %v (most); %d cards", restarts,
		back[len(back)/2].Round(time.Millisecond), p99.Round(time.Millisecond), back[len(back)-1].Round(time.Millisecond), badges)
}
