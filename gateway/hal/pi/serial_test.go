package pi

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/mono"
	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
	"monban/gateway/hal"
)

// bench is a pty with simulated readers at its other end, paced as the line would be, and perhaps a man in between.
type bench struct {
	t      *testing.T
	baud   int
	mu     sync.Mutex
	pds    []*osdptest.PD
	master *os.File
	slave  string
	hold   *os.File // keeps the slave alive between two openings
	man    osdptest.Man
}

func newBench(t *testing.T, baud, n int) (*bench, osdp.Config) {
	t.Helper()
	b := &bench{t: t, baud: baud}
	cfg := osdp.Config{Baud: baud}
	for i := range n {
		key := osdp.Key{7, byte(i)}
		cfg.Readers = append(cfg.Readers, osdp.Reader{Name: fmt.Sprint("r", i), Addr: byte(i), Key: &key})
		b.pds = append(b.pds, &osdptest.PD{Addr: byte(i), Key: key, HasKey: true, CUID: [8]byte{byte(i), 1}, Serial: uint32(100 + i), Random: random})
	}
	b.plug()
	t.Cleanup(b.unplug)
	return b, cfg
}

// openPTY gives the master's side and the path of the slave's, which hold keeps alive.
func openPTY(t *testing.T) (master *os.File, slave string, hold *os.File) {
	t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(m.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave = fmt.Sprintf("/dev/pts/%d", n)
	if hold, err = os.OpenFile(slave, os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	return m, slave, hold
}

// plug makes the pty and answers on it until unplug.
func (b *bench) plug() {
	b.t.Helper()
	m, slave, hold := openPTY(b.t)
	b.mu.Lock()
	b.master, b.slave, b.hold = m, slave, hold
	b.mu.Unlock()
	go b.answer(m)
}

func (b *bench) unplug() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hold.Close()
	b.master.Close()
}

// answer plays the readers, and the man on their line. It ends with the pty.
func (b *bench) answer(m *os.File) {
	var in []byte
	rng := rand.New(rand.NewPCG(uint64(b.baud), 8)) // sizes of the pieces
	buf := make([]byte, 512)
	for {
		n, err := m.Read(buf)
		if err != nil {
			return
		}
		in = append(in, buf[:n]...)
		for {
			i := bytes.IndexByte(in, 0x53)
			if i < 0 || len(in)-i < 8 || len(in)-i < int(in[i+2]) {
				break
			}
			end := i + int(in[i+2])
			out := b.exchange(append([]byte{0xFF}, in[i:end]...))
			in = in[end:]
			for len(out) > 0 { // in pieces, as the line paces them
				k := min(len(out), 1+rng.IntN(8))
				time.Sleep(time.Duration(k) * 10 * time.Second / time.Duration(b.baud))
				if _, err := m.Write(out[:k]); err != nil {
					return
				}
				out = out[k:]
			}
		}
		if len(in) > 1024 {
			in = nil
		}
	}
}

// exchange is what comes back for one command.
func (b *bench) exchange(command []byte) (out []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	man := b.man
	if man == nil {
		man = func(_ bool, f []byte) (on, back [][]byte) { return [][]byte{f}, nil }
	}
	on, back := man(true, command)
	for _, x := range back {
		out = append(out, x...)
	}
	for _, x := range on {
		for _, d := range b.pds {
			a := d.Receive(x)
			if a == nil {
				continue
			}
			answers, _ := man(false, slices.Clone(a))
			for _, y := range answers {
				out = append(out, y...)
			}
		}
	}
	return out
}

func (b *bench) with(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *bench) open(cfg osdp.Config) *OSDPLine {
	b.t.Helper()
	return b.openWith(OSDPConfig{Bus: cfg})
}

// openWith fills in the bench's port, clock and log.
func (b *bench) openWith(cfg OSDPConfig) *OSDPLine {
	b.t.Helper()
	anchor := time.Now()
	cfg.Now, cfg.Log = func() mono.Time { return mono.Time(time.Since(anchor)) }, slog.New(slog.DiscardHandler)
	cfg.Open = func() (Port, error) {
		b.mu.Lock()
		path := b.slave
		b.mu.Unlock()
		return OpenSerial(path, cfg.Bus.Baud)
	}
	l, err := NewOSDPLine(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { l.Close() })
	return l
}

func (b *bench) secured() bool {
	ok := true
	b.with(func() {
		for _, d := range b.pds {
			ok = ok && d.Open()
		}
	})
	return ok
}

// heard is what a reader has told so far.
type heard struct {
	mu             sync.Mutex
	cards          []uint32 // the first four bytes
	tampered, lost int      // how often each began
	gone           bool     // lost now
}

// listen collects what a reader tells until it is closed.
func listen(r hal.Reader) *heard {
	h := &heard{}
	go func() {
		for s := range r.Signals() {
			h.mu.Lock()
			switch s := s.(type) {
			case hal.Card:
				h.cards = append(h.cards, number(s.Bits))
			case hal.Fault:
				switch {
				case s.Kind == hal.FaultTamper && s.On:
					h.tampered++
				case s.Kind == hal.FaultLost:
					h.gone = s.On
					if s.On {
						h.lost++
					}
				}
			}
			h.mu.Unlock()
		}
	}()
	return h
}

func number(bits []byte) (n uint32) {
	for _, b := range bits[:4] {
		n = n<<8 | uint32(b)
	}
	return n
}

// bits26 spells a card of 26 bits; number gives n<<6 back.
func bits26(n uint32) []byte { return []byte{byte(n >> 18), byte(n >> 10), byte(n >> 2), byte(n << 6)} }

func (h *heard) with(fn func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fn()
}

// soon waits for a condition, in a goroutine of its own.
func soon(holds func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}
