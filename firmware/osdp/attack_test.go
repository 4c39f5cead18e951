package osdp_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
	"monban/firmware/wiegand"
)

// evilCard is the card that an attacker would have the panel believe.
var evilCard = func() wiegand.Frame {
	f, err := wiegand.NewFrame(osdptest.EvilBits, 26)
	if err != nil {
		panic(err)
	}
	return f
}()

// The named attacks of a man on the line (AD-4, DS-5): each is refused, with an alarm where it is one; no forged card is
// taken, no command but the handshake's goes out in the clear, no key is set, and the other readers deliver their cards
// in the meantime. When it is over, the reader works again by itself. gateway/hal/pi does the same over a serial line.
func TestAttacks(t *testing.T) {
	for _, a := range osdptest.Attacks() {
		t.Run(a.Name, func(t *testing.T) {
			l := newLine(t, 38400, 2, 7, nil)
			if !a.Early {
				l.run(time.Second)
			}
			key := l.pds[0].Key
			man := a.Make(l.pds[0], l.rng)
			l.between = func(toReader bool, b []byte) [][]byte {
				if toReader {
					checkCommand(t, b)
				}
				on, back := man(toReader, b)
				for _, x := range back {
					l.flight = append(l.flight, flight{l.now, !toReader, x})
				}
				return on
			}
			var sent []wiegand.Frame
			genuine := []wiegand.Frame{l.badge(0, 400)}
			if a.Cut || a.Early {
				genuine = append(genuine, l.badge(0, 450))
			} else {
				l.run(400 * time.Millisecond)
			}
			before := len(l.events)
			for n := range uint32(20) {
				if n == 10 {
					genuine = append(genuine, l.badge(0, 500))
				}
				sent = append(sent, l.badge(1, n+1))
				l.run(400 * time.Millisecond)
			}
			if got := l.cards(1); !slices.Equal(got, sent) {
				t.Errorf("the other reader delivered %d of %d cards", len(got), len(sent))
			}
			if a.Alarm != "" && !slices.Contains(l.kinds(0), a.Alarm) {
				t.Errorf("no %s: %v", a.Alarm, l.kinds(0))
			}
			if a.Cut {
				if !a.Early && !slices.ContainsFunc(l.events[before:], func(e osdp.Event) bool { return e.Reader == 0 && e.Kind == osdp.EventLost }) {
					t.Errorf("the reader still counts as one: %v", l.kinds(0))
				}
				if n := len(l.cards(0)); n != 0 {
					t.Errorf("%d cards from it", n)
				}
			}
			l.between = nil
			l.run(15 * time.Second)
			if got := l.cards(0); !slices.Equal(got, genuine) {
				t.Errorf("afterwards %d cards, want the %d that were presented; %v", len(got), len(genuine), l.kinds(0))
			}
			if slices.Contains(l.cards(0), evilCard) || slices.Contains(l.cards(1), evilCard) {
				t.Error("the forged card was taken")
			}
			if l.pds[0].Key != key {
				t.Error("the reader has another key")
			}
		})
	}
}

// checkCommand: to a keyed reader nothing but the handshake goes out in the clear, and never KEYSET.
func checkCommand(t *testing.T, b []byte) {
	t.Helper()
	switch c := osdptest.Code(b); {
	case c == 0x75:
		t.Error("KEYSET outside a pairing")
	case osdptest.Block(b) >= 0x15, c == 0x62, c == 0x76 && osdptest.Block(b) == 0x11, c == 0x77 && osdptest.Block(b) == 0x13:
	default:
		t.Errorf("command %02x in the clear", c)
	}
	if s := osdptest.Block(b); (s == 0x11 || s == 0x13) && b[8] != 1 {
		t.Error("a handshake with the default key outside a pairing")
	}
}

// A reader put in the place of ours: without the key it delivers nothing; with the key (cloned) it is told.
func TestReaderExchanged(t *testing.T) {
	l := newLine(t, 38400, 1, 1, func(_ *osdp.Config, pds []*osdptest.PD) { pds[0].HasKey, pds[0].Install = false, true })
	l.pds[0].Card(26, osdptest.EvilBits)
	l.run(10 * time.Second)
	if len(l.cards(0)) != 0 || l.saw(0, osdp.EventOnline) || !l.saw(0, osdp.EventDowngrade) {
		t.Errorf("a reader with the default key: %v", l.kinds(0))
	}
	l = newLine(t, 38400, 1, 1, nil)
	l.run(time.Second)
	l.pds[0].Serial++
	l.pds[0].Restart()
	l.run(2 * time.Second)
	if !l.saw(0, osdp.EventChanged) {
		t.Errorf("another serial number with our key: %v", l.kinds(0))
	}
}

// Card and keys in the clear inside a channel are refused, unless the profile says so; then they are not secure.
func TestClearData(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		l := newLine(t, 38400, 1, 1, func(c *osdp.Config, pds []*osdptest.PD) { c.Readers[0].ClearData, pds[0].Clear = allowed, true })
		l.run(time.Second)
		l.badge(0, 12)
		l.pds[0].Press('1')
		l.run(time.Second)
		if got := len(l.cards(0)); got == 1 != allowed || l.saw(0, osdp.EventKeys) != allowed || l.saw(0, osdp.EventClearData) == allowed {
			t.Errorf("allowed %v: %v", allowed, l.kinds(0))
		}
		for _, e := range l.events {
			if e.Kind == osdp.EventCard && e.Secure {
				t.Error("a card in the clear counts as secure")
			}
		}
	}
}

// Mutated answers with a right CRC, as only an attacker makes them: none is taken for content.
func TestMutatedFrames(t *testing.T) {
	frames := 20_000
	if s := os.Getenv("MONBAN_OSDP_FRAMES"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		frames = n
	}
	for mutated, seed := 0, uint64(1); mutated < frames; seed++ {
		rng := rand.New(rand.NewPCG(seed, 3))
		l := newLine(t, 230400, 1, seed, nil)
		l.run(time.Second)
		l.between = func(toReader bool, b []byte) [][]byte {
			if toReader || len(b) < 12 {
				return [][]byte{b}
			}
			mutated++
			for range 1 + rng.IntN(3) {
				if i := 1 + rng.IntN(len(b)-3); i != 2 && i != 3 {
					b[i] ^= byte(1 + rng.IntN(255))
				}
			}
			return [][]byte{osdptest.Recrc(b)}
		}
		var sent []wiegand.Frame
		for n := range uint32(20) {
			sent = append(sent, l.badge(0, n+1))
			l.run(2 * time.Second)
		}
		l.between = nil
		l.run(15 * time.Second)
		if got := l.cards(0); !slices.Equal(got, sent) {
			t.Fatalf("seed %d: %d cards, want the %d that were presented, in order", seed, len(got), len(sent))
		}
		for _, e := range l.events {
			if e.Kind == osdp.EventKeys || e.Kind == osdp.EventTamper {
				t.Fatalf("seed %d: %s out of nothing", seed, e.Kind)
			}
		}
	}
}
