package pi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// fakeChip stands for the header: it keeps every step taken with every line, and makes edges on demand.
type fakeChip struct {
	mu     sync.Mutex
	steps  []string // "23 low (taken)", "23 high", …
	levels map[int]bool
	fail   map[int]bool // lines that do not obey
	low    map[int]bool // inputs that something holds low
	events []*fakeEvents
}

func newFakeChip() *fakeChip { return &fakeChip{levels: map[int]bool{}, fail: map[int]bool{}} }

func (c *fakeChip) Output(pin int) (Output, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail[pin] {
		return nil, fmt.Errorf("GPIO %d: fails", pin)
	}
	c.levels[pin] = false
	c.steps = append(c.steps, fmt.Sprint(pin, " low (taken)"))
	return fakeOutput{c, pin}, nil
}

type fakeOutput struct {
	c   *fakeChip
	pin int
}

func (o fakeOutput) Set(high bool) error {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if o.c.fail[o.pin] {
		return errors.New("does not obey")
	}
	o.c.levels[o.pin] = high
	o.c.steps = append(o.c.steps, fmt.Sprint(o.pin, map[bool]string{false: " low", true: " high"}[high]))
	return nil
}

func (o fakeOutput) Close() error {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.c.steps = append(o.c.steps, fmt.Sprint(o.pin, " closed"))
	return nil
}

func (c *fakeChip) high(pin int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.levels[pin]
}

func (c *fakeChip) with(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

func (c *fakeChip) Events(pins []int, opt EventOptions) (Events, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	e := &fakeEvents{File: r, w: w, chip: c, pins: pins, rising: opt.Rising}
	if opt.Pull == "up" || !opt.Rising {
		for _, pin := range pins {
			c.levels[pin] = !c.low[pin]
		}
	}
	c.events = append(c.events, e)
	return e, nil
}

// fakeEvents is a pipe with the kernel's records in it, so that deadlines and Close behave as on the real descriptor.
type fakeEvents struct {
	*os.File
	w      *os.File
	chip   *fakeChip
	pins   []int
	rising bool
	seq    uint32
}

func (e *fakeEvents) Levels() (bits uint64, err error) {
	e.chip.mu.Lock()
	defer e.chip.mu.Unlock()
	for i, pin := range e.pins {
		if e.chip.fail[pin] {
			return 0, errors.New("cannot be read")
		}
		if e.chip.levels[pin] {
			bits |= 1 << i
		}
	}
	return bits, nil
}

func (e *fakeEvents) Close() error { return errors.Join(e.w.Close(), e.File.Close()) }

func kernelNow() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) != nil {
		panic("no monotonic clock")
	}
	return ts.Nano()
}

// record writes one event of a line at a kernel time, as the kernel does.
func (e *fakeEvents) record(pin int, rising bool, at int64) {
	_, _ = e.w.Write(e.event(pin, rising, at))
}

func (e *fakeEvents) event(pin int, rising bool, at int64) []byte {
	e.seq++
	var p [eventSize]byte
	binary.NativeEndian.PutUint64(p[0:], uint64(at))
	id := uint32(2)
	if rising {
		id = edgeRising
	}
	binary.NativeEndian.PutUint32(p[8:], id)
	binary.NativeEndian.PutUint32(p[12:], uint32(pin))
	binary.NativeEndian.PutUint32(p[16:], e.seq)
	return p[:]
}

// set moves an input line.
func (c *fakeChip) set(pin int, high bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.levels[pin] == high {
		return
	}
	c.levels[pin] = high
	for _, e := range c.events {
		for _, p := range e.pins {
			if p == pin && (e.rising || !high) {
				e.record(pin, high, kernelNow())
			}
		}
	}
}

// train puts bits on the two lines of a reader, 1 ms apart and ending now.
func (c *fakeChip) train(d0, d1 int, bits string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.events {
		if len(e.pins) == 2 && e.pins[0] == d0 {
			last := kernelNow()
			for i, b := range bits {
				pin := d0
				if b == '1' {
					pin = d1
				}
				e.record(pin, false, last-int64(len(bits)-1-i)*int64(time.Millisecond))
			}
		}
	}
}
