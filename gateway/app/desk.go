package app

import (
	"crypto/rand"
	"errors"
	"fmt"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wiegand"
	"monban/firmware/wire"
	"monban/gateway/config"
	"monban/gateway/desk"
	"monban/gateway/reader"
)

// addDesk builds one desk reader. Its loop gets no lock and no policy: it has nothing that it could open.
func (a *App) addDesk(d config.Desk, ask wire.AskKey) error {
	devices, err := a.devices(config.Door{ID: d.ID, Place: d.Place})
	if err != nil {
		return err
	}
	if devices.Lock != nil {
		return fmt.Errorf("desk %s: %w", d.ID, errors.New("a lock is wired to it: a desk reader has none"))
	}
	keypad, err := wiegand.ParseKeypad(d.Keypad)
	if err != nil {
		return fmt.Errorf("desk %s: %w", d.ID, err)
	}
	reads := make(chan reader.Read, 64)
	rc := reader.Config{
		Door: access.DoorID(d.ID), Side: access.SideEnter, Reader: devices.Enter, Keypad: keypad, Entries: 2,
		Keys:    reader.Keys{Card: a.id.Keys.CardKey, PIN: a.id.Keys.PINKey, Gateway: a.id.Keys.GatewayKey, Ask: ask},
		PINWait: d.EntryWait.Std(), Now: a.anchor.now, Wall: a.anchor.wall, Reads: reads, Known: a.known, Log: a.opt.Log,
	}
	for _, f := range d.Formats {
		rc.Formats = append(rc.Formats, card.Format(f))
	}
	if rc.Link, rc.Cap, err = a.readerLink(d.Place, "enter"); err != nil {
		return fmt.Errorf("desk %s: %w", d.ID, err)
	}
	built, err := reader.New(rc)
	if err != nil {
		return fmt.Errorf("desk %s: %w", d.ID, err)
	}
	l, err := desk.New(desk.Config{
		Desk: rc.Door, Reader: devices.Enter, Reads: reads, Wait: rc.PINWait, Recorder: a.records, Asker: a.uplink,
		Now: a.anchor.moment, Stamp: a.anchor.stamp, AskKey: ask, Rand: rand.Reader, Log: a.opt.Log,
		Turned: a.watched.Pulse("desk "+d.ID, 0).Beat,
	})
	if err != nil {
		return err
	}
	a.readers = append(a.readers, built)
	a.desks = append(a.desks, l)
	return nil
}
