package pi

import (
	"errors"
	"fmt"
	"strconv"

	"monban/firmware/card"
	"monban/firmware/nfc"
	"monban/firmware/osdp"
	"monban/firmware/wiegand"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// openLines starts the OSDP lines.
func (h *HAL) openLines() error {
	p := h.cfg.Profile
	for _, s := range p.Serial {
		bus := osdp.Config{Baud: s.Baud}
		var at []string
		var sides [][2]string
		for i := range p.Doors {
			for j := range p.Doors[i].Readers {
				d, r := &p.Doors[i], &p.Doors[i].Readers[j]
				if r.Type != board.OSDP || r.Serial != s.Name {
					continue
				}
				cfg := osdp.Reader{Name: place(d.ID, r.Side), Addr: byte(r.Address), Plain: r.Plain, ClearData: r.ClearData}
				if !r.Plain {
					k, err := h.cfg.Key(d.ID, r.Side)
					if err != nil {
						return fmt.Errorf("door %s: reader %s: %w", d.ID, r.Side, err)
					}
					cfg.Key, cfg.Pending, cfg.Known = k.Key, k.Pending, k.Known
				}
				bus.Readers = append(bus.Readers, cfg)
				at = append(at, cfg.Name)
				sides = append(sides, [2]string{d.ID, r.Side})
			}
		}
		if len(bus.Readers) == 0 {
			continue // a PN532's
		}
		line := OSDPConfig{Bus: bus, Open: func() (Port, error) { return h.cfg.Serial(s.Path, s.Baud) }, Now: h.cfg.Now, Log: h.cfg.Log}
		if h.cfg.Keep != nil {
			line.Keep = func(i int, known ReaderKey) error { return h.cfg.Keep(sides[i][0], sides[i][1], known) }
		}
		l, err := NewOSDPLine(line)
		if err != nil {
			return err
		}
		h.lines = append(h.lines, l)
		for i, name := range at {
			h.readers[name] = l.Reader(i)
		}
	}
	return nil
}

func place(door, side string) string { return door + " " + side }

// reader gives the device of one reader.
func (h *HAL) reader(d *board.Door, r *board.Reader) (hal.Reader, error) {
	switch r.Type {
	case board.OSDP:
		return h.readers[place(d.ID, r.Side)], nil
	case board.Wiegand:
		ind, err := h.indicator(r)
		if err != nil {
			return nil, err
		}
		w, err := newWiegand(h.chip, r.D0, r.D1, r.PullUp, ind, h.clock)
		if err != nil {
			return nil, errors.Join(err, ind.close())
		}
		h.readers[place(d.ID, r.Side)] = w
		return w, nil
	case board.PN532:
		return h.pn532(d, r)
	case board.Keyboard:
		return h.keyboard(d, r)
	}
	return nil, fmt.Errorf("%q is no type of a reader", r.Type)
}

// keyboard starts a reader that types.
func (h *HAL) keyboard(d *board.Door, r *board.Reader) (hal.Reader, error) {
	layout, ok := wiegand.Lookup(card.Format(r.Formats[0]))
	if !ok {
		return nil, fmt.Errorf("card format %q is not known", r.Formats[0])
	}
	ind, err := h.indicator(r)
	if err != nil {
		return nil, err
	}
	name := place(d.ID, r.Side)
	dev := newKeyboard(name, layout, func() (KeyDevice, error) { return h.cfg.Keyboard(r.Device, r.Vendor) }, ind, h.clock, h.cfg.Log)
	h.readers[name] = dev
	return dev, nil
}

// pn532 starts a reader with a card module. One that is to check proofs and has no keys is refused: it would read nothing.
func (h *HAL) pn532(d *board.Door, r *board.Reader) (hal.Reader, error) {
	cfg := &nfc.Config{UID: r.Takes(board.CardUID), IDm: r.Takes(board.CardIDm)}
	if r.System != "" {
		system, err := strconv.ParseUint(r.System, 16, 16)
		if err != nil {
			return nil, fmt.Errorf("system: %w", err)
		}
		cfg.System = uint16(system)
	}
	if r.Takes(board.CardLiteS) || r.Takes(board.CardDESFire) {
		var keys CardKeys
		if h.cfg.CardKeys != nil {
			var err error
			if keys, err = h.cfg.CardKeys(); err != nil {
				return nil, err
			}
		}
		for kind, missing := range map[string]bool{board.CardLiteS: keys.LiteS == nil, board.CardDESFire: keys.DESFire == nil} {
			if r.Takes(kind) && missing {
				return nil, fmt.Errorf("takes %s cards, and this gateway has no keys for them", kind)
			}
		}
		if r.Takes(board.CardLiteS) {
			cfg.LiteS = keys.LiteS
		}
		if r.Takes(board.CardDESFire) {
			cfg.DESFire = keys.DESFire
		}
	}
	open := func() (moduleLine, error) {
		port, err := h.cfg.SPI(r.SPI)
		if err != nil {
			return nil, err
		}
		return newSPILine(port)
	}
	for _, s := range h.cfg.Profile.Serial {
		if r.Serial == s.Name && r.Serial != "" {
			open = func() (moduleLine, error) {
				port, err := h.cfg.Serial(s.Path, s.Baud)
				return uartLine{port}, err
			}
		}
	}
	ind, err := h.indicator(r)
	if err != nil {
		return nil, err
	}
	name := place(d.ID, r.Side)
	dev := newPN532(name, cfg, open, lookEvery, ind, h.cfg.Now, h.cfg.Log)
	h.readers[name] = dev
	return dev, nil
}

func (h *HAL) indicator(r *board.Reader) (*indicator, error) {
	var outs [3]Output
	for i, pin := range []int{r.Red, r.Green, r.Buzzer} {
		if pin == 0 {
			continue
		}
		out, err := h.chip.Output(pin)
		if err != nil {
			for _, o := range outs[:i] {
				if o != nil {
					err = errors.Join(err, o.Close())
				}
			}
			return nil, err
		}
		outs[i] = out
	}
	return newIndicator(outs[0], outs[1], outs[2], r.Indicators == board.High), nil
}
