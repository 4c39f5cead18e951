package world

import (
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Goal 12 and the connection storm of the threat model: every gateway loses the server at once (kill -9 of
// server and broker), the server starts again, and all are linked within 30 s of its start, none is
// starved, and questions asked while the others still return are answered. MONBAN_STORM is how many
// gateways; `make storm` runs 500.
func TestReconnectStorm(t *testing.T) {
	if testing.Short() {
		t.Skip("starts server processes")
	}
	const limit = 30 * time.Second
	n := envInt(t, "MONBAN_STORM", 50)
	dir := t.TempDir()
	cfg, err := makeSite(t.Context(), dir, "storm", n, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	refs, err := cardRefs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "storm.toml")
	server, err := startArm(armLog, cfg, file)
	if err != nil {
		t.Fatal(err)
	}
	stop := func() {
		_ = server.process.Kill()
		_, _ = server.process.Wait()
		_ = server.stdin.Close()
	}
	t.Cleanup(func() { stop() })
	members := make([]*member, n)
	for i := range n {
		members[i] = newMember(t, cfg, dir, "storm", i, cfg.MQTT.Listen, false)
	}
	all := func(what string, from time.Time, within time.Duration, ok func(*member) bool) []time.Duration {
		t.Helper()
		took := make([]time.Duration, 0, n)
		done := make([]bool, n)
		for len(took) < n {
			for i, m := range members {
				if !done[i] && ok(m) {
					done[i] = true
					took = append(took, time.Since(from))
				}
			}
			if time.Since(from) > within {
				t.Fatalf("%s: only %d of %d within %v", what, len(took), n, within)
			}
			time.Sleep(5 * time.Millisecond)
		}
		return took
	}
	first := all("the first link", time.Now(), 2*time.Minute, func(m *member) bool { return m.isUp.Load() })
	t.Logf("first link of %d gateways: %v", n, first[n-1].Round(time.Millisecond))
	all("leases everywhere", time.Now(), 2*time.Minute, func(m *member) bool { return m.Held().Manifest > 0 })

	stop()
	cut := time.Now()
	all("every link is lost", cut, limit, func(m *member) bool { return !m.isUp.Load() })
	ups := make([]uint64, n)
	for i, m := range members {
		ups[i] = m.ups.Load()
	}
	began := time.Now()
	if server, err = startArm(armLog, cfg, file); err != nil {
		t.Fatal(err)
	}
	// Each gateway asks twice a second from the moment its link is up; what counts is what is asked
	// before the last one is back.
	var returned atomic.Bool
	var mu sync.Mutex
	var answers []time.Duration
	var asked, failed int
	var askers sync.WaitGroup
	served := make([]atomic.Bool, n)
	for i, m := range members {
		askers.Go(func() {
			for !returned.Load() {
				if !m.isUp.Load() {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				done := make(chan struct{})
				m.ask(refs[i%len(refs)], func(took time.Duration, answered bool) {
					mu.Lock()
					defer mu.Unlock()
					asked++
					if answered {
						answers = append(answers, took)
						served[i].Store(true)
					} else {
						failed++
					}
					close(done)
				})
				<-done
				time.Sleep(500 * time.Millisecond)
			}
		})
	}
	links := all("every link is back", began, limit, func(m *member) bool { return m.isUp.Load() })
	last := links[n-1]
	all("every gateway has been answered", began, limit+10*time.Second, func(m *member) bool {
		return served[slices.Index(members, m)].Load()
	})
	returned.Store(true)
	askers.Wait()
	slices.Sort(answers)
	p := func(q float64) time.Duration { return answers[int(q*float64(len(answers)-1))].Round(time.Millisecond) }
	t.Logf("%d gateways: half linked %v after the server's start, the last after %v; %d asks meanwhile, %d answered in time, p50 %v, p99 %v",
		n, links[n/2].Round(time.Millisecond), last.Round(time.Millisecond), asked, len(answers), p(0.5), p(0.99))
	if failed*2 > asked {
		t.Errorf("%d of %d asks were not answered in time", failed, asked)
	}
}
