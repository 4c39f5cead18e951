package pi

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/conntest"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spitest"

	"monban/firmware/nfc"
	"monban/firmware/nfc/nfctest"
	"monban/gateway/hal"
	"monban/hardware/board"
)

var (
	uid7      = []byte{0x04, 0x78, 0x2E, 0x21, 0x80, 0x1D, 0x80}
	testIDm   = [8]byte{0x01, 0x14, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}
	siteCards = &nfc.Config{UID: true, System: 0x88B4, LiteS: &nfc.LiteS{Masters: []nfc.Key{{1}}},
		DESFire: &nfc.DESFire{AID: [3]byte{0x30, 0x42, 0xF5}, KeyNo: 1, File: 2, Masters: []nfc.Key{{2}}}}
)

func dice16(seed uint64) func() [16]byte {
	rng := rand.New(rand.NewPCG(seed, 9))
	return func() (b [16]byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
}

func desfireCard() *nfctest.DESFire {
	key := nfc.Diversify(nfc.Key{2}, append(slices.Clone(uid7), 0x30, 0x42, 0xF5))
	return &nfctest.DESFire{Serial: uid7, AID: [3]byte{0x30, 0x42, 0xF5}, Key: key, KeyNo: 1, FileNo: 2, File: [32]byte{26, 1, 2, 3, 0x40}, Random: dice16(1)}
}

func liteCard() *nfctest.LiteS {
	key := nfc.Diversify(nfc.Key{1}, append(slices.Clone(testIDm[:]), 0x88, 0xB4))
	return &nfctest.LiteS{IDm: testIDm, ID: testIDm, System: 0x88B4, Key: key}
}

// moduleBench is a pty with a module at its other end.
type moduleBench struct {
	mu sync.Mutex
	m  nfctest.Module
	// spoil, when not nil, changes what the module says.
	spoil func([]byte) []byte
	slave string
	// coming are laid on it when a look begins: all at once, as the reader sees it.
	coming []nfctest.Card
}

// lookBegins is in the frame of ListA.
var lookBegins = []byte{0xD4, 0x4A, 0x02, 0x00}

func newModuleBench(t *testing.T) *moduleBench {
	t.Helper()
	m, slave, hold := openPTY(t)
	b := &moduleBench{slave: slave}
	t.Cleanup(func() { hold.Close(); m.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, err := m.Read(buf)
			if err != nil {
				return
			}
			b.mu.Lock()
			if b.coming != nil && bytes.Contains(buf[:n], lookBegins) {
				b.m.Cards, b.coming = b.coming, nil
			}
			out := b.m.Receive(buf[:n])
			if b.spoil != nil {
				out = b.spoil(out)
			}
			b.mu.Unlock()
			for len(out) > 0 { // in pieces, as a serial line gives them
				k := min(len(out), 5)
				if _, err := m.Write(out[:k]); err != nil {
					return
				}
				out = out[k:]
			}
		}
	}()
	return b
}

func (b *moduleBench) with(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

// lay takes away what lies on the module, waits until that was seen, and lays cards on it.
func (b *moduleBench) lay(t *testing.T, cards ...nfctest.Card) {
	t.Helper()
	looks := 0
	b.with(func() { b.m.Take(); looks = len(b.m.Seen) })
	until(t, "the empty field is seen", func() (ok bool) { b.with(func() { ok = len(b.m.Seen) >= looks+2*(goneAfter+2) }); return ok })
	b.with(func() { b.coming = cards })
}

func (b *moduleBench) reader(t *testing.T, cfg *nfc.Config) *PN532 {
	t.Helper()
	p := newPN532("test", cfg, func() (moduleLine, error) {
		port, err := OpenSerial(b.slave, 115200)
		return uartLine{port}, err
	}, 10*time.Millisecond, newIndicator(nil, nil, nil, true), fromAnchor(), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { p.Close() })
	return p
}

// AD-4: cards on a module at a serial line: each is read once a presentation, with what it has proved.
func TestPN532OverASerialLine(t *testing.T) {
	t.Parallel()
	b := newModuleBench(t)
	p := b.reader(t, siteCards)
	ev1 := desfireCard()
	ev1.EV1 = true
	for _, row := range []struct {
		name  string
		c     nfctest.Card
		bits  []byte
		n     int
		proof hal.Proof
	}{
		{"DESFire EV2", desfireCard(), []byte{1, 2, 3, 0x40}, 26, hal.ProofMutual},
		{"DESFire EV1", ev1, []byte{1, 2, 3, 0x40}, 26, hal.ProofMutual},
		{"Lite-S", liteCard(), testIDm[:], 64, hal.ProofCard},
		{"number", &nfctest.Plain{Serial: uid7}, uid7, 56, hal.ProofNumber},
	} {
		b.lay(t, row.c)
		c, ok := next[hal.Signal](t, p).(hal.Card)
		if !ok || !bytes.Equal(c.Bits, row.bits) || c.Len != row.n || c.Proof != row.proof {
			t.Errorf("%s: %v, proof %d", row.name, c, c.Proof)
		}
	}
	if len(p.Signals()) != 0 {
		t.Error("a card was read twice")
	}
}

// AD-4, DS-5: a wrong key, a number that changes, two cards, a card pulled away, a spoilt answer: each is told as what it is,
// once, no card comes of it, and the next card is read.
func TestPN532Refusals(t *testing.T) {
	t.Parallel()
	b := newModuleBench(t)
	p := b.reader(t, siteCards)
	strange := desfireCard()
	strange.Key[0]++
	forged := liteCard()
	forged.Key[3] ^= 0x10
	phone := liteCard()
	phone.IDm[0], phone.IDm[1] = 0x02, 0xFE
	spoilt := desfireCard()
	spoilt.Spoil = func(n int, a []byte) []byte {
		if n == 2 {
			a[5] ^= 1
		}
		return a
	}
	for _, row := range []struct {
		name  string
		cards []nfctest.Card
		why   nfc.Refusal
	}{
		{"wrong key", []nfctest.Card{strange}, nfc.RefusedKey},
		{"wrong key of a FeliCa", []nfctest.Card{forged}, nfc.RefusedKey},
		{"random number", []nfctest.Card{&nfctest.Plain{Serial: []byte{8, 1, 2, 3}}}, nfc.RefusedSerial},
		{"telephone", []nfctest.Card{phone}, nfc.RefusedPhone},
		{"two cards", []nfctest.Card{&nfctest.Plain{Serial: uid7}, &nfctest.Plain{Serial: []byte{1, 2, 3, 4}}}, nfc.RefusedTwo},
		{"two kinds", []nfctest.Card{liteCard(), desfireCard()}, nfc.RefusedTwo},
		{"proof spoilt", []nfctest.Card{spoilt}, nfc.RefusedKey},
	} {
		b.lay(t, row.cards...)
		if s, ok := next[hal.Signal](t, p).(hal.NoCard); !ok || s.Why != string(row.why) {
			t.Errorf("%s: %v", row.name, s)
		}
		b.lay(t, &nfctest.Plain{Serial: []byte{1, 2, 3, 4}})
		if c, ok := next[hal.Signal](t, p).(hal.Card); !ok || c.Len != 32 {
			t.Errorf("after %s: %v", row.name, c)
		}
	}
	// Pulled away at each step of the conversation.
	for n := 1; n <= 3; n++ {
		b.lay(t)
		b.with(func() { b.m.Pull, b.coming = n, []nfctest.Card{desfireCard()} })
		if s, ok := next[hal.Signal](t, p).(hal.NoCard); !ok || s.Why != string(nfc.RefusedTorn) {
			t.Errorf("pulled away at step %d: %v", n, s)
		}
		b.lay(t, liteCard())
		if c, ok := next[hal.Signal](t, p).(hal.Card); !ok || c.Proof != hal.ProofCard {
			t.Errorf("after it: %v", c)
		}
	}
	// A card that wavers at the edge of the field is told once, and read as soon as it lies still.
	waver, tries := desfireCard(), 0
	waver.Spoil = func(n int, a []byte) []byte {
		if tries++; tries <= 5 {
			return nil
		}
		return a
	}
	b.lay(t, waver)
	if s, ok := next[hal.Signal](t, p).(hal.NoCard); !ok || s.Why != string(nfc.RefusedTorn) {
		t.Errorf("wavering: %v", s)
	}
	if c, ok := next[hal.Signal](t, p).(hal.Card); !ok || c.Len != 26 {
		t.Errorf("lies still: %v", c)
	}
}

// DS-5: a module that falls silent, says nonsense or is missing is a lost reader, and works again by itself; one spoilt
// frame is not told at all.
func TestPN532Lost(t *testing.T) {
	t.Parallel()
	b := newModuleBench(t)
	p := b.reader(t, siteCards)
	b.lay(t, &nfctest.Plain{Serial: uid7})
	next[hal.Card](t, p)
	n := 0
	b.with(func() {
		b.spoil = func(out []byte) []byte {
			if n++; n == 1 && len(out) > 8 {
				out[8] ^= 0x40
			}
			return out
		}
	})
	until(t, "looks after the spoilt frame", func() (ok bool) { b.with(func() { ok = n > 8 }); return ok })
	if len(p.Signals()) != 0 {
		t.Errorf("one spoilt frame is told: %v", <-p.Signals())
	}
	for name, state := range map[string]func(on bool){
		"silent":   func(on bool) { b.m.Dead = on },
		"ACK only": func(on bool) { b.m.Deaf = on },
		"nonsense": func(on bool) {
			b.spoil = nil
			if on {
				b.spoil = func(out []byte) []byte { return bytes.Repeat([]byte{0, 0xFF, 2}, len(out)) }
			}
		},
	} {
		b.with(func() { state(true) })
		if f := next[hal.Fault](t, p); f.Kind != hal.FaultLost || !f.On {
			t.Fatalf("%s: %+v", name, f)
		}
		b.with(func() { state(false) })
		if f := next[hal.Fault](t, p); f.Kind != hal.FaultLost || f.On {
			t.Fatalf("%s: back: %+v", name, f)
		}
		b.lay(t, &nfctest.Plain{Serial: uid7})
		next[hal.Card](t, p)
	}
	if err := errors.Join(p.Close(), p.Close()); err != nil {
		t.Error(err)
	}
	for range p.Signals() { // closed: the loop ends
	}
}

// spiModule is a module on SPI that keeps every transfer.
type spiModule struct {
	m       nfctest.Module
	waiting [][]byte // frames
	ops     []conntest.IO
	busy    int // status is "not ready" so often before each frame
	left    int
}

func (s *spiModule) String() string                                            { return "module" }
func (s *spiModule) Close() error                                              { return nil }
func (s *spiModule) LimitSpeed(physic.Frequency) error                         { return nil }
func (s *spiModule) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) { return s, nil }
func (s *spiModule) Duplex() conn.Duplex                                       { return conn.Full }
func (s *spiModule) TxPackets([]spi.Packet) error                              { return errors.New("not used") }
func (s *spiModule) Tx(w, r []byte) error {
	in := make([]byte, len(w))
	for i, x := range w {
		in[i] = bits.Reverse8(x)
	}
	out := make([]byte, len(r))
	switch {
	case in[0] == 1:
		if said := s.m.Receive(in[1:]); len(said) > 6 {
			s.waiting = [][]byte{said[:6], said[6:]}
			s.left = s.busy
		}
	case in[0] == 2 && len(s.waiting) > 0:
		if s.left > 0 {
			s.left--
		} else {
			out[1] = 1
		}
	case in[0] == 3 && len(s.waiting) > 0:
		copy(out[1:], s.waiting[0])
		s.waiting, s.left = s.waiting[1:], s.busy
	}
	for i, x := range out {
		r[i] = bits.Reverse8(x)
	}
	s.ops = append(s.ops, conntest.IO{W: slices.Clone(w), R: slices.Clone(r)})
	return nil
}

// spiReader is a reader that is not running, on an SPI port.
func spiReader(t *testing.T, port spi.PortCloser) (*PN532, *module) {
	t.Helper()
	line, err := newSPILine(port)
	if err != nil {
		t.Fatal(err)
	}
	line.(*spiLine).sleep = func(time.Duration) {}
	p := &PN532{outlet: newOutlet(8), cfg: siteCards, now: fromAnchor(), log: slog.New(slog.DiscardHandler), random: dice16(5)}
	return p, &module{line, func() time.Time { return time.Time{} }}
}

// AD-4: what goes over SPI, byte for byte, from the start of the module to a card that was read: the transfers of
// testdata/spi, played back by periph's spitest, first byte and every frame with their bits turned round.
func TestPN532OverSPI(t *testing.T) {
	proofs := map[string]hal.Proof{"desfire-ev2": hal.ProofMutual, "desfire-ev1": hal.ProofMutual, "lite-s": hal.ProofCard, "uid": hal.ProofNumber}
	for name, fresh := range map[string]func() nfctest.Card{
		"desfire-ev2": func() nfctest.Card { return desfireCard() },
		"desfire-ev1": func() nfctest.Card { d := desfireCard(); d.EV1 = true; return d },
		"lite-s":      func() nfctest.Card { return liteCard() },
		"uid":         func() nfctest.Card { return &nfctest.Plain{Serial: uid7} },
		"nothing":     nil,
	} {
		file := "testdata/spi/" + name + ".txt"
		work := func(port spi.PortCloser) *PN532 {
			p, m := spiReader(t, port)
			if err := errors.Join(m.start(), p.look(m), p.look(m)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return p
		}
		if os.Getenv("MONBAN_RECORD_SPI") != "" {
			s := &spiModule{busy: 1}
			if fresh != nil {
				s.m.Cards = []nfctest.Card{fresh()}
			}
			work(s)
			var text strings.Builder
			for _, op := range s.ops {
				fmt.Fprintf(&text, "%x %x\n", op.W, op.R)
			}
			if err := errors.Join(os.MkdirAll("testdata/spi", 0o755), os.WriteFile(file, []byte(text.String()), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		play := &spitest.Playback{Playback: conntest.Playback{DontPanic: true, D: conn.Full}}
		for line := range strings.Lines(string(text)) {
			w, r, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
			op := conntest.IO{}
			var bad error
			if op.W, bad = hex.DecodeString(w); bad != nil {
				t.Fatal(bad)
			}
			if op.R, bad = hex.DecodeString(r); bad != nil {
				t.Fatal(bad)
			}
			play.Ops = append(play.Ops, op)
		}
		p := work(play)
		if err := play.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if read := len(p.signals); fresh == nil != (read == 0) || read > 1 {
			t.Errorf("%s: %d signals", name, read)
		} else if read == 1 {
			c, ok := (<-p.signals).(hal.Card)
			if want := proofs[name]; !ok || c.Proof != want {
				t.Errorf("%s: %v, proof %d", name, c, c.Proof)
			}
		}
		// Torn at each transfer: no card, and an error or a refusal.
		for n := range play.Ops {
			cut := &spitest.Playback{Playback: conntest.Playback{DontPanic: true, D: conn.Full, Ops: play.Ops[:n]}}
			p, m := spiReader(t, cut)
			err := m.start()
			if err == nil {
				err = errors.Join(p.look(m), p.look(m))
			}
			for len(p.signals) > 0 {
				if c, is := (<-p.signals).(hal.Card); is && n < len(play.Ops)/2 {
					t.Errorf("%s: a card after %d of %d transfers: %v", name, n, len(play.Ops), c)
				}
			}
			if err == nil {
				t.Errorf("%s: no error after %d of %d transfers", name, n, len(play.Ops))
			}
		}
	}
}

// AD-4: the profile of one door with a PN532 opens its module on SPI, the card is read and its lights are the profile's; a
// reader that is to check proofs and has no keys is refused by name.
func TestPN532Profile(t *testing.T) {
	t.Parallel()
	p, chip := profile(t, "one-door-pn532"), newFakeChip()
	s := &spiModule{m: nfctest.Module{Cards: []nfctest.Card{&nfctest.Plain{Serial: uid7}}}}
	opened := ""
	cfg := Config{Profile: p, Chip: func() (Chip, error) { return chip, nil }, Now: fromAnchor(), I2C: deadI2C,
		SPI: func(name string) (spi.PortCloser, error) { opened = name; return s, nil }}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	d, err := h.Door("door-1")
	if err != nil {
		t.Fatal(err)
	}
	if c := next[hal.Card](t, d.Enter); c.Len != 56 || c.Proof != hal.ProofNumber {
		t.Errorf("%v", c)
	}
	if err := d.Enter.Indicate(hal.Indication{Light: hal.Green}); err != nil {
		t.Fatal(err)
	}
	until(t, "green", func() bool { return chip.high(19) && !chip.high(22) })
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if opened != "SPI0.0" {
		t.Errorf("opened %q", opened)
	}
	p.Doors[0].Readers[0].Cards = []string{board.CardDESFire}
	if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), "desfire") || !strings.Contains(err.Error(), "door-1") {
		t.Errorf("no keys: %v", err)
	}
}
