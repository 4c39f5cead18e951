package wiegand

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
)

// Why a burst is not a key, or a buffered entry not a PIN.
var (
	ErrKey = errors.New("wiegand: not a key")
	ErrPIN = errors.New("wiegand: keypad reports an entry it could not send")
)

// Key is one press: '0'–'9', '*' or '#'. It is part of a PIN, so it prints masked.
type Key byte

// Valid reports whether k is a key of a keypad.
func (k Key) Valid() bool { return k.digit() || k == '*' || k == '#' }

func (k Key) digit() bool { return k >= '0' && k <= '9' }

// String never tells the key.
func (k Key) String() string { return "key" }

// Format prints the masked form for every verb.
func (k Key) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("key")) }

// MarshalText is the masked form; there is no way back.
func (k Key) MarshalText() ([]byte, error) { return []byte("key"), nil }

// LogValue is the masked form.
func (k Key) LogValue() slog.Value { return slog.StringValue("key") }

// KeypadKind is how a keypad sends keys. The zero value is no keypad: a burst is then no key.
type KeypadKind uint8

// The kinds (HID application notes 7393760 and 7393800; Rosslare AYC manuals).
const (
	KeypadNone       KeypadKind = iota
	KeypadBurst4                // one 4-bit burst a key
	KeypadBurst8                // one 8-bit burst a key, high nibble = complement of the low
	KeypadBuffered26            // the whole PIN as the card number of an H10301 frame, sent on '#'
)

var keypadNames = [...]string{"none", "burst4", "burst8", "buffered26"}

// String is the stable name: none, burst4, burst8, buffered26.
func (k KeypadKind) String() string {
	if int(k) < len(keypadNames) {
		return keypadNames[k]
	}
	return "keypad(" + strconv.Itoa(int(k)) + ")"
}

// Keypad is the keypad of one reader.
type Keypad struct {
	Kind KeypadKind
	// Facility is the facility code that a buffered26 keypad sends its PINs under. A PIN looks like a
	// card there, so no card with this facility code is read on this reader.
	Facility uint8
}

// ParseKeypad reads a reader's setting: "none" (or ""), "burst4", "burst8", "buffered26" (facility
// code 0) or "buffered26:17".
func ParseKeypad(s string) (Keypad, error) {
	name, facility, given := strings.Cut(s, ":")
	if name == "" && !given {
		return Keypad{}, nil
	}
	for i, n := range keypadNames {
		if n != name {
			continue
		}
		k := Keypad{Kind: KeypadKind(i)}
		if !given {
			return k, nil
		}
		fc, err := strconv.ParseUint(facility, 10, 8)
		if k.Kind != KeypadBuffered26 || err != nil {
			break
		}
		k.Facility = uint8(fc)
		return k, nil
	}
	return Keypad{}, fmt.Errorf("unknown keypad %q: want none, burst4, burst8, buffered26 or buffered26:0 to buffered26:255", s)
}

// burst is the length of a key's train, 0 when the keypad sends none.
func (k Keypad) burst() int {
	switch k.Kind {
	case KeypadBurst4:
		return 4
	case KeypadBurst8:
		return 8
	default:
		return 0
	}
}

// EncodeKey makes the burst of a key, for a simulated keypad.
func EncodeKey(kind KeypadKind, k Key) (Frame, error) {
	low := uint64(strings.IndexByte(keys, byte(k)))
	n := uint8(Keypad{Kind: kind}.burst())
	switch {
	case !k.Valid():
		return Frame{}, ErrKey
	case n == 4:
		return Frame{n: 4}.with(span{0, 4}, low), nil
	case n == 8:
		return Frame{n: 8}.with(span{0, 4}, ^low&0xf).with(span{4, 4}, low), nil
	default:
		return Frame{}, fmt.Errorf("keypad %s sends no bursts", kind)
	}
}

// keys lists the keys by their code; codes 12–15 are none.
const keys = "0123456789*#"

// decodeKey reads a burst of 4 or 8 bits.
func decodeKey(f Frame) (Key, error) {
	low := f.field(span{f.n - 4, 4})
	if f.n == 8 && f.field(span{0, 4}) != ^low&0xf {
		return 0, ErrKey
	}
	if low >= uint64(len(keys)) {
		return 0, ErrKey
	}
	return Key(keys[low]), nil
}
