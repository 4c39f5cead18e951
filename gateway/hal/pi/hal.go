package pi

import (
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"

	"monban/firmware/mono"
	"monban/firmware/nfc"
	"monban/firmware/osdp"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// Config says what is wired and with what it is reached.
type Config struct {
	Profile *board.Profile // valid
	// Chip opens the header's GPIO chip; nil = OpenChip. It is called only when the profile uses a pin.
	Chip func() (Chip, error)
	// Serial opens a serial line; nil = OpenSerial.
	Serial func(path string, baud int) (Port, error)
	// Key gives what an OSDP reader is known by. Without a key the reader is refused, but for one that the profile
	// allows to be plain.
	Key func(door, side string) (ReaderKey, error)
	// Keep stores what an OSDP reader is known by from now on, nil = nothing is kept. See OSDPConfig.Keep.
	Keep func(door, side string, known ReaderKey) error
	// CardKeys gives what cards prove themselves with at a PN532; nil = there are none. It is called only when a reader of
	// the profile takes such cards.
	CardKeys func() (CardKeys, error)
	// SPI opens a bus of the header for a PN532; nil = OpenSPI.
	SPI func(name string) (spi.PortCloser, error)
	// Keyboard opens a keyboard reader; nil = OpenKeyboard.
	Keyboard func(path, vendor string) (KeyDevice, error)
	// I2C opens the header's bus; nil = OpenI2C. It is called only when an input is on it.
	I2C func() (i2c.BusCloser, error)
	// Scanned is called after each round over the chips on I²C, nil = nobody watches. It must not block.
	Scanned func()
	Now     func() mono.Time
	Log     *slog.Logger
}

// ReaderKey is what is kept of an OSDP reader that was paired.
type ReaderKey struct {
	Key, Pending *osdp.Key
	Known        *osdp.Proof
}

// CardKeys are the site's keys of contactless cards; nil = none of that kind.
type CardKeys struct {
	LiteS   *nfc.LiteS
	DESFire *nfc.DESFire
}

// HAL is the real hardware of one gateway.
type HAL struct {
	cfg   Config
	chip  Chip
	clock clock

	locks    map[string]*Lock // by door
	inputs   []*gpioInput
	scanner  *scanner // nil = nothing on I²C
	scanning bool
	lines    []*OSDPLine
	readers  map[string]hal.Reader // by door and side
	taps     []*tap
	doors    map[string]hal.Door
	power    hal.Power
	relays   map[string]*relay // that warn people, by name
}

// New drives every lock of the profile to its secure level before anything else that may fail, and then opens the rest.
// On an error the locks have been secured and nothing stays open; the error names what is missing.
func New(cfg Config) (*HAL, error) {
	if cfg.Chip == nil {
		cfg.Chip = OpenChip
	}
	if cfg.I2C == nil {
		cfg.I2C = OpenI2C
	}
	if cfg.Keyboard == nil {
		cfg.Keyboard = OpenKeyboard
	}
	if cfg.SPI == nil {
		cfg.SPI = OpenSPI
	}
	if cfg.Serial == nil {
		cfg.Serial = OpenSerial
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("monotonic clock: %w", err)
	}
	h := &HAL{cfg: cfg, clock: clock{now: cfg.Now, offset: int64(cfg.Now()) - ts.Nano()}, locks: map[string]*Lock{},
		readers: map[string]hal.Reader{}, doors: map[string]hal.Door{}, relays: map[string]*relay{}}
	if err := h.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("board profile %q: %w", cfg.Profile.Name, err), h.Close())
	}
	return h, nil
}

func (h *HAL) open() (err error) {
	p := h.cfg.Profile
	if p.NeedsGPIO() {
		if h.chip, err = h.cfg.Chip(); err != nil {
			return err
		}
	}
	// Every lock is tried, so that one that fails leaves no other as a crash left it.
	var errs []error
	for i := range p.Doors {
		if d := &p.Doors[i]; d.Lock != nil {
			l, err := newLock(h.chip, d.Lock)
			if err != nil {
				errs = append(errs, fmt.Errorf("door %s: lock: %w", d.ID, err))
				continue
			}
			h.locks[d.ID] = l
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := h.openLines(); err != nil {
		return err
	}
	for _, o := range p.Outputs {
		out, err := h.chip.Output(o.Pin)
		if err != nil { // doors work without a lamp; whoever turns it on hears of it
			err = fmt.Errorf("output %s: %w", o.Name, err)
		}
		h.relays[o.Name] = &relay{out: out, err: err}
	}
	tamper, err := h.source("box.tamper", p.Box.Tamper)
	if err != nil {
		return err
	}
	fire, err := h.source("box.fire", p.Box.Fire)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		key string
		in  *board.Input
		to  *hal.Input
	}{{"box.mains", p.Box.Mains, &h.power.Mains}, {"box.battery", p.Box.Battery, &h.power.Battery}} {
		src, err := h.source(s.key, s.in)
		if err != nil {
			return err
		}
		h.tap(s.to, src)
	}
	for i := range p.Doors {
		if err := h.openDoor(&p.Doors[i], tamper, fire); err != nil {
			return fmt.Errorf("door %s: %w", p.Doors[i].ID, err)
		}
	}
	if h.scanner != nil {
		h.scanning = true
		h.scanner.turned = h.cfg.Scanned
		go h.scanner.run()
	}
	return nil
}

func (h *HAL) openDoor(d *board.Door, tamper, fire *source) error {
	var out hal.Door
	if l := h.locks[d.ID]; l != nil {
		out.Lock = l
	}
	own := map[string]*source{}
	for name, in := range map[string]*board.Input{"contact": d.Contact, "request": d.Request, "tamper": d.Tamper, "fire": d.Fire} {
		s, err := h.source(name, in)
		if err != nil {
			return err
		}
		own[name] = s
	}
	var contact hal.Input
	h.tap(&contact, own["contact"])
	if contact != nil {
		out.Contact = contact
	}
	h.tap(&out.Request, own["request"])
	h.tap(&out.Tamper, own["tamper"], tamper) // an open box is every door's
	h.tap(&out.Fire, own["fire"], fire)
	for i := range d.Readers {
		r, err := h.reader(d, &d.Readers[i])
		if err != nil {
			return fmt.Errorf("reader %s: %w", d.Readers[i].Side, err)
		}
		if d.Readers[i].Side == board.Exit {
			out.Exit = r
		} else {
			out.Enter = r
		}
	}
	h.doors[d.ID] = out
	return nil
}

// tap fits an input; what is not wired stays nil and is no typed nil.
func (h *HAL) tap(to *hal.Input, sources ...*source) {
	if t := newTap(sources...); t != nil {
		h.taps = append(h.taps, t)
		*to = t
	}
}

// source opens one sensed line; nil = not fitted.
func (h *HAL) source(key string, in *board.Input) (*source, error) {
	switch {
	case in == nil:
		return nil, nil
	case in.Pin != 0:
		g, err := newGPIOInput(h.chip, in, h.clock)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		h.inputs = append(h.inputs, g)
		return &g.source, nil
	}
	s, err := h.onBus(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return s, nil
}

// Door gives the devices of a door of the profile.
func (h *HAL) Door(id string) (hal.Door, error) {
	d, ok := h.doors[id]
	if !ok {
		return hal.Door{}, fmt.Errorf("board profile %q has no door %q", h.cfg.Profile.Name, id)
	}
	return d, nil
}

// Power gives what is sensed of the power supply.
func (h *HAL) Power() hal.Power { return h.power }

// Close secures every lock first, then closes every device.
func (h *HAL) Close() error {
	var errs []error
	for _, l := range h.locks {
		errs = append(errs, l.Close())
	}
	for _, r := range h.readers {
		errs = append(errs, r.Close())
	}
	for _, r := range h.relays {
		errs = append(errs, r.Close())
	}
	for _, l := range h.lines {
		errs = append(errs, l.Close())
	}
	for _, g := range h.inputs {
		if !g.over {
			g.over = true
			errs = append(errs, g.close())
		}
	}
	if s := h.scanner; s != nil {
		h.scanner = nil
		if h.scanning {
			errs = append(errs, s.close())
		} else {
			errs = append(errs, s.bus.Close())
		}
	}
	for _, t := range h.taps {
		errs = append(errs, t.Close())
	}
	return errors.Join(errs...)
}
