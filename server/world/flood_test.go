package world

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// AL-5, VR-1, I2: a flood of records with 20 real alarms hidden in it, on real processes over the embedded broker: nothing is lost, each
// alarm stands among the first lines of the findings within 5 s of being recorded, and doors are answered meanwhile.
// MONBAN_FLOOD_SECONDS and MONBAN_FLOOD_RATE (records a second) set its size: `make flood`, a stage of CI, runs 60 s of 5,000, `make flood-soak` ten minutes.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server process")
	}
	const gateways, alarms, limit = 20, 20, 5 * time.Second
	seconds, rate := envInt(t, "MONBAN_FLOOD_SECONDS", 3), envInt(t, "MONBAN_FLOOD_RATE", 1000)
	// What makes the flood and asks shares the processors with the server: twenty gateways in one heap must not stop for garbage in the middle
	// of a question, which no gateway of a real site does for another one.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	dir := t.TempDir()
	cfg, err := makeSite(t.Context(), dir, "flood", gateways, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	addReviewer(t, cfg)
	server, err := startArm(armLog, cfg, filepath.Join(dir, "flood.toml"))
	if err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		if err := server.stop(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	refs, err := cardRefs(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var members []*member
	for i := range gateways {
		members = append(members, newMember(t, cfg, dir, "flood", i, cfg.MQTT.Listen, true))
	}
	for _, m := range members {
		waitFor(t, string(m.id)+" is linked", func() bool { return m.isUp.Load() && m.Held().Manifest > 0 })
	}
	page := newFindingsPage(t, cfg)

	var busy tally
	ask := func(to *tally, n int) {
		done := make(chan struct{})
		members[n%gateways].ask(refs[n%len(refs)], func(took time.Duration, answered bool) { to.add(took, answered); close(done) })
		<-done
	}
	for n := range 200 { // the first decisions are no measure of the others
		ask(new(tally), n)
	}
	spent := processorTimes(t, server)
	began := time.Now()
	var all sync.WaitGroup
	var flooding atomic.Bool
	flooding.Store(true)
	perTick := max(rate/gateways/10, 1)
	ticks := seconds * 10
	raised := make([]atomic.Int64, alarms) // ns after began at which the record was durable
	for i, m := range members {
		all.Go(func() {
			time.Sleep(apart(i, gateways))
			tick := time.NewTicker(100 * time.Millisecond)
			defer tick.Stop()
			for n := range ticks {
				for k := range perTick {
					m.noise(t, n*perTick+k)
				}
				if n == ticks*(i+1)/(gateways+2) { // spread over the flood
					m.push(wire.Record{Door: m.door, Event: door.EventForcedOpen}, func(err error) {
						if err != nil {
							t.Error(err)
						}
						raised[i].Store(int64(time.Since(began)))
					})
				}
				<-tick.C
			}
		})
	}
	var watchers sync.WaitGroup
	watchers.Go(func() {
		for n := 0; flooding.Load(); n++ {
			ask(&busy, n)
		}
	})
	seen := make([]time.Duration, alarms)
	found := func() (n int) {
		top := page.top(alarms)
		now := time.Since(began)
		for i := range seen {
			if seen[i] == 0 && top[fmt.Sprintf("計測扉 %d", i)] {
				seen[i] = now
			}
			if seen[i] > 0 {
				n++
			}
		}
		return n
	}
	sent := make(chan struct{})
	go func() { all.Wait(); close(sent) }()
	for end := began.Add(time.Duration(seconds)*time.Second + 2*time.Minute); found() < alarms && time.Now().Before(end); {
		time.Sleep(150 * time.Millisecond)
	}
	<-sent
	flooded := time.Since(began)
	flooding.Store(false)
	watchers.Wait()
	for _, m := range members {
		waitFor(t, string(m.id)+" has sent everything", func() bool { return m.box.Stat().Pending == 0 })
	}
	drained := time.Since(began)
	load := spent()
	made := uint64(0)
	for _, m := range members {
		made += m.box.Stat().Head
	}
	usual := doorWindows(t, members, busyRate/gateways/10, refs)
	if r := usual.ratio(); len(usual.idle) >= enoughPairs && r > mostTimes && usual.busyP95() > small {
		t.Errorf("D29: with %d records a second doors wait %.2f times as long as without: %s", busyRate, r, usual.String())
	}
	pairs := doorWindows(t, members, perTick, refs)
	var slowest time.Duration
	for i := range seen {
		at := time.Duration(raised[i].Load())
		if seen[i] == 0 {
			t.Errorf("the alarm at door %d was never among the first %d lines", i, alarms)
			continue
		}
		slowest = max(slowest, seen[i]-at)
	}
	if slowest > 5*limit { // the goal has five times its room, for the flood's makers share the machine
		t.Errorf("an alarm took %v to the top of the findings; the goal is %v", slowest, limit)
	}
	want := map[access.GatewayID]uint64{}
	for _, m := range members {
		want[m.id] = m.box.Stat().Head
		m.stop()
	}
	stop()
	logged := map[access.GatewayID]uint64{}
	eachRow(t, cfg, func(r *wire.Record) {
		if logged[r.Gateway]++; r.Seq != logged[r.Gateway] {
			t.Fatalf("I2, I3: record %d of %s stands in place %d of the log's", r.Seq, r.Gateway, logged[r.Gateway])
		}
	})
	for gw, n := range want {
		if logged[gw] != n {
			t.Errorf("I2: %s has %d records and the log %d", gw, n, logged[gw])
		}
	}
	if busy.lost*100 > busy.n || busy.quantile(0.95) > link.AskTimeout {
		t.Errorf("doors meanwhile: %s", busy.String())
	}
	t.Logf("%s; %d records made in %v (%.0f/s), all in the log after %v; %d of %d alarms at the top, the slowest after %v; doors meanwhile: %s; in turn without and with %d a second: %s; without and with the flood: %s",
		load, made, flooded.Round(time.Millisecond), float64(made)/flooded.Seconds(), drained.Round(time.Millisecond), alarms-count(seen, 0), alarms,
		slowest.Round(time.Millisecond), busy.String(), busyRate, usual.String(), pairs.String())
}

// processorTimes begins to count the processor time of the server and of this process, which makes the flood and asks; what it returns says how
// many processors each has used since.
func processorTimes(t *testing.T, server *child) func() string {
	t.Helper()
	self := &child{process: &os.Process{Pid: os.Getpid()}}
	used := func() (d [2]time.Duration) {
		for i, c := range []*child{server, self} {
			var err error
			if d[i], err = c.cpu(); err != nil {
				t.Fatal(err)
			}
		}
		return d
	}
	before, began := used(), time.Now()
	return func() string {
		after, wall := used(), time.Since(began).Seconds()
		return fmt.Sprintf("server %.2f processors, gateways and asking %.2f, of %d", (after[0]-before[0]).Seconds()/wall, (after[1]-before[1]).Seconds()/wall, runtime.NumCPU())
	}
}

func count[T comparable](list []T, x T) (n int) {
	for _, y := range list {
		if x == y {
			n++
		}
	}
	return n
}

// noise records what a busy or broken site tells: passages, strange cards, handles, doors that stand open.
func (m *member) noise(t *testing.T, n int) {
	r := wire.Record{Door: m.door, Side: access.SideEnter, By: access.ByServer, Reason: access.ReasonGranted, Attempt: newAttempt()}
	switch n % 10 {
	case 0, 1:
		r.Event = door.EventEntry
	case 2:
		r.Event, r.Side = door.EventExit, access.SideExit
	case 3, 4:
		r.Event, r.By, r.Reason, r.Failed = door.EventDenied, access.ByGateway, access.ReasonUnknownCredential, access.ReasonSet(0).With(access.ReasonUnknownCredential)
	case 5:
		r.Event, r.Attempt = door.EventClosed, door.Attempt{}
	case 6:
		r.Event = door.EventReadError
	case 7:
		r.Event, r.Side, r.Attempt = door.EventRequestExit, access.SideExit, door.Attempt{}
	case 8:
		if r.Event = door.EventNoEntry; n%500 == 8 {
			r.Event, r.Attempt = door.EventHeldOpen, door.Attempt{}
		}
	default:
		r.Event, r.Attempt = door.EventHeldEnd, door.Attempt{}
	}
	m.push(r, func(err error) {
		if err != nil {
			t.Errorf("%s: record %d: %v", m.id, n, err)
		}
	})
}

// push appends a record; done is called when it is durable.
func (m *member) push(r wire.Record, done func(error)) {
	r.Stamp = m.stamp(m.now())
	m.box.Append(outbox.Entry{Record: r, Done: func(out outbox.Result) { done(out.Err) }})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 5 minutes: %s", what)
		}
	}
}

// tally is how long doors waited.
type tally struct {
	took    []time.Duration
	n, lost int
}

func (y *tally) add(took time.Duration, answered bool) {
	if y.n++; !answered {
		y.lost++
		return
	}
	y.took = append(y.took, took)
}

func (y *tally) quantile(q float64) time.Duration { return quantile(y.took, q) }

func (y *tally) String() string {
	return fmt.Sprintf("%d answers, %d not in time, p50 %v, p95 %v, longest %v", y.n-y.lost, y.lost, y.quantile(0.5).Round(100*time.Microsecond),
		y.quantile(0.95).Round(100*time.Microsecond), y.quantile(1).Round(100*time.Microsecond))
}
