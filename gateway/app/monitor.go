package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"monban/firmware/card"
	"monban/firmware/mono"
	"monban/firmware/wiegand"
	"monban/gateway/config"
	"monban/gateway/hal"
	"monban/gateway/hal/pi"
)

// MonitorOptions of Monitor.
type MonitorOptions struct {
	Config config.Config
	Sim    bool
	Chip   func() (pi.Chip, error) // nil = the real one
	For    time.Duration           // 0 = until ctx ends
	Out    io.Writer
	// opened is called with the hardware before anything is shown; tests drive the simulator with it.
	opened func(hardware)
}

// voltsEvery is how often voltages are looked at; one is shown when it has moved by voltsStep.
const (
	voltsEvery = 250 * time.Millisecond
	voltsStep  = 0.05
)

// Monitor shows what readers and inputs say, while the gateway does not run. Locks are secured when it begins and are not
// moved. A card is shown as its last digits at most, a key as a key, a PIN not at all.
func Monitor(ctx context.Context, opt MonitorOptions) error {
	a := &App{opt: Options{Config: opt.Config, Sim: opt.Sim, Chip: opt.Chip, Log: slog.New(slog.DiscardHandler), Out: opt.Out}, quit: func() {}}
	var err error
	if a.anchor, err = newAnchor(kernelClock()); err != nil {
		return err
	}
	if err := a.openHardware(); err != nil {
		return fmt.Errorf("%w; is the gateway running? stop it first", err)
	}
	if opt.For > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, opt.For)
		defer stop()
	}
	m := &monitor{out: opt.Out, now: a.anchor.now}
	var all sync.WaitGroup
	for _, d := range opt.Config.Doors {
		devices, err := a.devices(d)
		if err != nil {
			return errors.Join(err, a.hardware.Close())
		}
		for _, r := range d.Readers {
			dev := devices.Enter
			if r.Side == "exit" {
				dev = devices.Exit
			}
			w, err := m.reader("door "+d.ID+", reader "+r.Side, r)
			if err != nil {
				return errors.Join(err, a.hardware.Close())
			}
			all.Go(func() { w.run(ctx, dev) })
		}
		inputs := map[string]hal.Input{"request": devices.Request, "tamper": devices.Tamper, "fire": devices.Fire}
		if devices.Contact != nil {
			inputs["contact"] = devices.Contact
		}
		for _, name := range slices.Sorted(maps.Keys(inputs)) {
			if in := inputs[name]; in != nil {
				all.Go(func() { m.input(ctx, "door "+d.ID+", "+name, in) })
			}
		}
	}
	if p, ok := a.hardware.(*pi.HAL); ok {
		all.Go(func() { m.volts(ctx, p) })
	}
	if opt.opened != nil {
		opt.opened(a.hardware)
	}
	<-ctx.Done()
	err = a.hardware.Close()
	all.Wait()
	return err
}

type monitor struct {
	mu  sync.Mutex
	out io.Writer
	now func() mono.Time
}

func (m *monitor) say(what, format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, _ = fmt.Fprintf(m.out, "%s %s: %s\n", time.Now().Format("15:04:05.000"), what, fmt.Sprintf(format, args...))
}

// input shows the level at the beginning and each change.
func (m *monitor) input(ctx context.Context, name string, in hal.Input) {
	if level, err := in.Level(); err != nil {
		m.say(name, "%v", err)
	} else {
		m.say(name, "%s", level)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case c, ok := <-in.Changes():
			if !ok {
				return
			}
			m.say(name, "%s", c.Level)
		}
	}
}

// volts shows each supervised line's voltage at the beginning and when it moves.
func (m *monitor) volts(ctx context.Context, p *pi.HAL) {
	last := map[string]float64{}
	t := time.NewTicker(voltsEvery)
	defer t.Stop()
	for {
		for _, v := range p.Volts() {
			if old, known := last[v.Line]; known && max(old-v.Volts, v.Volts-old) < voltsStep {
				continue
			}
			last[v.Line] = v.Volts
			m.say(v.Line, "%.2f V", v.Volts)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// watchedReader shows one reader's signals, masked.
type watchedReader struct {
	*monitor
	name string
	set  wiegand.Set
	asm  *wiegand.Assembler
}

func (m *monitor) reader(name string, cfg config.Reader) (*watchedReader, error) {
	keypad, err := wiegand.ParseKeypad(cfg.Keypad)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var formats []card.Format
	for _, f := range cfg.Formats {
		formats = append(formats, card.Format(f))
	}
	set, err := wiegand.NewSet(formats, keypad)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &watchedReader{m, name, set, wiegand.NewAssembler(int64(m.now()))}, nil
}

func (w *watchedReader) run(ctx context.Context, dev hal.Reader) {
	quiet := time.NewTicker(50 * time.Millisecond) // ends the last train
	defer quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case s, ok := <-dev.Signals():
			if !ok {
				return
			}
			w.signal(s)
		case <-quiet.C:
			if at, ok := w.asm.Deadline(); ok && !w.now().Before(mono.Time(at)) && len(dev.Signals()) == 0 {
				if ev, ok := w.asm.Flush(int64(w.now())); ok {
					w.train(ev)
				}
			}
		}
	}
}

func (w *watchedReader) signal(s hal.Signal) {
	switch s := s.(type) {
	case hal.Edges:
		defer clear(s)
		for _, e := range s {
			if ev, ok := w.asm.Add(wiegand.Edge{Line: uint8(e.Line), At: int64(e.At), Seqno: e.Seq}); ok {
				w.train(ev)
			}
		}
	case hal.Card:
		defer clear(s.Bits)
		c, err := w.set.Card(card.Format(s.Hint), s.Bits, s.Len)
		if err != nil {
			w.say(w.name, "%d bits, no card: %v", s.Len, err)
			return
		}
		w.say(w.name, "%d bits, card %s", s.Len, c.Masked())
	case hal.NoCard:
		w.say(w.name, "no card: %s", s.Why)
	case hal.Key:
		w.say(w.name, "a key")
	case hal.Fault:
		w.say(w.name, "%s %s", s.Kind, map[bool]string{true: "begins", false: "ends"}[s.On])
	}
}

func (w *watchedReader) train(ev wiegand.Event) {
	if ev.Drop != wiegand.DropNone {
		w.say(w.name, "a train that is no card: %s", ev.Drop)
		return
	}
	n, took := ev.Frame.Len(), time.Duration(ev.End-ev.Start).Round(time.Millisecond)
	res, err := w.set.Decode(ev.Frame)
	switch {
	case err != nil:
		w.say(w.name, "%d bits in %v, no card: %v", n, took, err)
	case res.Kind == wiegand.ResultCard:
		w.say(w.name, "%d bits in %v, card %s", n, took, res.Card.Masked())
	case res.Kind == wiegand.ResultPIN:
		res.PIN.Take(func([]byte) {}) // wiped unread
		w.say(w.name, "a PIN")
	default:
		w.say(w.name, "a key")
	}
}
