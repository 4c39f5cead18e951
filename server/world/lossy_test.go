package world

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"monban/server/world/faultproxy"
)

// envInt is the number in an environment variable, or n.
func envInt(t testing.TB, name string, n int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return n
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// Goal 13; I2, I3, I4: 30 % of acks and answers are dropped, 20 % doubled and as many reordered, batches
// of records are doubled, reordered and dropped too. Nothing is lost, nothing is there twice, the order
// is kept, and at least half of what is sent is sent for good. MONBAN_LOSSY sets how many records.
func TestRecordsThroughALossyLink(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server process")
	}
	const gateways = 4
	total := envInt(t, "MONBAN_LOSSY", 1000)
	dir := t.TempDir()
	seed := seedOf(t)
	cfg, err := makeSite(t.Context(), dir, "lossy", gateways, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server, err := startArm(armLog, cfg, filepath.Join(dir, "lossy.toml"))
	if err != nil {
		t.Fatal(err)
	}
	running := true
	stop := func() {
		if running {
			running = false
			if err := server.stop(); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	proxy := newProxy(t, cfg, dir, "lossy", gateways, seed)
	proxy.SetFaults(faultproxy.Faults{
		"ack":    {Drop: 0.3, Double: 0.2, Hold: 0.2},
		"answer": {Drop: 0.3, Double: 0.2, Hold: 0.2},
		"events": {Drop: 0.05, Double: 0.2, Hold: 0.1},
	})
	refs, err := cardRefs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var members []*member
	for i := range gateways {
		members = append(members, newMember(t, cfg, dir, "lossy", i, proxy.Addr(), true))
	}
	for _, m := range members {
		for end := time.Now().Add(30 * time.Second); !m.isUp.Load(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s is not linked after 30 s", m.id)
			}
		}
	}
	began := time.Now()
	var all sync.WaitGroup
	var asked, twice, durable atomic.Uint64
	for i, m := range members {
		all.Go(func() {
			for n := range total / gateways {
				m.record(fmt.Sprintf("n-%d", n), func(err error) {
					if err != nil {
						t.Errorf("%s: record %d: %v", m.id, n, err)
					}
					durable.Add(1)
				})
				if n%20 == 19 {
					var done atomic.Uint64
					asked.Add(1)
					m.ask(refs[(i*31+n)%len(refs)], func(time.Duration, bool) {
						if done.Add(1) > 1 {
							twice.Add(1)
						}
					})
					time.Sleep(20 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	limit := time.Now().Add(60*time.Second + time.Duration(total/50)*time.Second)
	for _, m := range members {
		for m.box.Stat().Pending > 0 || m.box.Stat().Head < uint64(total/gateways) {
			if time.Now().After(limit) {
				t.Fatalf("%s: %d records are not acknowledged", m.id, m.box.Stat().Pending)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	took := time.Since(began)
	told := func() (n uint64) {
		for _, m := range members {
			n += m.answered.Load() + m.unanswered.Load()
		}
		return n
	}
	for told() < asked.Load() && time.Now().Before(limit) { // whose answer was lost is told so after its time, which may be later than the last ack
		time.Sleep(10 * time.Millisecond)
	}
	var sent, answered, late, failed uint64
	for _, m := range members {
		m.stop()
		sent += m.sent.Load()
		answered, late, failed = answered+m.answered.Load(), late+m.late.Load(), failed+m.unanswered.Load()
	}
	stop()
	var kept uint64
	log := rows(t, cfg)
	for _, m := range members {
		mine := log[m.id]
		kept += uint64(len(mine))
		s := m.box.Stat()
		if uint64(len(mine)) != s.Head || s.Acked != s.Head {
			t.Errorf("I2: %s: %d rows at the server, %d records in the outbox, %d acknowledged", m.id, len(mine), s.Head, s.Acked)
		}
		next := 0
		for i, r := range mine {
			if r.Seq != uint64(i+1) || r.Epoch != s.Epoch {
				t.Fatalf("I3: %s: row %d is record %d of epoch %x", m.id, i, r.Seq, r.Epoch)
			}
			if r.Detail == fmt.Sprintf("n-%d", next) {
				next++
			}
		}
		if next != total/gateways {
			t.Errorf("I3: %s: the order is kept for %d of %d records", m.id, next, total/gateways)
		}
	}
	if twice.Load() > 0 || answered+failed != asked.Load() || answered == 0 {
		t.Errorf("%d asks: %d answered, %d not, %d told twice", asked.Load(), answered, failed, twice.Load())
	}
	if kept*2 < sent {
		t.Errorf("goodput: %d records sent for %d", sent, kept)
	}
	st := proxy.Stats()
	if st.Dropped == 0 || st.Doubled == 0 || st.Held == 0 {
		t.Errorf("the proxy did nothing: %+v", st)
	}
	t.Logf("%d records in %v (%.0f/s), goodput %.0f %%; %d asks, %d answered in time, %d late; proxy: %+v",
		kept, took.Round(time.Millisecond), float64(kept)/took.Seconds(), 100*float64(kept)/float64(sent), asked.Load(), answered, late, st)
}
