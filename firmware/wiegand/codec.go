package wiegand

import (
	"errors"
	"fmt"
	"math/bits"

	"monban/firmware/card"
)

// Why a frame is not a card. Each is an event of the reader; the door stays as it is.
var (
	ErrLength   = errors.New("wiegand: no format of this length")
	ErrParity   = errors.New("wiegand: parity error")
	ErrChecksum = errors.New("wiegand: checksum or fixed bits wrong")
	// ErrSerial: a serial number that does not name one card: blank, random (ISO/IEC 14443-3:
	// 4 bytes from 08h) or the first part of a longer one (4 bytes from 88h).
	ErrSerial = errors.New("wiegand: serial number does not identify a card")
	// ErrRange is wrapped by the errors of Encode; they never hold the value.
	ErrRange = errors.New("wiegand: value does not fit the format")
)

// Fields are the numbers of a card in the clear. They print masked like the card.
type Fields struct {
	FC    uint64 // facility code
	CN    uint64 // card number; the serial number for uid formats
	Issue uint64 // S12906 only
	OEM   uint64 // C15001 only; 0 stands for the usual 900
}

// String never holds a number.
func (v Fields) String() string { return "fields" }

// Format prints the masked form for every verb.
func (v Fields) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("fields")) }

// Encode makes the frame of a card. A value that does not fit, or that the format has no place for,
// is an error that wraps ErrRange.
func Encode(l Layout, v Fields) (Frame, error) {
	if l.bits == 0 {
		return Frame{}, fmt.Errorf("%w: no format", ErrRange)
	}
	if v.OEM == 0 {
		v.OEM = l.oemUsual
	}
	for _, p := range [...]struct {
		name  string
		value uint64
		s     span
	}{{"facility code", v.FC, l.fc}, {"card number", v.CN, l.cn}, {"issue", v.Issue, l.issue}, {"OEM code", v.OEM, l.oem}} {
		if p.value > limit(p.s) {
			return Frame{}, fmt.Errorf("%w: %s of %s has %d bits", ErrRange, p.name, l.name, p.s.length)
		}
	}
	if l.serial {
		v.CN = l.order(v.CN)
	}
	f := Frame{n: l.bits}.with(l.fc, v.FC).with(l.cn, v.CN).with(l.issue, v.Issue).with(l.oem, v.OEM)
	for _, r := range l.rules {
		if !r.holds(f) {
			f = f.with(span{r.pos, 1}, 1)
		}
	}
	if l.sum {
		f = f.with(span{0, 4}, 0xf)
		f = f.with(span{32, 8}, xorBytes(f))
	}
	return f, nil
}

// Decode reads a frame in one format: ErrLength, ErrParity, ErrChecksum, ErrSerial, or the card. It
// does not allocate.
func Decode(l Layout, f Frame) (card.Credential, error) {
	if l.bits == 0 || f.n != l.bits {
		return card.Credential{}, ErrLength
	}
	for _, r := range l.rules {
		if !r.holds(f) {
			return card.Credential{}, ErrParity
		}
	}
	if l.sum && (f.field(span{0, 4}) != 0xf || f.field(span{32, 8}) != xorBytes(f)) {
		return card.Credential{}, ErrChecksum
	}
	number := f.field(l.cn)
	if l.serial {
		number = l.order(number)
		if !identifies(number, l.cn.length) {
			return card.Credential{}, ErrSerial
		}
		f = Frame{n: l.cn.length}.with(span{0, l.cn.length}, number)
	}
	var b [MaxBits / 8]byte
	c, err := card.New(l.identity, f.Len(), f.packed(&b))
	if err != nil {
		return card.Credential{}, fmt.Errorf("decode %s: %w", l.name, err)
	}
	return c.WithNumber(number), nil
}

func (r rule) holds(f Frame) bool {
	ones := bits.OnesCount64(f.hi&r.hi) + bits.OnesCount64(f.lo&r.lo)
	return ones&1 == 1 == r.odd
}

// order swaps the bytes of a serial number when the reader sends the last one first.
func (l Layout) order(serial uint64) uint64 {
	if !l.reversed {
		return serial
	}
	return bits.ReverseBytes64(serial) >> (64 - l.cn.length)
}

func identifies(serial uint64, length uint8) bool {
	if serial == 0 || serial == 1<<length-1 {
		return false
	}
	first := serial >> 24
	return length != 32 || first != 0x08 && first != 0x88
}

func xorBytes(f Frame) uint64 {
	v := f.hi >> 32
	return (v>>24 ^ v>>16 ^ v>>8 ^ v) & 0xff
}
