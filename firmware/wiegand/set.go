package wiegand

import (
	"fmt"

	"monban/firmware/card"
)

// ResultKind says what a frame was.
type ResultKind uint8

// What a frame was. The zero value is nothing.
const (
	ResultNone ResultKind = iota
	ResultCard
	ResultKey
	ResultPIN
)

// Result is one decoded frame: by Kind a Card, a Key, or a whole PIN.
type Result struct {
	Kind ResultKind
	Card card.Credential
	Key  Key
	PIN  PIN
}

// Set is the configuration of one reader: which formats it reads and how its keypad sends. The zero
// Set decodes nothing.
type Set struct {
	layouts []Layout
	keypad  Keypad
	pin     Layout // of a buffered keypad
}

// NewSet checks a reader's configuration: at least a format or a keypad; known names; no two formats
// of one length, since a format is never guessed; no format as long as a key; beside a buffered26
// keypad no 26-bit format but H10301, of which the keypad's facility code is reserved.
func NewSet(formats []card.Format, keypad Keypad) (Set, error) {
	s := Set{keypad: keypad}
	if int(keypad.Kind) >= len(keypadNames) {
		return Set{}, fmt.Errorf("unknown keypad %s", keypad.Kind)
	}
	if len(formats) == 0 && keypad.Kind == KeypadNone {
		return Set{}, fmt.Errorf("reader has neither a card format nor a keypad")
	}
	byLength := map[int]card.Format{}
	for _, name := range formats {
		l, ok := Lookup(name)
		if !ok {
			return Set{}, fmt.Errorf("unknown card format %q", string(name))
		}
		if other, taken := byLength[l.BitLen()]; taken {
			return Set{}, fmt.Errorf("card formats %s and %s both have %d bits: one reader can have only one of them", other, name, l.BitLen())
		}
		byLength[l.BitLen()] = name
		s.layouts = append(s.layouts, l)
	}
	if name, taken := byLength[keypad.burst()]; taken {
		return Set{}, fmt.Errorf("card format %s is as long as a key of keypad %s", name, keypad.Kind)
	}
	if keypad.Kind == KeypadBuffered26 {
		if name, taken := byLength[26]; taken && name != "H10301" {
			return Set{}, fmt.Errorf("card format %s cannot be told from a PIN of keypad %s", name, keypad.Kind)
		}
		s.pin, _ = Lookup("H10301")
	}
	return s, nil
}

// Decode reads one frame by the reader's configuration. Errors: ErrLength, ErrParity, ErrChecksum,
// ErrSerial, ErrKey, ErrPIN; each is an event and the door stays as it is.
func (s Set) Decode(f Frame) (Result, error) {
	if n := s.keypad.burst(); n > 0 && f.Len() == n {
		k, err := decodeKey(f)
		if err != nil {
			return Result{}, err
		}
		return Result{Kind: ResultKey, Key: k}, nil
	}
	if s.pin.bits != 0 && f.n == s.pin.bits && f.field(s.pin.fc) == uint64(s.keypad.Facility) {
		if _, err := Decode(s.pin, f); err != nil {
			return Result{}, err
		}
		v := f.field(s.pin.cn)
		if v == 0 || v == 65535 {
			return Result{}, ErrPIN
		}
		return Result{Kind: ResultPIN, PIN: number(v)}, nil
	}
	for i := range s.layouts {
		if s.layouts[i].bits == f.n {
			c, err := Decode(s.layouts[i], f)
			if err != nil {
				return Result{}, err
			}
			return Result{Kind: ResultCard, Card: c}, nil
		}
	}
	return Result{}, ErrLength
}

// Card gives the card of a packed bit string of n bits that a reader assembled itself, in the
// named format or, with "", in the configured format of that length.
func (s Set) Card(name card.Format, packed []byte, n int) (card.Credential, error) {
	f, err := NewFrame(packed, n)
	if err != nil {
		return card.Credential{}, err
	}
	for i := range s.layouts {
		if l := &s.layouts[i]; l.bits == f.n && (name == "" || name == l.name) {
			return Decode(*l, f)
		}
	}
	return card.Credential{}, ErrLength
}
