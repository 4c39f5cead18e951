package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// I6, goal 21: links are lost and come back, cleanly, in the middle of a frame, and half-open for a while;
// no lock moves by it, readers go on deciding, and every record arrives, once and in order. MONBAN_FLAPS
// is how many links are lost.
func TestLinkFlaps(t *testing.T) {
	t.Parallel()
	gateways, flaps := 10, environment(t, "MONBAN_FLAPS", 300)
	if testing.Short() {
		gateways, flaps = 3, 30
	}
	const fc = 44
	var doors []doorSpec
	for i := range gateways {
		doors = append(doors, doorSpec{fmt.Sprintf("d%d", i), fmt.Sprintf("gw-%d", i), "none"})
	}
	specs := gatewaysOf(doors)
	rounds := (flaps + gateways - 1) / gateways
	s := newSite(t, officeCSV(t, rounds/10+2, fc, 1, doors), specs)
	n := seed(t)
	p, rnd := s.through(n, specs), rand.New(rand.NewPCG(uint64(n), 6))
	s.startServer()
	for _, g := range specs {
		s.startGateway(g.id)
	}
	for _, g := range specs {
		s.linked(g.id)
	}
	lost, badges := 0, 0
	var back []time.Duration
	for round := range rounds {
		before := p.Stats()
		switch rnd.IntN(8) {
		case 0: // the next frame is a heartbeat, within a second
			p.CutInFrame("")
			s.until(10*time.Second, "each link has ended in a frame", func() bool { return p.Stats().Cut-before.Cut >= uint64(gateways) })
		case 1, 2:
			p.Stall(true)
			time.Sleep(time.Duration(rnd.IntN(100)) * time.Millisecond)
			p.Cut("")
			p.Stall(false)
		default:
			p.Cut("")
		}
		lost += gateways
		if round%10 == 4 { // while the links are away or coming back
			d := doors[rnd.IntN(len(doors))]
			s.goThrough(fmt.Sprintf("flap %d", lost), d.gateway, d.id, fc, badges)
			badges++
		}
		start := time.Now()
		s.until(20*time.Second, "all links are back", func() bool {
			return p.Stats().Sessions-before.Sessions >= uint64(gateways) && p.Linked() >= gateways
		})
		back = append(back, time.Since(start))
		time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
	}
	edges := 0
	for _, g := range specs {
		s.drained(g.id)
		s.gateways[g.id].stop(t)
		edges += s.edges(g.id)
		for _, l := range s.trace(g.id) {
			if l.fields[0] == "lock" && l.fields[2] == "released" && l.fields[3] != "release" {
				t.Errorf("I6: %s: %s", g.id, strings.Join(l.fields, " "))
			}
		}
	}
	s.server.stop(t)
	if edges != badges {
		t.Errorf("I6: %d unlock edges for %d cards", edges, badges)
	}
	s.ordered()
	s.run("verify", s.path("server/monban.db"))
	slices.Sort(back)
	t.Logf("%d links lost, %d cards held, %d unlock edges; all links back after %v (median) and %v (most)", lost, badges, edges,
		back[len(back)/2].Round(time.Millisecond), back[len(back)-1].Round(time.Millisecond))
}
