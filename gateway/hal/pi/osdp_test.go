package pi

import (
	"bytes"
	"fmt"
	"log/slog"
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

// patience for something that must come.
const patience = time.Minute

// bench is a pty with simulated readers at its other end, paced as the line would be.
type bench struct {
	t      *testing.T
	baud   int
	mu     sync.Mutex
	pds    []*osdptest.PD
	master *os.File
	slave  string
	hold   *os.File // keeps the slave alive between two openings
	spoil  func([]byte) []byte
}

func newBench(t *testing.T, baud, n int) (*bench, osdp.Config) {
	t.Helper()
	b := &bench{t: t, baud: baud}
	cfg := osdp.Config{Baud: baud}
	for i := range n {
		key := osdp.Key{7, byte(i)}
		cfg.Readers = append(cfg.Readers, osdp.Reader{Name: fmt.Sprint("r", i), Addr: byte(i), Key: &key})
		b.pds = append(b.pds, &osdptest.PD{Addr: byte(i), Key: key, HasKey: true, Random: random})
	}
	b.plug()
	t.Cleanup(b.unplug)
	return b, cfg
}

// plug makes the pty and answers on it until unplug.
func (b *bench) plug() {
	b.t.Helper()
	m, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.t.Fatal(err)
	}
	fd := int(m.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		b.t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		b.t.Fatal(err)
	}
	slave := fmt.Sprintf("/dev/pts/%d", n)
	hold, err := os.OpenFile(slave, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		b.t.Fatal(err)
	}
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

// answer plays the readers. It ends with the pty.
func (b *bench) answer(m *os.File) {
	var in []byte
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
			b.mu.Lock()
			var out []byte
			for _, d := range b.pds {
				if a := d.Receive(in[i:end]); a != nil {
					out = slices.Clone(a)
				}
			}
			if out != nil && b.spoil != nil {
				out = b.spoil(out)
			}
			b.mu.Unlock()
			in = in[end:]
			for len(out) > 0 { // in pieces, as the line paces them
				k := min(len(out), 8)
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

func (b *bench) with(fn func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	fn()
}

func (b *bench) open(cfg osdp.Config) *OSDPLine {
	b.t.Helper()
	anchor := time.Now()
	l, err := NewOSDPLine(OSDPConfig{
		Bus: cfg, Now: func() mono.Time { return mono.Time(time.Since(anchor)) }, Log: slog.New(slog.DiscardHandler),
		Open: func() (Port, error) {
			b.mu.Lock()
			path := b.slave
			b.mu.Unlock()
			return OpenSerial(path, cfg.Baud)
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { l.Close() })
	return l
}

func next[T hal.Signal](t *testing.T, r hal.Reader) T {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case s, ok := <-r.Signals():
			if !ok {
				t.Fatal("the channel is closed")
			}
			if x, is := s.(T); is {
				return x
			}
		case <-end:
			var want T
			t.Fatalf("no %T came", want)
		}
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within %s", what, patience)
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

// AD-4: cards and keys of readers on a serial line arrive; lights and sounds get there.
func TestOSDPOverASerialLine(t *testing.T) {
	b, cfg := newBench(t, 38400, 2)
	l := b.open(cfg)
	until(t, "both channels", b.secured)
	b.with(func() { b.pds[1].Card(26, []byte{1, 2, 3, 0x40}); b.pds[0].Press('7', 0x0D) })
	if c := next[hal.Card](t, l.Reader(1)); c.Len != 26 || !bytes.Equal(c.Bits, []byte{1, 2, 3, 0x40}) {
		t.Error("another card arrived")
	}
	if k := next[hal.Key](t, l.Reader(0)); k.Key != '7' {
		t.Error("another key arrived")
	}
	if k := next[hal.Key](t, l.Reader(0)); k.Key != '#' {
		t.Error("another key arrived")
	}
	if err := l.Reader(0).Indicate(hal.Indication{Light: hal.Green, Tone: hal.ToneTwoShort}); err != nil {
		t.Fatal(err)
	}
	until(t, "light and sound", func() (ok bool) {
		b.with(func() { ok = slices.Contains(b.pds[0].Seen, 0x69) && slices.Contains(b.pds[0].Seen, 0x6A) })
		return ok
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Reader(0).Indicate(hal.Indication{}); err == nil {
		t.Error("a closed reader takes indications")
	}
	for range l.Reader(0).Signals() { // closed: the loop ends
	}
}

// DS-5: an adapter that is pulled loses its readers and no more; plugged in again they come back by themselves.
func TestOSDPAdapterPulled(t *testing.T) {
	b, cfg := newBench(t, 115200, 1)
	l := b.open(cfg)
	until(t, "channel", b.secured)
	b.unplug()
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultLost || !f.On {
		t.Fatalf("%+v", f)
	}
	b.with(func() { b.pds[0].Restart() })
	b.plug()
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultLost || f.On {
		t.Fatalf("%+v", f)
	}
	b.with(func() { b.pds[0].Card(26, []byte{9, 9, 9, 0x40}) })
	if c := next[hal.Card](t, l.Reader(0)); c.Bits[0] != 9 {
		t.Error("another card arrived")
	}
}

// DS-5: somebody between reader and gateway: tamper, no card, and the other reader goes on.
func TestOSDPManOnTheLine(t *testing.T) {
	b, cfg := newBench(t, 115200, 2)
	l := b.open(cfg)
	until(t, "both channels", b.secured)
	b.with(func() {
		b.spoil = func(out []byte) []byte {
			if out[1] != 0x80 {
				return out
			}
			bits := []byte{0x53, 0x80, 16, 0, out[4]&3 | 4, 0x50, 0, 0, 26, 0, 6, 6, 6, 0x40}
			crc := osdptest.CRC(bits)
			return append(bits, byte(crc), byte(crc>>8)) // a card in the clear
		}
	})
	tampered := false
	for end := time.Now().Add(patience); !tampered && time.Now().Before(end); {
		switch s := next[hal.Signal](t, l.Reader(0)).(type) {
		case hal.Card:
			t.Fatal("the forged card was taken")
		case hal.Fault:
			tampered = s.Kind == hal.FaultTamper && s.On
		}
	}
	b.with(func() { b.pds[1].Card(26, []byte{5, 5, 5, 0x40}) })
	if c := next[hal.Card](t, l.Reader(1)); c.Bits[0] != 5 {
		t.Error("another card arrived")
	}
}

// A door that does not listen holds nobody up; what it missed is told when it listens again.
func TestOSDPNobodyListens(t *testing.T) {
	b, cfg := newBench(t, 230400, 2)
	l := b.open(cfg)
	until(t, "both channels", b.secured)
	b.with(func() {
		for range signalRoom/2 + 4 {
			b.pds[0].Card(26, []byte{1, 1, 1, 0})
			b.pds[0].Card(26, []byte{2, 2, 2, 0})
		}
	})
	until(t, "all read", func() (ok bool) {
		b.with(func() { ok = b.pds[0].Waiting() == 0 })
		return ok
	})
	for range signalRoom / 2 {
		<-l.Reader(0).Signals()
	}
	b.with(func() { b.pds[0].Card(26, []byte{3, 3, 3, 0}) })
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultOverrun {
		t.Errorf("%+v", f)
	}
}
