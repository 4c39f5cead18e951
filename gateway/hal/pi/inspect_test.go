package pi

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"monban/firmware/mono"
	"monban/hardware/board"
)

// heldChip is a fake chip that tells who holds a line.
type heldChip struct {
	*fakeChip
	by map[int]string
}

func (c heldChip) User(pin int) (string, error) { return c.by[pin], nil }

// found gives what an inspection says of a name.
func found(t *testing.T, all []Finding, name string) Finding {
	t.Helper()
	for _, f := range all {
		if strings.Contains(f.Name, name) {
			return f
		}
	}
	t.Fatalf("no line of %q in %+v", name, all)
	return Finding{}
}

// Lines of the header: a healthy board is all well; a line that another program holds, a data line that is low at rest and
// a chip that is missing each say so, with what to do. No output is taken, so no lock is touched.
func TestInspectLines(t *testing.T) {
	p := profile(t, "one-door-wiegand")
	look := func(spoil func(*heldChip)) []Finding {
		c := &heldChip{newFakeChip(), map[int]string{}}
		spoil(c)
		all := Inspection{Profile: p, Chip: func() (Chip, error) { return c, nil }}.Run(t.Context())
		if len(c.steps) > 0 {
			t.Errorf("outputs were touched: %q", c.steps)
		}
		return all
	}
	for _, f := range look(func(*heldChip) {}) {
		if f.Err != nil {
			t.Errorf("a healthy board: %s: %v", f.Name, f.Err)
		}
	}
	d := &p.Doors[0]
	all := look(func(c *heldChip) { c.by[d.Lock.Pin] = "lirc" })
	if f := found(t, all, "lock.pin"); f.Err == nil || !strings.Contains(f.Err.Error(), `"lirc"`) {
		t.Errorf("a line that is held: %+v", f)
	}
	all = look(func(c *heldChip) { c.low = map[int]bool{d.Readers[0].D0: true} })
	if f := found(t, all, "D0"); f.Err == nil || !strings.Contains(f.Err.Error(), "cut or shorted") {
		t.Errorf("a data line that is low: %+v", f)
	}
	all = Inspection{Profile: p, Chip: func() (Chip, error) { return nil, os.ErrNotExist }}.Run(t.Context())
	if len(all) != 1 || all[0].Err == nil {
		t.Errorf("no chip: %+v", all)
	}
}

// DS-5: supervised lines are measured and named: rest is well, short, cut and a wrong resistor say what to look for; a chip
// that does not answer says so.
func TestInspectBus(t *testing.T) {
	p, err := board.Parse("test", []byte(`name = "t"
board = "pi"
i2c = true
[[adc]]
name = "a"
address = 0x48
[[serial]]
name = "readers"
path = "/dev/serial/by-path/x"
baud = 9600
[[door]]
id = "d"
kind = "observe"
[door.contact]
adc = "a"
channel = 1
[[door.reader]]
side = "enter"
type = "osdp"
serial = "readers"
address = 0
plain = true
formats = ["H10301"]
`))
	if err != nil {
		t.Fatal(err)
	}
	for ratio, want := range map[float64]string{0.5: "", 0.02: "shorted", 0.99: "cut", 0.68: "resistors"} {
		bus := &i2ctest.Playback{DontPanic: true, Ops: conversion(1, ratio)}
		f := found(t, Inspection{Profile: p, I2C: func() (i2c.BusCloser, error) { return bus, nil }}.Run(t.Context()), "contact")
		if (f.Err == nil) != (want == "") || f.Err != nil && !strings.Contains(f.Err.Error(), want) || want == "" && !strings.Contains(f.Note, "1.65 V") {
			t.Errorf("ratio %.2f: %+v, want %q", ratio, f, want)
		}
	}
	bus := &i2ctest.Playback{DontPanic: true}
	all := Inspection{Profile: p, Root: t.TempDir(), I2C: func() (i2c.BusCloser, error) { return bus, nil }}.Run(t.Context())
	if f := found(t, all, "contact"); f.Err == nil || !strings.Contains(f.Err.Error(), "0x48 does not answer") {
		t.Errorf("no answer: %+v", f)
	}
	if f := found(t, all, "serial line"); f.Err == nil || !strings.Contains(f.Err.Error(), "is not there") {
		t.Errorf("no serial line: %+v", f)
	}
}

// Readers: one that proves its key is well; one that is mute and one that holds another key are told apart.
func TestInspectReaders(t *testing.T) {
	b, cfg := newBench(t, 115200, 1)
	p, err := board.Parse("test", []byte("name = \"t\"\nboard = \"linux\"\n[[serial]]\nname = \"l\"\npath = \""+b.slave+`"
baud = 115200
[[door]]
id = "d"
kind = "observe"
[[door.reader]]
side = "enter"
type = "osdp"
serial = "l"
address = 0
formats = ["H10301"]
`))
	if err != nil {
		t.Fatal(err)
	}
	anchor := time.Now()
	x := Inspection{Profile: p, Now: func() mono.Time { return mono.Time(time.Since(anchor)) }, Wait: time.Minute,
		Key: func(string, string) (ReaderKey, error) { return ReaderKey{Key: cfg.Readers[0].Key}, nil }}
	if f := found(t, x.Run(t.Context()), "reader enter"); f.Err != nil || !strings.Contains(f.Note, "proved") {
		t.Errorf("a healthy reader: %+v", f)
	}
	x.Wait = 2 * time.Second
	b.with(func() { b.pds[0].Mute = true })
	if f := found(t, x.Run(t.Context()), "reader enter"); f.Err == nil || !strings.Contains(f.Err.Error(), "does not answer") {
		t.Errorf("a mute reader: %+v", f)
	}
	b.with(func() { b.pds[0].Mute, b.pds[0].Key = false, [16]byte{1} })
	if f := found(t, x.Run(t.Context()), "reader enter"); f.Err == nil || !strings.Contains(f.Err.Error(), "pair") {
		t.Errorf("another key: %+v", f)
	}
	x.Key = func(string, string) (ReaderKey, error) { return ReaderKey{}, os.ErrNotExist }
	if f := found(t, x.Run(t.Context()), "reader enter"); f.Err == nil {
		t.Errorf("no key: %+v", f)
	}
}

// A device tree in a folder: not there, a file in a device's place, a device.
func TestDevice(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "dev"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "dev/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(root, "dev/device")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/dev/none": "is not there", "/dev/file": "is no device", "/dev/device": ""} {
		err := Device(root, path, "dialout")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
