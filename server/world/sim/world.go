// Package sim is a deterministic world: the real pure cores of a server and of N gateways (D1) over a
// simulated network, simulated disks, clocks and a broker that forgets, on one goroutine and one seed.
//
// Nothing in it reads a clock, opens a file or starts a goroutine. Every effect that a person, an
// auditor or an attacker could see becomes an invariant.Event; after every step the checkers of
// package invariant have seen all of them. A run is repeated bit for bit by its seed.
//
// What is real: firmware/link (both machines), firmware/door, firmware/access, the controller's
// Machine, server/authority, server/ingest, server/policypub, server/directory, server/visit, the entry log's leaves
// and tree. What is modelled: the outbox's and the store's disks (disk.go, store.go), MQTT and TCP
// (net.go), the wiring of the two app packages (gateway.go, server.go, desk*.go) and coverage leaves.
package sim

import (
	"container/heap"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"math/rand/v2"
	"slices"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/visit"
	"monban/server/world/invariant"
)

// Options of New.
type Options struct {
	Seed     uint64
	Start    time.Time // true wall time at which the world begins
	Zone     *time.Location
	Site     string
	Files    []directory.File // the site, as the CSV import takes it
	Relative bool             // dates such as today+30 are allowed, as in the sample site
	Stock    []Stock          // badges in reception's drawer
	Visits   *visit.Settings  // of matters; nil = the defaults, and nobody asks for purposes as long as there is no matter
	Review   *review.Settings // thresholds of the rules over time; nil = the defaults
	// Hooks break one part on purpose, so that the checkers can be shown to find it.
	Hooks Hooks
	// Watch is told every event after the checkers; may be nil.
	Watch func(*invariant.Event)
	// Checkers watch instead of all of invariant.All; empty and not nil: none.
	Checkers []invariant.Checker
}

// World is one site in simulated time. One goroutine owns it.
type World struct {
	opt  Options
	rng  *rand.Rand
	dice *rand.ChaCha8 // bytes for nonces and ids
	now  time.Duration // true time since the start; while the site is suspended it stands
	leap time.Duration // wall time that passed while the site was suspended
	todo queue
	seq  uint64
	step uint64
	err  error // the first violation

	keys     policypub.Keys
	cards    map[string]Card
	server   *server
	gateways []*gateway
	net      network

	checkers []invariant.Checker
	latency  invariant.Latencies
	sum      hash.Hash
	buf      []byte
	counts   map[string]int
	recent   [64]invariant.Event
	events   int
	issued   []ordered
	lost     []Card          // withdrawn lately: somebody still tries them
	rolled   map[string]bool // rollbacks that have a finding to come, by gateway and place
	backup   *backup         // the newest, nil = none of this log
}

// Card is a card of the site as a reader would see it.
type Card struct {
	ID     string
	Number Number
	PIN    string // as the file has it, "" = none
}

// Number is what is inside a card.
type Number struct {
	Format   string
	Facility uint64
	Number   uint64
}

// New makes a world: site imported, policy published, server and gateways started, nobody connected
// yet. It fails when the files do not make a site.
func New(opt Options) (*World, error) {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], opt.Seed)
	w := &World{
		opt: opt, rng: rand.New(rand.NewPCG(opt.Seed, 0x6d6f6e62616e)), dice: rand.NewChaCha8(seed),
		sum: sha256.New(), counts: map[string]int{}, rolled: map[string]bool{},
	}
	if w.checkers = opt.Checkers; w.checkers == nil {
		w.checkers = invariant.All()
	}
	for _, c := range w.checkers {
		if l, ok := c.(invariant.Latencies); ok {
			w.latency = l
		}
	}
	w.net = network{delay: [2]time.Duration{time.Millisecond, 5 * time.Millisecond}}
	if err := w.found(); err != nil {
		return nil, err
	}
	w.server.boot()
	for _, g := range w.gateways {
		g.start()
	}
	return w, w.err
}

// found makes the site from its files: keys, directory, nodes.
func (w *World) found() error {
	var err error
	if w.keys, err = policypub.NewKeys(w.dice); err != nil {
		return err
	}
	if w.cards, err = cardsOf(w.opt.Files); err != nil {
		return err
	}
	dir, _, err := directory.Import(directory.Snapshot{}, w.opt.Files, directory.ImportConfig{
		Now: w.opt.Start, Zone: w.opt.Zone, Cards: w.keys, Relative: w.opt.Relative,
	})
	if err != nil {
		return err
	}
	for i := range dir.Gateways {
		if w.keys, err = w.keys.With(dir.Gateways[i].ID, w.dice); err != nil {
			return err
		}
	}
	w.server = newServer(w, dir)
	for i := range dir.Gateways {
		w.gateways = append(w.gateways, newGateway(w, dir.Gateways[i].ID, &dir))
	}
	return w.stock()
}

// Now is the true time since the start.
func (w *World) Now() time.Duration { return w.now }

// Wall is the true wall time.
func (w *World) Wall() time.Time { return w.opt.Start.Add(w.now + w.leap) }

func (w *World) wallMS() int64 { return w.Wall().UnixMilli() }

// Err is the first violation, nil while every promise holds.
func (w *World) Err() error { return w.err }

// Step is how many steps have been taken.
func (w *World) Step() uint64 { return w.step }

// Hash is the hash over every event so far.
func (w *World) Hash() [32]byte { return [32]byte(w.sum.Sum(nil)) }

// Counts says how often each thing happened, for reports.
func (w *World) Counts() map[string]int { return w.counts }

// Latency gives what I5 measured; nil when I5 does not watch.
func (w *World) Latency() invariant.Latencies { return w.latency }

// Recent gives the last events, oldest first, for the report of a failure.
func (w *World) Recent() []invariant.Event {
	n := min(w.events, len(w.recent))
	out := make([]invariant.Event, 0, n)
	for i := w.events - n; i < w.events; i++ {
		out = append(out, w.recent[i%len(w.recent)])
	}
	return out
}

// Run takes steps until the true time has moved by d, or a promise is broken.
func (w *World) Run(d time.Duration) error {
	until := w.now + d
	for w.err == nil && len(w.todo) > 0 && w.todo[0].at <= until {
		t := heap.Pop(&w.todo).(task)
		w.now = max(w.now, t.at)
		w.step++
		t.do()
	}
	if w.err == nil {
		w.now = until
	}
	return w.err
}

// Leap lets wall time pass while the whole site stands suspended, as virtual machines do: every wall
// clock and boot-time clock moves by d, no monotonic clock does. Quiet hours cost nothing this way.
func (w *World) Leap(d time.Duration) {
	if d > 0 {
		w.leap += d
	}
}

// after has something done in d.
func (w *World) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.todo, task{w.now + max(d, 0), w.seq, do})
}

// between draws a duration of [from, to).
func (w *World) between(from, to time.Duration) time.Duration {
	return from + time.Duration(w.rng.Int64N(int64(max(to-from, 1))))
}

func (w *World) chance(percent int) bool { return w.rng.IntN(100) < percent }

// fill draws random bytes.
func (w *World) fill(b []byte) { _, _ = w.dice.Read(b) } // a ChaCha8 never fails

// emit tells the checkers, the hash and the watcher of an event.
func (w *World) emit(e invariant.Event) {
	e.At, e.WallMS = w.now, w.wallMS()
	w.recent[w.events%len(w.recent)] = e
	w.events++
	w.mix(&e)
	if w.err == nil {
		for _, c := range w.checkers {
			if err := c.Observe(&e); err != nil {
				w.err = err
				break
			}
		}
	}
	if w.opt.Watch != nil {
		w.opt.Watch(&e)
	}
}

// mix adds an event to the trace's hash.
func (w *World) mix(e *invariant.Event) {
	b := w.buf[:0]
	b = append(b, byte(e.Kind), byte(e.Side), byte(e.By), byte(e.Reason))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At))
	b = binary.BigEndian.AppendUint64(b, uint64(e.WallMS))
	b = binary.BigEndian.AppendUint64(b, e.Seq)
	b = binary.BigEndian.AppendUint64(b, e.Rules)
	b = append(b, e.Attempt[:]...)
	b = append(b, e.Epoch[:]...)
	b = append(b, e.Hash[:]...)
	b = append(b, e.Gateway...)
	b = append(b, e.Door...)
	b = append(b, e.Event...)
	b = append(b, e.Word...)
	w.buf = append(b, e.Card...)
	w.sum.Write(w.buf)
}

func (w *World) count(what string) { w.counts[what]++ }

// Failure is how a violation is reported: enough to run it again.
func (w *World) Failure() string {
	s := fmt.Sprintf("SEED=%d STEP=%d %v\nlast events:\n", w.opt.Seed, w.step, w.err)
	recent := w.Recent()
	for _, e := range recent[max(0, len(recent)-24):] {
		s += fmt.Sprintf("  %v kind=%d %s %s %s attempt=%x seq=%d %s %s %s\n", e.At, e.Kind, e.Gateway, e.Door, e.Event, e.Attempt[:3], e.Seq, e.By, e.Word, e.Card)
	}
	return s
}

// Findings lists the kinds of findings in the log so far, sorted, each once.
func (w *World) Findings() []string {
	var out []string
	for i := range w.server.store.findings {
		out = append(out, w.server.store.findings[i].Kind)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// task is something due at a time; those of one time run in the order in which they were made.
type task struct {
	at  time.Duration
	seq uint64
	do  func()
}

type queue []task

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(task)) }
func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = task{}
	*q = old[:len(old)-1]
	return t
}
