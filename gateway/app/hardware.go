package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"monban/firmware/card"
	"monban/firmware/osdp"
	"monban/gateway/config"
	"monban/gateway/hal"
	"monban/gateway/hal/pi"
	"monban/gateway/reader"
	"monban/hardware/board"
)

// hardware is what doors hang on: real drivers or the simulator.
type hardware interface {
	Door(id string) (hal.Door, error)
	Power() hal.Power
	Close() error
}

// openHardware secures every lock, before anything that may take time.
func (a *App) openHardware() error {
	if a.opt.Sim {
		if err := a.openSim(); err != nil {
			return err
		}
		a.hardware = a.sim
		return nil
	}
	p := a.opt.Config.Profile
	if p == nil {
		return errors.New("board is missing in the configuration: name a board profile (monban-gateway wiring lists them), or run with --sim")
	}
	dir := a.opt.Config.IdentityDir
	h, err := pi.New(pi.Config{
		Profile: p, Chip: a.opt.Chip, Now: a.anchor.now, Log: a.opt.Log,
		Key:      func(door, side string) (pi.ReaderKey, error) { return loadReaderKey(dir, door, side) },
		CardKeys: func() (pi.CardKeys, error) { return loadCardKeys(dir) },
		Keep:     func(door, side string, known pi.ReaderKey) error { return saveReaderKey(dir, door, side, known) },
		Scanned:  a.watched.scanned(p),
	})
	if err != nil {
		return err
	}
	a.hardware = h
	return nil
}

// readerLink is what a reader's wiring allows: whether the link is protected, and the best that a read may claim.
// The simulator's readers are on open lines, whatever the profile says.
func (a *App) readerLink(place, side string) (reader.Link, card.Assurance, error) {
	p := a.opt.Config.Profile
	if p == nil || a.opt.Sim {
		return reader.LinkClear, card.UIDOnly, nil
	}
	d, ok := p.Door(place)
	if !ok {
		return reader.LinkClear, card.UIDOnly, nil
	}
	r, ok := d.Reader(side)
	if !ok {
		return reader.LinkClear, card.UIDOnly, nil
	}
	most, err := card.ParseAssurance(r.Assurance)
	if err != nil {
		return reader.LinkClear, card.UIDOnly, err
	}
	if r.Type == board.OSDP && !r.Plain && !r.ClearData {
		return reader.LinkSecure, most, nil
	}
	if r.Type == board.PN532 && most != card.UIDOnly {
		return reader.LinkSecure, most, nil // the profile says so: the module and its few centimetres of cable are inside the box
	}
	return reader.LinkClear, card.UIDOnly, nil
}

// devices are a door's devices by the configuration's door.
func (a *App) devices(d config.Door) (hal.Door, error) {
	if a.opt.Sim {
		return a.hardware.Door(d.ID)
	}
	return a.hardware.Door(d.Place)
}

// readerKey is the file of one OSDP reader that was paired.
type readerKey struct {
	Key     []byte `json:"key,omitempty"`     // proven
	Pending []byte `json:"pending,omitempty"` // given to the reader, not proven
	CUID    []byte `json:"cuid,omitempty"`    // who proved it first
	Serial  uint32 `json:"serial,omitempty"`
}

func readerKeyFile(door, side string) string {
	return filepath.Join("readers", door+"-"+side+".json")
}

// loadReaderKey reads what is known of a reader of the profile. The door: a reader without a key reads no card.
func loadReaderKey(dir, door, side string) (pi.ReaderKey, error) {
	file := readerKeyFile(door, side)
	path := filepath.Join(dir, file)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return pi.ReaderKey{}, fmt.Errorf("%s: not there: pair the reader with `monban-gateway pair`, or set plain = true in the board profile", path)
	}
	data, err := secret(dir, file)
	if err != nil {
		return pi.ReaderKey{}, err
	}
	var k readerKey
	if err := json.Unmarshal(data, &k); err != nil {
		return pi.ReaderKey{}, fmt.Errorf("%s: is damaged: pair the reader again", path) // the text of err may quote the file
	}
	var out pi.ReaderKey
	if out.Key, err = osdpKey(k.Key); err != nil {
		return pi.ReaderKey{}, fmt.Errorf("%s: %w", path, err)
	}
	if out.Pending, err = osdpKey(k.Pending); err != nil {
		return pi.ReaderKey{}, fmt.Errorf("%s: %w", path, err)
	}
	if out.Key == nil { // a pairing that was broken off: nothing but its key can be right
		out.Key, out.Pending = out.Pending, nil
	}
	if out.Key == nil {
		return pi.ReaderKey{}, fmt.Errorf("%s: holds no key: pair the reader again", path)
	}
	if len(k.CUID) == 8 {
		out.Known = &osdp.Proof{CUID: [8]byte(k.CUID), Serial: k.Serial}
	}
	return out, nil
}

// saveReaderKey stores what a reader is known by. A crash leaves the old file or the new one.
func saveReaderKey(dir, door, side string, known pi.ReaderKey) error {
	var k readerKey
	if known.Key != nil {
		k.Key = known.Key[:]
	}
	if known.Pending != nil {
		k.Pending = known.Pending[:]
	}
	if known.Known != nil {
		k.CUID, k.Serial = known.Known.CUID[:], known.Known.Serial
	}
	data, err := json.Marshal(k)
	if err != nil {
		return err
	}
	file := readerKeyFile(door, side)
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(file)), 0o700); err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, filepath.Dir(file)), filepath.Base(file), data)
}

func osdpKey(b []byte) (*osdp.Key, error) {
	switch len(b) {
	case 0:
		return nil, nil
	case len(osdp.Key{}):
		k := osdp.Key(b)
		return &k, nil
	}
	return nil, errors.New("a key has not 16 bytes: pair the reader again")
}
