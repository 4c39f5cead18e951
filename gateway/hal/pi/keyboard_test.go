package pi

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/wedge"
	"monban/firmware/wiegand"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// wedgeProfile is a machine without a header and one keyboard reader.
const wedgeProfile = `name = "Desk"
board = "linux"
[[door]]
id = "d1"
kind = "observe"
[[door.reader]]
side = "enter"
type = "keyboard"
device = "/dev/input/by-path/pci-0000:00:14.0-usb-0:2:1.0-event-kbd"
vendor = "ffff:0035"
formats = ["H10301"]
`

// keyboardBench is a keyboard whose records come through a pipe, as the kernel gives them.
type keyboardBench struct {
	mu           sync.Mutex
	w            *os.File
	gone         bool
	path, vendor string
}

func (b *keyboardBench) open(path, vendor string) (KeyDevice, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.path, b.vendor = path, vendor
	if b.gone {
		return nil, errors.New("not plugged in")
	}
	r, w, err := os.Pipe()
	b.w = w
	return r, err
}

// record is one event at a kernel time.
func record(at int64, kind, code uint16, value int32) []byte {
	p := make([]byte, inputSize)
	if longs == 16 {
		binary.NativeEndian.PutUint64(p, uint64(at/1e9))
		binary.NativeEndian.PutUint64(p[8:], uint64(at%1e9/1e3))
	} else {
		binary.NativeEndian.PutUint32(p, uint32(at/1e9))
		binary.NativeEndian.PutUint32(p[4:], uint32(at%1e9/1e3))
	}
	binary.NativeEndian.PutUint16(p[longs:], kind)
	binary.NativeEndian.PutUint16(p[longs+2:], code)
	binary.NativeEndian.PutUint32(p[longs+4:], uint32(value))
	return p
}

// types sends keys as the kernel does: down, sync, up, sync.
func (b *keyboardBench) types(t *testing.T, text string) {
	t.Helper()
	codes := map[rune]uint16{'1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10, '0': 11, 'a': 30, '\n': 28}
	var all []byte
	at := kernelNow()
	for _, c := range text {
		at += int64(8 * time.Millisecond)
		if c == '~' { // a person looks for the next key
			at += int64(300 * time.Millisecond)
			continue
		}
		if c == '?' {
			all = append(all, record(at, typeSync, syncDropped, 0)...)
			continue
		}
		for _, r := range [][]byte{record(at, 4, 4, 0x70027), record(at, typeKey, codes[c], 1), record(at, typeSync, 0, 0), record(at, typeKey, codes[c], 2), record(at, typeKey, codes[c], 0), record(at, typeSync, 0, 0)} {
			all = append(all, r...)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, err := b.w.Write(all); err != nil {
		t.Error(err)
	}
}

// AD-4, DS-5: what a keyboard reader types is a card of its format and nothing else; pulled out it is lost, and plugged in
// again it works; the device is the profile's port and maker.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	p, err := board.Parse("desk", []byte(wedgeProfile))
	if err != nil {
		t.Fatal(err)
	}
	b := &keyboardBench{}
	h, err := New(Config{Profile: p, Now: fromAnchor(), Keyboard: b.open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	d, err := h.Door("d1")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "opened", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.w != nil })
	if b.path != p.Doors[0].Readers[0].Device || b.vendor != "ffff:0035" {
		t.Errorf("opened %s, %s", b.path, b.vendor)
	}
	layout, _ := wiegand.Lookup("H10301")
	want, err := wiegand.Encode(layout, wiegand.Fields{FC: 123, CN: 4567})
	if err != nil {
		t.Fatal(err)
	}
	card := func() {
		t.Helper()
		b.types(t, "12304567\n")
		c, ok := next[hal.Signal](t, d.Enter).(hal.Card)
		if !ok || c.Len != 26 || number(c.Bits) != number(packed(want)) || c.Proof != hal.ProofNumber || c.Hint != "H10301" {
			t.Errorf("%v", c)
		}
	}
	card()
	for text, why := range map[string]wedge.Refusal{"1230456\n": wedge.RefusedDigits, "99904567\n": wedge.RefusedDigits, "123a4567\n": wedge.RefusedDigits,
		"\n": wedge.RefusedDigits, "1230?4567\n": wedge.RefusedLost, "1230~4567\n": wedge.RefusedTyped} {
		b.types(t, text)
		if s, ok := next[hal.Signal](t, d.Enter).(hal.NoCard); !ok || s.Why != string(why) {
			t.Errorf("%q: %v, want %s", text, s, why)
		}
		card()
	}
	b.types(t, "123") // a card that the plug cuts in two
	b.mu.Lock()
	b.gone = true
	b.w.Close()
	b.mu.Unlock()
	if f := next[hal.Fault](t, d.Enter); f.Kind != hal.FaultLost || !f.On {
		t.Errorf("%+v", f)
	}
	b.mu.Lock()
	b.gone = false
	b.mu.Unlock()
	if f := next[hal.Fault](t, d.Enter); f.Kind != hal.FaultLost || f.On {
		t.Errorf("%+v", f)
	}
	card()
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// A device of another maker in the reader's port is none, and a missing one is named.
func TestKeyboardIsTheRightOne(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"vendor": "ffff\n", "product": "0035\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := checkVendor(dir, "FFFF:0035"); err != nil {
		t.Error(err)
	}
	if err := checkVendor(dir, "046d:c31c"); err == nil || !strings.Contains(err.Error(), "ffff:0035") {
		t.Errorf("%v", err)
	}
	if err := checkVendor(filepath.Join(dir, "none"), "ffff:0035"); err == nil {
		t.Error("a device that nobody knows is taken")
	}
	if _, err := OpenKeyboard("/dev/input/by-path/none", "ffff:0035"); err == nil || !strings.Contains(err.Error(), "by-path/none") {
		t.Errorf("%v", err)
	}
	if _, err := OpenKeyboard("/dev/null", "ffff:0035"); err == nil {
		t.Error("no keyboard, and it is taken")
	}
}
