package pi

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2creg"
	_ "periph.io/x/host/v3/sysfs" // the kernel's I²C buses

	"monban/firmware/mono"
	"monban/firmware/supervision"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// Times of the chips on I²C.
const (
	scanEvery = 20 * time.Millisecond
	convert   = 1500 * time.Microsecond // one conversion at 860 a second takes 1.16 ms
	stale     = time.Second             // older than this, a level is not known: the bus hangs
)

// rail is what the loops hang on. A rail that is off moves every ratio; the bands bear 5 %.
const rail = 3.3

// OpenI2C opens the header's bus.
func OpenI2C() (i2c.BusCloser, error) {
	if err := initDrivers(); err != nil {
		return nil, fmt.Errorf("I²C drivers: %w", err)
	}
	bus, err := i2creg.Open("1")
	if err != nil {
		return nil, fmt.Errorf("I²C bus 1: %w; set dtparam=i2c_arm=on and add this user to the group i2c", err)
	}
	return bus, nil
}

// errStale: a line was not measured for a second.
var errStale = errors.New("the chip does not answer")

// polled is a source that a scan keeps.
type polled struct {
	source
	clock clock
	mu    sync.Mutex // guards what follows
	last  hal.Level
	at    mono.Time
	known bool
}

func newPolled(c clock) *polled {
	p := &polled{clock: c}
	p.read = p.now
	return p
}

// now gives the level of the newest scan. One that is older than a second, or none, is unknown, never rest.
func (p *polled) now() (hal.Level, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known || p.clock.now().Sub(p.at) > stale {
		return hal.LevelUnknown, errStale
	}
	return p.last, nil
}

func (p *polled) put(level hal.Level, at mono.Time) {
	p.mu.Lock()
	p.last, p.at, p.known = level, at, true
	p.mu.Unlock()
	p.set(level, at)
}

// adcLine is one line on a channel of an ADS1115.
type adcLine struct {
	*polled
	channel int // 1–4
	line    *supervision.Line
	ratio   atomic.Uint64 // of the newest measurement, as math.Float64bits; for the bench alone
}

// scanADC measures each line once. A line that cannot be measured is unknown. The door: a line fault.
func scanADC(bus i2c.Bus, address uint16, lines []*adcLine, now func() mono.Time) {
	for _, l := range lines {
		r, err := measure(bus, address, l.channel)
		at := now()
		var s supervision.State
		if err != nil {
			s, _ = l.line.Lost()
		} else {
			l.ratio.Store(math.Float64bits(r))
			s, _ = l.line.Add(at, r)
		}
		l.put(levelOf(s), at)
	}
}

func levelOf(s supervision.State) hal.Level {
	switch s {
	case supervision.Rest:
		return hal.LevelRest
	case supervision.Active:
		return hal.LevelActive
	case supervision.Short:
		return hal.LevelShort
	case supervision.Cut:
		return hal.LevelCut
	case supervision.Fault:
		return hal.LevelFault
	case supervision.Unknown:
	}
	return hal.LevelUnknown
}

// measure does one single-ended conversion of an ADS1115 at ±4.096 V and 860 a second, and gives voltage ÷ rail.
func measure(bus i2c.Bus, address uint16, channel int) (float64, error) {
	if err := bus.Tx(address, []byte{1, 0xC3 | byte(channel-1)<<4, 0xE3}, nil); err != nil {
		return 0, err
	}
	time.Sleep(convert)
	var b [2]byte
	if err := bus.Tx(address, []byte{1}, b[:]); err != nil {
		return 0, err
	}
	if b[0]&0x80 == 0 { // the result would be that of another channel
		return 0, errors.New("conversion is not over")
	}
	if err := bus.Tx(address, []byte{0}, b[:]); err != nil {
		return 0, err
	}
	volts := float64(int16(uint16(b[0])<<8|uint16(b[1]))) * 4.096 / 32768
	return volts / rail, nil
}

// expanderLine is one line of an MCP23017.
type expanderLine struct {
	*polled
	bit      int
	restHigh bool
	up       bool
}

// startExpander makes all lines inputs, some with a pull-up. It is repeated in each scan: a chip that was reset has
// forgotten its pull-ups, and a floating line may look like anything.
func startExpander(bus i2c.Bus, address uint16, lines []*expanderLine) error {
	var pull uint16
	for _, l := range lines {
		if l.up {
			pull |= 1 << l.bit
		}
	}
	return errors.Join(bus.Tx(address, []byte{0x00, 0xFF, 0xFF}, nil), bus.Tx(address, []byte{0x0C, byte(pull), byte(pull >> 8)}, nil))
}

// scanExpander reads all lines at once.
func scanExpander(bus i2c.Bus, address uint16, lines []*expanderLine, now func() mono.Time) {
	var b [2]byte
	err := startExpander(bus, address, lines)
	if err == nil {
		err = bus.Tx(address, []byte{0x12}, b[:])
	}
	at := now()
	bits := uint16(b[0]) | uint16(b[1])<<8
	for _, l := range lines {
		level := hal.LevelUnknown
		if err == nil {
			level = hal.LevelActive
			if (bits&(1<<l.bit) != 0) == l.restHigh {
				level = hal.LevelRest
			}
		}
		l.put(level, at)
	}
}

// scanner goes round the chips of the bus. A bus that hangs stops it: every level is unknown a second later.
type scanner struct {
	bus       i2c.BusCloser
	adcs      map[uint16][]*adcLine
	expanders map[uint16][]*expanderLine
	now       func() mono.Time
	turned    func() // nil = nobody watches
	stop      chan struct{}
	done      chan struct{}
}

// scan measures everything once.
func (s *scanner) scan() {
	for address, lines := range s.adcs {
		scanADC(s.bus, address, lines, s.now)
	}
	for address, lines := range s.expanders {
		scanExpander(s.bus, address, lines, s.now)
	}
}

func (s *scanner) run() {
	defer close(s.done)
	t := time.NewTicker(scanEvery)
	defer t.Stop()
	for {
		s.scan()
		if s.turned != nil {
			s.turned()
		}
		select {
		case <-s.stop:
			return
		case <-t.C:
		}
	}
}

// close ends the scan. It does not wait for a bus that hangs: the locks are secured by then, and the process ends.
func (s *scanner) close() error {
	close(s.stop)
	select {
	case <-s.done:
		return s.bus.Close()
	case <-time.After(stale):
		return fmt.Errorf("I²C bus: %w", errStale)
	}
}

// onBus makes the source of an input on I²C. The first one opens the bus.
func (h *HAL) onBus(in *board.Input) (*source, error) {
	if h.scanner == nil {
		bus, err := h.cfg.I2C()
		if err != nil {
			return nil, err
		}
		h.scanner = &scanner{bus: bus, adcs: map[uint16][]*adcLine{}, expanders: map[uint16][]*expanderLine{}, now: h.cfg.Now,
			stop: make(chan struct{}), done: make(chan struct{})}
	}
	p := newPolled(h.clock)
	if in.ADC != "" {
		loop, _ := h.cfg.Profile.Loop(in.Loop)
		line, err := supervision.New(loop.Bands(in.NormallyOpen))
		if err != nil {
			return nil, err
		}
		for _, a := range h.cfg.Profile.ADCs {
			if a.Name == in.ADC {
				h.scanner.adcs[uint16(a.Address)] = append(h.scanner.adcs[uint16(a.Address)], &adcLine{polled: p, channel: in.Channel, line: line})
			}
		}
		return &p.source, nil
	}
	for _, x := range h.cfg.Profile.Expanders {
		if x.Name == in.Expander {
			h.scanner.expanders[uint16(x.Address)] = append(h.scanner.expanders[uint16(x.Address)], &expanderLine{p, in.Bit(), in.Rest == board.High, in.Pull == "up"})
		}
	}
	return &p.source, nil
}
