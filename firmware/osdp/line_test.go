package osdp_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"monban/firmware/mono"
	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
	"monban/firmware/wiegand"
)

// line joins a bus and its readers in virtual time, byte paced: n bytes take n × 10 bits, and an answer comes in two
// pieces. between sees every frame and says what arrives instead.
type line struct {
	t       testing.TB
	bus     *osdp.Bus
	pds     []*osdptest.PD
	baud    int
	now     mono.Time
	rng     *rand.Rand
	flight  []flight
	between func(toReader bool, b []byte) [][]byte
	events  []osdp.Event
	when    []mono.Time // of events
	writes  int
}

type flight struct {
	at       mono.Time
	toReader bool
	b        []byte
}

var testKey = osdp.Key{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}

// newLine makes n readers with keys of their own at addresses 0 … n-1.
func newLine(t testing.TB, baud, n int, seed uint64, change func(*osdp.Config, []*osdptest.PD)) *line {
	t.Helper()
	l := &line{t: t, baud: baud, rng: rand.New(rand.NewPCG(seed, 1))}
	cfg := osdp.Config{Baud: baud}
	random := func() (r [8]byte) {
		binary.BigEndian.PutUint64(r[:], l.rng.Uint64())
		return r
	}
	for i := range n {
		key := testKey
		key[15] = byte(i)
		cfg.Readers = append(cfg.Readers, osdp.Reader{Name: "r", Addr: byte(i), Key: &key})
		l.pds = append(l.pds, &osdptest.PD{Addr: byte(i), Key: key, HasKey: true, CUID: [8]byte{byte(i), 9}, Serial: uint32(100 + i), Random: random})
	}
	if change != nil {
		change(&cfg, l.pds)
	}
	var err error
	if l.bus, err = osdp.NewBus(0, cfg, random); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *line) time(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(l.baud)
}

// run lets virtual time pass.
func (l *line) run(d time.Duration) {
	l.t.Helper()
	until := l.now.Add(d)
	for steps := 0; ; steps++ {
		if steps > 2_000_000 {
			l.t.Fatal("the machine does not let time pass")
		}
		next, arrives := l.bus.Next(), -1
		for i := range l.flight {
			if !l.flight[i].at.After(next) {
				next, arrives = l.flight[i].at, i
			}
		}
		if next.After(until) {
			l.now = until
			return
		}
		l.now = max(l.now, next)
		if arrives < 0 {
			l.do(l.bus.Tick(l.now))
			continue
		}
		f := l.flight[arrives]
		l.flight = slices.Delete(l.flight, arrives, arrives+1)
		if !f.toReader {
			l.do(l.bus.Receive(l.now, f.b))
			continue
		}
		for _, d := range l.pds {
			if answer := d.Receive(f.b); answer != nil {
				l.send(false, answer)
			}
		}
	}
}

func (l *line) send(toReader bool, b []byte) {
	out := [][]byte{b}
	if l.between != nil {
		out = l.between(toReader, slices.Clone(b))
	}
	at := l.now
	if !toReader {
		at = at.Add(3 * time.Millisecond) // turnaround
	}
	for _, x := range out {
		half := len(x) / 2
		if toReader {
			half = 0
		}
		l.flight = append(l.flight, flight{at.Add(l.time(half)), toReader, x[:half]}, flight{at.Add(l.time(len(x))), toReader, x[half:]})
		at = at.Add(l.time(len(x)))
	}
}

func (l *line) do(actions []osdp.Action) {
	for _, a := range actions {
		if a.Event != nil {
			l.events, l.when = append(l.events, *a.Event), append(l.when, l.now)
			continue
		}
		l.writes++
		l.send(true, a.Write)
	}
}

// kinds of a reader's events, as names.
func (l *line) kinds(reader int) (list []string) {
	for _, e := range l.events {
		if e.Reader == reader {
			list = append(list, e.Kind.String())
		}
	}
	return list
}

func (l *line) saw(reader int, kind osdp.EventKind) bool {
	return slices.ContainsFunc(l.events, func(e osdp.Event) bool { return e.Reader == reader && e.Kind == kind })
}

// cards are the cards of a reader, in order.
func (l *line) cards(reader int) (list []wiegand.Frame) {
	for _, e := range l.events {
		if e.Reader == reader && e.Kind == osdp.EventCard {
			list = append(list, e.Card)
		}
	}
	return list
}

// card makes a 26-bit card of a number, as the reader sends it and as the panel should see it.
func card(n uint32) (bits []byte, want wiegand.Frame) {
	bits = binary.BigEndian.AppendUint32(nil, n<<6)
	want, err := wiegand.NewFrame(bits, 26)
	if err != nil {
		panic(err)
	}
	return bits, want
}

func (l *line) badge(reader int, n uint32) wiegand.Frame {
	bits, want := card(n)
	l.pds[reader].Card(26, bits)
	return want
}
