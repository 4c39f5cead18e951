package osdp_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
	"monban/firmware/wiegand"
)

// A reader with a key comes up, proves it, and its cards, keys and tamper arrive once each, encrypted.
func TestSecuredReader(t *testing.T) {
	l := newLine(t, 9600, 1, 1, nil)
	l.run(time.Second)
	if got := l.kinds(0); !slices.Equal(got, []string{"online"}) || !l.events[0].Secure || l.events[0].Proof.Serial != 100 {
		t.Fatalf("%v %+v", got, l.events)
	}
	want := []wiegand.Frame{l.badge(0, 4567), l.badge(0, 4568)}
	l.pds[0].Press('1', 0x7F, 0x0D)
	l.pds[0].Local(1, 0)
	l.run(time.Second)
	if got := l.cards(0); !slices.Equal(got, want) {
		t.Errorf("%d cards arrived, want 2 in order", len(got))
	}
	if got := l.kinds(0); !slices.Equal(got, []string{"online", "card", "card", "keys", "tamper"}) {
		t.Errorf("%v", got)
	}
	for _, e := range l.events {
		if !e.Secure {
			t.Errorf("%s is not secure", e.Kind)
		}
		if e.Kind == osdp.EventKeys && !slices.Equal(e.Keys, []wiegand.Key{'1', '*', '#'}) {
			t.Error("other keys")
		}
	}
	l.bus.Tell(0, osdp.Command{LED: &osdp.LED{Colour: osdp.Green, Time: 30}, Buzzer: &osdp.Buzzer{On: 2, Off: 1, Count: 1}, Text: "入室 OK"})
	l.run(time.Second)
	for _, code := range []byte{0x69, 0x6A, 0x6B} {
		if !slices.Contains(l.pds[0].Seen, code) {
			t.Errorf("command %02x did not arrive", code)
		}
	}
}

// A reader without a key works where the profile allows it, and nothing it says counts as secure.
func TestPlainReader(t *testing.T) {
	l := newLine(t, 9600, 1, 1, func(c *osdp.Config, pds []*osdptest.PD) {
		c.Readers[0].Key, c.Readers[0].Plain = nil, true
		pds[0].HasKey = false
	})
	l.run(time.Second)
	want := l.badge(0, 7)
	l.run(time.Second)
	if got := l.cards(0); !slices.Equal(got, []wiegand.Frame{want}) {
		t.Fatalf("%v", l.kinds(0))
	}
	for _, e := range l.events {
		if e.Secure {
			t.Errorf("%s counts as secure", e.Kind)
		}
	}
}

// DS-5: one bad CRC, one lost answer, one BUSY, one NAK of each kind cost at most one poll, and a NAK that says that the
// channel is gone (4, 5, 6, an unknown one) a handshake: never the reader, never the card, never a second one.
func TestOneFaultIsNoOutage(t *testing.T) {
	faults := map[string]func(l *line){
		"bad CRC": func(l *line) {
			l.between = once(l, func(b []byte) [][]byte { b[len(b)-1] ^= 1; return [][]byte{b} })
		},
		"no answer": func(l *line) { l.between = once(l, func([]byte) [][]byte { return nil }) },
		"truncated": func(l *line) { l.between = once(l, func(b []byte) [][]byte { return [][]byte{b[:len(b)-3]} }) },
		"doubled":   func(l *line) { l.between = once(l, func(b []byte) [][]byte { return [][]byte{b, b} }) },
		"noise before": func(l *line) {
			l.between = once(l, func(b []byte) [][]byte { return [][]byte{append([]byte{0x53, 0x53, 0x80, 9, 0, 4, 1}, b...)} })
		},
		"mark before": func(l *line) {
			l.between = once(l, func(b []byte) [][]byte { return [][]byte{append([]byte{0xFF}, b...)} })
		},
		"busy": func(l *line) { l.pds[0].Busy = 5 },
	}
	for _, why := range []byte{1, 2, 3, 4, 5, 6, 9, 77} {
		faults["NAK "+string('0'+why%10)] = func(l *line) { l.pds[0].NAKNext = why }
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, 38400, 1, 1, nil)
			l.run(time.Second)
			fault(l)
			want, at, proofs := l.badge(0, 99), l.now, l.pds[0].Proofs
			l.run(2 * time.Second)
			handshake := slices.Contains([]string{"NAK 4", "NAK 5", "NAK 6", "NAK 7"}, name)
			if again := l.pds[0].Proofs != proofs; again && !handshake {
				t.Errorf("it cost the channel: %v", l.kinds(0))
			}
			if i := slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventCard }); i >= 0 && !handshake && name != "busy" && l.when[i].Sub(at) > 350*time.Millisecond {
				t.Errorf("the card took %s: more than the poll that failed and the next one", l.when[i].Sub(at))
			}
			if got := l.cards(0); !slices.Equal(got, []wiegand.Frame{want}) {
				t.Errorf("%d cards: %v", len(got), l.kinds(0))
			}
			if l.saw(0, osdp.EventLost) {
				t.Errorf("the reader was lost: %v", l.kinds(0))
			}
			if !l.pds[0].Open() {
				t.Error("no channel afterwards")
			}
		})
	}
}

// once applies a fault to the next answer only.
func once(_ *line, fault func([]byte) [][]byte) func(bool, []byte) [][]byte {
	done := false
	return func(toReader bool, b []byte) [][]byte {
		if toReader || done {
			return [][]byte{b}
		}
		done = true
		return fault(b)
	}
}

// DS-5: a reader that goes silent is lost within 2 s, and back within a second of its return, whenever that is and on the
// slowest line that is allowed; the others go on.
func TestLostAndBack(t *testing.T) {
	for _, c := range []struct{ baud, readers int }{{9600, 2}, {38400, 4}, {115200, 8}} {
		slowest := time.Duration(0)
		for phase := range 60 {
			l := newLine(t, c.baud, c.readers, uint64(phase), nil)
			l.run(2 * time.Second)
			l.pds[1].Mute = true
			gone := l.now
			l.run(4*time.Second + time.Duration(phase)*17*time.Millisecond)
			i := slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventLost })
			if i < 0 || l.events[i].Reader != 1 || l.when[i].Sub(gone) > 2*time.Second {
				t.Fatalf("%d baud: lost: %v", c.baud, l.events)
			}
			back := l.now
			l.pds[1].Mute = false
			l.pds[1].Restart()
			l.run(2 * time.Second)
			last := len(l.events) - 1
			if e := l.events[last]; e.Kind != osdp.EventOnline || e.Reader != 1 {
				t.Fatalf("%d baud: not back: %v", c.baud, l.events)
			}
			slowest = max(slowest, l.when[last].Sub(back))
		}
		t.Logf("%d readers at %d baud: back after %s at the latest", c.readers, c.baud, slowest)
		if slowest > time.Second {
			t.Errorf("%d readers at %d baud: back only after %s", c.readers, c.baud, slowest)
		}
	}
}

// DS-5: the others deliver their cards while one reader is lost, mute or restarted.
func TestOthersGoOn(t *testing.T) {
	for name, silent := range map[string]func(d *osdptest.PD, on bool){
		"mute":    func(d *osdptest.PD, on bool) { d.Mute = on },
		"restart": func(d *osdptest.PD, on bool) { d.Mute = on; d.Restart() },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, 38400, 3, 1, nil)
			l.run(time.Second)
			began := l.now
			silent(l.pds[1], true)
			l.run(4 * time.Second)
			i := slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventLost })
			if i < 0 || l.events[i].Reader != 1 || l.when[i].Sub(began) > 2*time.Second {
				t.Fatalf("lost: %v", l.events)
			}
			want := l.badge(0, 5)
			l.run(500 * time.Millisecond)
			if got := l.cards(0); !slices.Equal(got, []wiegand.Frame{want}) {
				t.Error("another reader waits for the lost one")
			}
			back := l.now
			silent(l.pds[1], false)
			l.run(2 * time.Second)
			last := len(l.events) - 1
			if e := l.events[last]; e.Kind != osdp.EventOnline || e.Reader != 1 || l.when[last].Sub(back) > time.Second {
				t.Errorf("back: %s after %s", e.Kind, l.when[last].Sub(back))
			}
		})
	}
}

// BUSY for three seconds is a fault, and one that ends is not.
func TestBusyTooLong(t *testing.T) {
	l := newLine(t, 38400, 1, 1, nil)
	l.run(time.Second)
	l.pds[0].Busy = 1000
	l.run(4 * time.Second)
	if i := slices.IndexFunc(l.events, func(e osdp.Event) bool { return e.Kind == osdp.EventLost }); i < 0 || l.events[i].Detail != "busy" {
		t.Errorf("%v", l.events)
	}
}

// The reader is cut off before it can know that its card arrived, and tells it again: that is no second read. The
// same card presented later is one.
func TestCardIsNotReadTwiceOverALostChannel(t *testing.T) {
	l := newLine(t, 38400, 1, 1, nil)
	l.run(time.Second)
	want := l.badge(0, 31)
	for !l.saw(0, osdp.EventCard) {
		l.run(time.Millisecond)
	}
	l.pds[0].Restart()
	l.run(2 * time.Second)
	if got := l.cards(0); !slices.Equal(got, []wiegand.Frame{want}) {
		t.Fatalf("%d reads of one card", len(got))
	}
	l.badge(0, 31)
	l.run(time.Second)
	if got := l.cards(0); len(got) != 2 {
		t.Errorf("presented again it was read %d times in all", len(got))
	}
}

// Random fault schedules: what the panel delivers is, in order and once each, what the reader sent; at the end, with
// the faults gone, nothing is missing.
func TestRandomFaultSchedules(t *testing.T) {
	schedules := 1000
	if testing.Short() {
		schedules = 100
	}
	for seed := range uint64(schedules) {
		rng := rand.New(rand.NewPCG(seed, 2))
		l := newLine(t, []int{9600, 19200, 38400, 115200}[rng.IntN(4)], 2, seed, nil)
		faults := osdptest.Faults(l.pds, rng, rng.Float64()*0.4)
		l.between = func(toReader bool, b []byte) [][]byte {
			on, _ := faults(toReader, b)
			return on
		}
		var sent [2][]wiegand.Frame
		for n := range uint32(20) {
			r := rng.IntN(2)
			sent[r] = append(sent[r], l.badge(r, n+1))
			l.run(time.Duration(rng.IntN(400)) * time.Millisecond)
		}
		l.between = nil
		l.run(15 * time.Second)
		for r := range sent {
			if got := l.cards(r); !slices.Equal(got, sent[r]) {
				t.Fatalf("seed %d, reader %d: %d cards sent, %d arrived, or in another order; %v", seed, r, len(sent[r]), len(got), l.kinds(r))
			}
		}
		for _, e := range l.events {
			if e.Kind == osdp.EventDowngrade || e.Kind == osdp.EventMAC {
				t.Fatalf("seed %d: noise raises the alarm %s %s", seed, e.Kind, e.Detail)
			}
		}
	}
}

// Poll to card: p99 ≤ 150 ms with 8 readers at 115,200, 4 at 38,400 or 2 at 9,600 baud, ≤ 350 ms with one dead reader.
func TestPollToCard(t *testing.T) {
	for _, c := range []struct {
		baud, readers int
		dead          bool
		want          time.Duration
	}{{115200, 8, false, 150}, {38400, 4, false, 150}, {9600, 2, false, 150}, {115200, 8, true, 350}, {38400, 4, true, 350}, {9600, 2, true, 350}} {
		l := newLine(t, c.baud, c.readers, 1, nil)
		l.run(2 * time.Second)
		if c.dead {
			l.pds[c.readers-1].Mute = true
		}
		var took []time.Duration
		for n := range uint32(300) {
			l.run(time.Duration(l.rng.IntN(60)) * time.Millisecond)
			r := int(n) % (c.readers - 1 + map[bool]int{false: 1, true: 0}[c.dead])
			if c.readers == 1 {
				r = 0
			}
			before, at := len(l.cards(r)), l.now
			l.badge(r, n+1)
			for len(l.cards(r)) == before && l.now.Sub(at) < time.Second {
				l.run(time.Millisecond)
			}
			took = append(took, l.now.Sub(at))
		}
		slices.Sort(took)
		p99 := took[len(took)*99/100]
		t.Logf("%d readers at %d baud, one dead: %v: p50 %s, p99 %s", c.readers, c.baud, c.dead, took[len(took)/2], p99)
		if p99 > c.want*time.Millisecond {
			t.Errorf("%d readers at %d baud, one dead: %v: p99 %s", c.readers, c.baud, c.dead, p99)
		}
	}
}
