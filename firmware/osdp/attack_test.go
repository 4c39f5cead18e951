package osdp_test

import (
	"encoding/binary"
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

// forged builds a reply in the clear, as an attacker on the line can.
func forged(addr, seq, code byte, data []byte) []byte {
	n := 8 + len(data)
	b := append([]byte{0x53, addr | 0x80, byte(n), byte(n >> 8), seq&3 | 4, code}, data...)
	return binary.LittleEndian.AppendUint16(b, osdptest.CRC(b))
}

// recrc mends the CRC after a change.
func recrc(b []byte) []byte {
	binary.LittleEndian.PutUint16(b[len(b)-2:], osdptest.CRC(b[:len(b)-2]))
	return b
}

// evil is the card that an attacker would have the panel believe.
var evilBits, evilCard = card(66666)

// code of a frame from either side, after mark and secure block.
func code(b []byte) byte {
	if b[0] == 0xFF {
		b = b[1:]
	}
	if b[4]&8 != 0 {
		return b[5+b[5]]
	}
	return b[5]
}

func scb(b []byte) byte {
	if b[0] == 0xFF {
		b = b[1:]
	}
	if b[4]&8 != 0 {
		return b[6]
	}
	return 0
}

// attack is a man on the line between the panel and reader 0; it begins when the reader is online, unless early.
type attack struct {
	early bool
	at    func(l *line) func(toReader bool, b []byte) [][]byte
	alarm osdp.EventKind // must be raised
	cut   bool           // the reader must not be usable while it goes on
}

func only(addr byte, b []byte) bool { return b[1]&0x7F == addr }

func attacks() map[string]attack {
	// answers has the attacker change answers of reader 0 with a code, 0 = any.
	answers := func(which byte, change func(b []byte) [][]byte) func(*line) func(bool, []byte) [][]byte {
		return func(*line) func(bool, []byte) [][]byte {
			return func(toReader bool, b []byte) [][]byte {
				if toReader || !only(0, b) || which != 0 && code(b) != which {
					return [][]byte{b}
				}
				return change(b)
			}
		}
	}
	raw := append([]byte{0, 0, 26, 0}, evilBits...)
	return map[string]attack{
		"capabilities stripped": {true, answers(0x46, func(b []byte) [][]byte {
			for i := 6; i+2 < len(b)-2; i += 3 {
				if b[i] == 9 {
					b[i+1] = 0
				}
			}
			return [][]byte{recrc(b)}
		}), osdp.EventDowngrade, false},
		"channel refused": {true, answers(0x76, func(b []byte) [][]byte { return [][]byte{forged(0, b[4], 0x41, []byte{5})} }), osdp.EventDowngrade, true},
		"channel unknown": {true, answers(0x76, func(b []byte) [][]byte { return [][]byte{forged(0, b[4], 0x41, []byte{3})} }), osdp.EventDowngrade, true},
		"old cryptogram replayed": {true, func(l *line) func(bool, []byte) [][]byte {
			var old []byte
			polls := 0
			return func(toReader bool, b []byte) [][]byte {
				if toReader || !only(0, b) {
					return [][]byte{b}
				}
				if polls++; polls == 20 {
					l.pds[0].Restart()
				}
				if code(b) != 0x76 {
					return [][]byte{b}
				}
				if old == nil {
					old = slices.Clone(b)
				}
				return [][]byte{old}
			}
		}, osdp.EventDowngrade, false},
		"default key for a keyed reader": {true, answers(0x76, func(b []byte) [][]byte { b[7] = 0; return [][]byte{recrc(b)} }), osdp.EventDowngrade, true},
		"cryptogram turned":              {true, answers(0x76, func(b []byte) [][]byte { b[30] ^= 1; return [][]byte{recrc(b)} }), osdp.EventDowngrade, true},
		"initial MAC forged":             {true, answers(0x78, func(b []byte) [][]byte { b[12] ^= 1; return [][]byte{recrc(b)} }), osdp.EventDowngrade, true},
		"initial MAC refused":            {true, answers(0x78, func(b []byte) [][]byte { b[7] = 0xFF; return [][]byte{recrc(b)} }), osdp.EventDowngrade, true},
		"plaintext card in a channel":    {false, answers(0, func(b []byte) [][]byte { return [][]byte{forged(0, b[4], 0x50, raw)} }), osdp.EventDowngrade, true},
		"plaintext answer in a channel":  {false, answers(0, func(b []byte) [][]byte { return [][]byte{forged(0, b[4], 0x40, nil)} }), osdp.EventDowngrade, true},
		"MAC of an old answer replayed": {false, func(*line) func(bool, []byte) [][]byte {
			var old [][]byte
			return func(toReader bool, b []byte) [][]byte {
				if toReader || !only(0, b) || scb(b) < 0x16 {
					return [][]byte{b}
				}
				old = append(old, slices.Clone(b))
				for _, o := range old[:len(old)-1] {
					if o[4]&3 == b[4]&3 {
						return [][]byte{o}
					}
				}
				return [][]byte{b}
			}
		}, osdp.EventMAC, false},
		"MAC turned":    {false, answers(0, func(b []byte) [][]byte { b[len(b)-4] ^= 0x80; return [][]byte{recrc(b)} }), osdp.EventMAC, true},
		"data turned":   {false, answers(0x50, func(b []byte) [][]byte { b[10] ^= 1; return [][]byte{recrc(b)} }), osdp.EventMAC, false},
		"code turned":   {false, answers(0x40, func(b []byte) [][]byte { b[7] = 0x48; return [][]byte{recrc(b)} }), osdp.EventMAC, false},
		"length turned": {false, answers(0, func(b []byte) [][]byte { b[2]--; return [][]byte{b} }), osdp.EventNone, true},
		"cut short":     {false, answers(0, func(b []byte) [][]byte { return [][]byte{b[:len(b)-1]} }), osdp.EventNone, true},
		"session refused for ever": {false, answers(0, func(b []byte) [][]byte { return [][]byte{forged(0, b[4], 0x41, []byte{6})} }),
			osdp.EventNone, true},
		"busy for ever": {false, answers(0, func([]byte) [][]byte { return [][]byte{forged(0, 0, 0x79, nil)} }), osdp.EventNone, true},
		"the answer comes before the reader's": {false, func(*line) func(bool, []byte) [][]byte {
			return func(toReader bool, b []byte) [][]byte {
				if toReader || !only(0, b) {
					return [][]byte{b}
				}
				return [][]byte{forged(0, b[4], 0x50, raw), b}
			}
		}, osdp.EventDowngrade, true},
		"garbage at full rate": {false, func(l *line) func(bool, []byte) [][]byte {
			return func(toReader bool, b []byte) [][]byte {
				if toReader || !only(0, b) {
					return [][]byte{b}
				}
				noise := make([]byte, 400)
				for i := range noise {
					noise[i] = byte(l.rng.Uint32())
				}
				return [][]byte{noise, b}
			}
		}, osdp.EventNone, false},
		"stuck at the first byte": {false, answers(0, func([]byte) [][]byte { return [][]byte{slices.Repeat([]byte{0x53}, 600)} }), osdp.EventNone, true},
		"our own commands echoed": {false, func(*line) func(bool, []byte) [][]byte {
			return func(toReader bool, b []byte) [][]byte { return [][]byte{b} }
		}, osdp.EventNone, false},
	}
}

// The named attacks of a man on the line: each is refused, with an alarm where it is one; no forged card is taken, no
// command but the handshake's goes out in the clear, no key is set, and the other readers deliver their cards in the
// meantime. When it is over, the reader works again by itself.
func TestAttacks(t *testing.T) {
	for name, a := range attacks() {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, 38400, 2, 7, nil)
			if !a.early {
				l.run(time.Second)
			}
			hand := a.at(l)
			l.between = func(toReader bool, b []byte) [][]byte {
				if toReader {
					checkCommand(t, b)
					if name == "our own commands echoed" {
						l.flight = append(l.flight, flight{l.now, false, slices.Clone(b)})
					}
				}
				return hand(toReader, b)
			}
			var sent []wiegand.Frame
			before := len(l.events)
			for n := range uint32(20) {
				if n == 10 {
					l.badge(0, 500)
				}
				sent = append(sent, l.badge(1, n+1))
				l.run(400 * time.Millisecond)
			}
			if got := l.cards(1); !slices.Equal(got, sent) {
				t.Errorf("the other reader delivered %d of %d cards", len(got), len(sent))
			}
			if a.alarm != osdp.EventNone && !l.saw(0, a.alarm) {
				t.Errorf("no %s: %v", a.alarm, l.kinds(0))
			}
			if a.cut {
				if !a.early && !slices.ContainsFunc(l.events[before:], func(e osdp.Event) bool { return e.Reader == 0 && e.Kind == osdp.EventLost }) {
					t.Errorf("the reader still counts as one: %v", l.kinds(0))
				}
				if n := len(l.cards(0)); n != 0 {
					t.Errorf("%d cards from it", n)
				}
			}
			l.between = nil
			l.run(15 * time.Second)
			_, genuine := card(500)
			if got := l.cards(0); !slices.Equal(got, []wiegand.Frame{genuine}) {
				t.Errorf("afterwards %d cards, want the one that was presented", len(got))
			}
			if slices.Contains(l.cards(0), evilCard) || slices.Contains(l.cards(1), evilCard) {
				t.Error("the forged card was taken")
			}
		})
	}
}

// checkCommand: to a keyed reader nothing but the handshake goes out in the clear, and never KEYSET.
func checkCommand(t *testing.T, b []byte) {
	t.Helper()
	switch c := code(b); {
	case c == 0x75:
		t.Error("KEYSET outside a pairing")
	case scb(b) >= 0x15, c == 0x62, c == 0x76 && scb(b) == 0x11, c == 0x77 && scb(b) == 0x13:
	default:
		t.Errorf("command %02x in the clear", c)
	}
	if s := scb(b); (s == 0x11 || s == 0x13) && b[8] != 1 {
		t.Error("a handshake with the default key outside a pairing")
	}
}

// A reader put in the place of ours: without the key it delivers nothing; with the key (cloned) it is told.
func TestReaderExchanged(t *testing.T) {
	l := newLine(t, 38400, 1, 1, func(_ *osdp.Config, pds []*osdptest.PD) { pds[0].HasKey, pds[0].Install = false, true })
	l.pds[0].Card(26, evilBits)
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
			return [][]byte{recrc(b)}
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
