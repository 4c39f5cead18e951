package pi

import (
	"errors"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"monban/firmware/mono"
	"monban/firmware/osdp"
	"monban/firmware/supervision"
	"monban/gateway/hal"
)

// conversion is what an ADS1115 says for one channel.
func conversion(channel int, ratio float64) []i2ctest.IO {
	n := int16(ratio * rail * 32768 / 4.096)
	return []i2ctest.IO{
		{Addr: 0x48, W: []byte{1, 0xC3 | byte(channel-1)<<4, 0xE3}},
		{Addr: 0x48, W: []byte{1}, R: []byte{0xC3, 0xE3}},
		{Addr: 0x48, W: []byte{0}, R: []byte{byte(uint16(n) >> 8), byte(n)}},
	}
}

// DS-5: the four states of a line, its fault, and a chip that does not answer, byte for byte.
func TestADCLine(t *testing.T) {
	now := mono.Time(0)
	clk := clock{now: func() mono.Time { return now }}
	for ratio, want := range map[float64]hal.Level{0.02: hal.LevelShort, 0.5: hal.LevelRest, 0.825: hal.LevelActive, 0.99: hal.LevelCut, 0.68: hal.LevelFault} {
		line, err := supervision.New(supervision.Standard())
		if err != nil {
			t.Fatal(err)
		}
		l := &adcLine{polled: newPolled(clk), channel: 3, line: line}
		if level, err := l.now(); level != hal.LevelUnknown || err == nil {
			t.Errorf("before the first scan: %v, %v", level, err)
		}
		bus := &i2ctest.Playback{DontPanic: true, Ops: append(conversion(3, ratio), conversion(3, ratio)...)}
		scanADC(bus, 0x48, []*adcLine{l}, clk.now)
		now += mono.Time(200 * time.Millisecond)
		scanADC(bus, 0x48, []*adcLine{l}, clk.now)
		if level, err := l.now(); level != want || err != nil {
			t.Errorf("ratio %.3f: %v, %v, want %v", ratio, level, err, want)
		}
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
		scanADC(&i2ctest.Playback{DontPanic: true}, 0x48, []*adcLine{l}, clk.now) // no answer
		if level, _ := l.now(); level != hal.LevelUnknown {
			t.Errorf("a chip that does not answer: %v", level)
		}
		l.put(hal.LevelRest, now)
		now += mono.Time(2 * time.Second)
		if level, err := l.now(); level != hal.LevelUnknown || err == nil {
			t.Errorf("a bus that hangs: %v, %v", level, err)
		}
	}
	// A conversion that is not over gives no level: it would be the channel's before.
	ops := conversion(1, 0.5)
	ops[1].R = []byte{0x43, 0xE3}
	if r, err := measure(&i2ctest.Playback{DontPanic: true, Ops: ops[:2]}, 0x48, 1); err == nil {
		t.Errorf("taken: %v", r)
	}
}

// DS-5: plain lines of an MCP23017; a reset chip gets its pull-ups again with each scan.
func TestExpanderLine(t *testing.T) {
	clk := clock{now: func() mono.Time { return 0 }}
	low := &expanderLine{newPolled(clk), 0, false, true}
	high := &expanderLine{newPolled(clk), 15, true, false}
	scan := func(a, b byte) {
		bus := &i2ctest.Playback{DontPanic: true, Ops: []i2ctest.IO{
			{Addr: 0x20, W: []byte{0x00, 0xFF, 0xFF}}, {Addr: 0x20, W: []byte{0x0C, 1, 0}}, {Addr: 0x20, W: []byte{0x12}, R: []byte{a, b}}}}
		scanExpander(bus, 0x20, []*expanderLine{low, high}, clk.now)
		if err := bus.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, row := range []struct {
		a, b      byte
		low, high hal.Level
	}{{0, 0x80, hal.LevelRest, hal.LevelRest}, {1, 0, hal.LevelActive, hal.LevelActive}, {0xFE, 0x7F, hal.LevelRest, hal.LevelActive}} {
		scan(row.a, row.b)
		if l, h := low.last, high.last; l != row.low || h != row.high {
			t.Errorf("%02X %02X: %v, %v", row.a, row.b, l, h)
		}
	}
	scanExpander(&i2ctest.Playback{DontPanic: true}, 0x20, []*expanderLine{low}, clk.now)
	if low.last != hal.LevelUnknown {
		t.Errorf("no answer: %v", low.last)
	}
}

// deadBus is a bus on which nobody answers.
type deadBus struct{ i2ctest.Playback }

func deadI2C() (i2c.BusCloser, error) { return &deadBus{}, nil }

func (*deadBus) Tx(uint16, []byte, []byte) error { return errors.New("no answer") }

// I9, DS-5: a whole profile with supervised inputs on a dead bus starts, its contacts are unknown, and its locks secured;
// a bus that cannot be opened is named.
func TestProfileOnDeadBus(t *testing.T) {
	p, c := profile(t, "two-doors-osdp"), newFakeChip()
	cfg := Config{Profile: p, Chip: func() (Chip, error) { return c, nil }, Now: fromAnchor(),
		Serial: func(string, int) (Port, error) { return nil, errors.New("no port") },
		I2C:    deadI2C,
		Key:    func(string, string) (ReaderKey, error) { return ReaderKey{Key: &osdp.Key{7}}, nil }}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d, err := h.Door("door-1")
	if err != nil {
		t.Fatal(err)
	}
	if level, _ := d.Contact.Level(); level != hal.LevelUnknown {
		t.Errorf("contact on a dead bus: %v", level)
	}
	if c.high(23) || c.high(24) {
		t.Error("a lock is released")
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	cfg.I2C = func() (i2c.BusCloser, error) { return nil, errors.New("I²C bus 1: not there") }
	if _, err := New(cfg); err == nil {
		t.Error("a missing bus is no error")
	}
}
