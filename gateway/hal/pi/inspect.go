package pi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"

	"monban/firmware/mono"
	"monban/firmware/osdp"
	"monban/firmware/supervision"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// Inspection looks at what a profile needs, while no gateway runs. It takes no lock output and moves nothing.
type Inspection struct {
	Profile *board.Profile
	Root    string                        // stands before /dev; "" = this machine's. For tests
	Chip    func() (Chip, error)          // nil = OpenChip
	I2C     func() (i2c.BusCloser, error) // nil = OpenI2C
	Serial  func(path string, baud int) (Port, error)
	Key     func(door, side string) (ReaderKey, error)
	Now     func() mono.Time
	Wait    time.Duration // how long readers are waited for; 0 = 3 s
}

// Finding is one line of an inspection: Err nil is well, and says what is wrong and what to do otherwise.
type Finding struct {
	Name, Note string
	Err        error
}

// user is a chip that can tell who holds a line, without taking it.
type user interface {
	User(pin int) (name string, err error) // "" = free
}

// Run looks at chip and lines, buses, and readers.
func (x Inspection) Run(ctx context.Context) (all []Finding) {
	if x.Chip == nil {
		x.Chip = OpenChip
	}
	if x.I2C == nil {
		x.I2C = OpenI2C
	}
	if x.Serial == nil {
		x.Serial = OpenSerial
	}
	if x.Wait == 0 {
		x.Wait = 3 * time.Second
	}
	if x.Profile.NeedsGPIO() {
		all = append(all, x.lines()...)
	}
	if len(x.Profile.ADCs)+len(x.Profile.Expanders) > 0 {
		all = append(all, x.bus()...)
	}
	for i := range x.Profile.Serial {
		all = append(all, x.line(ctx, &x.Profile.Serial[i])...)
	}
	return all
}

// lines looks at the header: is each line of the profile there and free, and is the level of those that are read plausible?
func (x Inspection) lines() (all []Finding) {
	chip, err := x.Chip()
	if err != nil {
		return []Finding{{Name: "GPIO chip", Err: err}}
	}
	all = append(all, Finding{Name: "GPIO chip"})
	held := map[int]bool{}
	if u, ok := chip.(user); ok {
		for _, use := range x.Profile.Uses() {
			f := Finding{Name: fmt.Sprintf("GPIO %d, %s", use.Pin, use.Key), Note: "free"}
			switch name, err := u.User(use.Pin); {
			case err != nil:
				f.Err = err
			case name != "":
				f.Err = fmt.Errorf("is held by %q: stop that program, or take the overlay out of config.txt", name)
			}
			held[use.Pin] = f.Err != nil
			all = append(all, f)
		}
	}
	see := func(name string, in *board.Input) {
		if in == nil || in.Pin == 0 || held[in.Pin] {
			return
		}
		f := Finding{Name: name}
		high, err := lookAt(chip, in.Pin, in.Pull)
		f.Err = err
		if g := (&gpioInput{restHigh: in.Rest == board.High}); err == nil {
			f.Note = g.means(high).String()
		}
		all = append(all, f)
	}
	x.inputs(see)
	for i := range x.Profile.Doors {
		d := &x.Profile.Doors[i]
		for _, r := range d.Readers {
			if r.Type != board.Wiegand {
				continue
			}
			pull := "none"
			if r.PullUp {
				pull = "up"
			}
			for name, pin := range map[string]int{"D0": r.D0, "D1": r.D1} {
				if held[pin] {
					continue
				}
				f := Finding{Name: fmt.Sprintf("door %s, reader %s, %s", d.ID, r.Side, name), Note: "high, as at rest"}
				high, err := lookAt(chip, pin, pull)
				if f.Err = err; err == nil && !high {
					f.Err = errors.New("is low at rest: the wire is cut or shorted, the reader has no power, or the level shifter is missing")
				}
				all = append(all, f)
			}
		}
	}
	return all
}

// lookAt takes one line as an input, reads it once and gives it up.
func lookAt(chip Chip, pin int, pull string) (high bool, err error) {
	ev, err := chip.Events([]int{pin}, EventOptions{Pull: pull})
	if err != nil {
		return false, err
	}
	bits, err := ev.Levels()
	return bits&1 != 0, errors.Join(err, ev.Close())
}

// inputs calls see with every sensed line of the profile.
func (x Inspection) inputs(see func(name string, in *board.Input)) {
	b := &x.Profile.Box
	for _, s := range []struct {
		name string
		in   *board.Input
	}{{"box, tamper", b.Tamper}, {"box, fire", b.Fire}, {"box, mains", b.Mains}, {"box, battery", b.Battery}} {
		see(s.name, s.in)
	}
	for i := range x.Profile.Doors {
		d := &x.Profile.Doors[i]
		for _, s := range []struct {
			name string
			in   *board.Input
		}{{"contact", d.Contact}, {"request", d.Request}, {"tamper", d.Tamper}, {"fire", d.Fire}} {
			see("door "+d.ID+", "+s.name, s.in)
		}
	}
}

// bus measures every supervised line once and reads every expander.
func (x Inspection) bus() (all []Finding) {
	bus, err := x.I2C()
	if err != nil {
		return []Finding{{Name: "I²C bus", Err: err}}
	}
	defer bus.Close()
	all = append(all, Finding{Name: "I²C bus"})
	x.inputs(func(name string, in *board.Input) {
		if in != nil && in.ADC != "" {
			all = append(all, x.measured(bus, name, in))
		}
	})
	for _, e := range x.Profile.Expanders {
		f := Finding{Name: fmt.Sprintf("expander %s at 0x%02X", e.Name, e.Address)}
		var b [2]byte
		if err := bus.Tx(uint16(e.Address), []byte{0x12}, b[:]); err != nil {
			f.Err = fmt.Errorf("does not answer: %w; check its wires and its address", err)
		}
		all = append(all, f)
	}
	return all
}

// whatToDo is for the electrician at the terminal.
var whatToDo = map[hal.Level]string{
	hal.LevelShort: "the line is shorted: look for a crushed cable, and for the series resistor at the end",
	hal.LevelCut:   "the line is cut: look for a loose terminal and a broken cable",
	hal.LevelFault: "the line lies between its bands: check the resistors at the end against the sheet, look for moisture",
}

func (x Inspection) measured(bus i2c.Bus, name string, in *board.Input) Finding {
	f := Finding{Name: name}
	for _, a := range x.Profile.ADCs {
		if a.Name != in.ADC {
			continue
		}
		r, err := measure(bus, uint16(a.Address), in.Channel)
		if err != nil {
			f.Err = fmt.Errorf("ADC %s at 0x%02X does not answer: %w; check its wires and its address", a.Name, a.Address, err)
			return f
		}
		loop, _ := x.Profile.Loop(in.Loop)
		l, err := supervision.New(loop.Bands(in.NormallyOpen))
		if err != nil {
			f.Err = err
			return f
		}
		l.Add(0, r)
		s, _ := l.Add(mono.Time(time.Second), r) // a second later it would still be so
		level := levelOf(s)
		f.Note = fmt.Sprintf("%s, %.2f V of %.1f V", level, r*rail, rail)
		if level.Faulty() {
			f.Err = fmt.Errorf("%s (%.2f V of %.1f V): %s", level, r*rail, rail, whatToDo[level])
		}
	}
	return f
}

// line looks at one serial line and at the OSDP readers on it.
func (x Inspection) line(ctx context.Context, s *board.Serial) (all []Finding) {
	f := Finding{Name: "serial line " + s.Name + ", " + s.Path}
	if f.Err = Device(x.Root, s.Path, "dialout"); f.Err != nil {
		return append(all, f)
	}
	all = append(all, f)
	cfg := osdp.Config{Baud: s.Baud}
	var names []string
	for i := range x.Profile.Doors {
		d := &x.Profile.Doors[i]
		for _, r := range d.Readers {
			if r.Type != board.OSDP || r.Serial != s.Name {
				continue
			}
			name := fmt.Sprintf("door %s, reader %s", d.ID, r.Side)
			o := osdp.Reader{Name: place(d.ID, r.Side), Addr: byte(r.Address), Plain: r.Plain, ClearData: r.ClearData}
			if !r.Plain {
				k, err := x.Key(d.ID, r.Side)
				if err != nil {
					all = append(all, Finding{Name: name, Err: err})
					continue
				}
				o.Key, o.Pending, o.Known = k.Key, k.Pending, k.Known
			}
			cfg.Readers, names = append(cfg.Readers, o), append(names, name)
		}
	}
	if len(cfg.Readers) == 0 {
		return all
	}
	bench := OSDPBench{Open: func() (Port, error) { return x.Serial(filepath.Join(x.Root, s.Path), s.Baud) }, Baud: s.Baud, Now: x.Now}
	works, bad, err := bench.Find(ctx, cfg, x.Wait)
	for i, name := range names {
		f := Finding{Name: name, Note: "answers"}
		if cfg.Readers[i].Key != nil {
			f.Note = "answers and has proved its key"
		}
		switch {
		case err != nil:
			f.Err = err
		case bad[i] != "":
			f.Err = fmt.Errorf("%s: the reader is not what was paired, or it was opened; look at it, then `monban-gateway pair`", bad[i])
		case !works[i]:
			f.Err = fmt.Errorf("does not answer at address %d with %d baud: check power, A and B, address and speed of the reader", cfg.Readers[i].Addr, s.Baud)
		}
		all = append(all, f)
	}
	return all
}

// Device says what is wrong with a device file: not there, no device, or not ours to use. group is who may use it.
func Device(root, path, group string) error {
	full := filepath.Join(root, path)
	st, err := os.Stat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is not there: plug the device in, and switch the bus on in config.txt", path)
	case err != nil:
		return err
	case st.Mode()&os.ModeCharDevice == 0:
		return fmt.Errorf("%s is no device: something wrote a file there; delete it and plug the device in again", path)
	case unix.Access(full, unix.R_OK|unix.W_OK) != nil:
		return fmt.Errorf("%s may not be opened by this user: add it to the group %s", path, group)
	}
	return nil
}
