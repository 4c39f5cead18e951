// Package wiegand turns the edges of a Wiegand cable into cards, keys and PINs.
//
// The cable has no authentication: what it delivers is a number that any tool can copy
// (card.UIDOnly). So everything here that is not certain is an event and never a card: a wrong
// parity bit, an unknown length, an edge too many. Frames and keys print masked.
package wiegand

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
)

// MaxBits is the longest train that is taken for a frame.
const MaxBits = 128

// Frame is the bits of one train, bit 0 being the first on the wire. Frames with the same bits are
// ==. The zero Frame is empty and decodes to nothing.
type Frame struct {
	hi, lo uint64 // left-aligned: bit 0 = most significant bit of hi; unused bits are zero
	n      uint8
}

// ErrFrame is wrapped by the errors of NewFrame and ParseFrame; they never hold bits.
var ErrFrame = errors.New("invalid frame")

// NewFrame makes a frame of n bits (1–128) packed with the first bit in the most significant bit of
// packed[0]; packed has exactly ⌈n/8⌉ bytes and its unused last bits are zero.
func NewFrame(packed []byte, n int) (Frame, error) {
	if n < 1 || n > MaxBits || len(packed) != (n+7)/8 {
		return Frame{}, fmt.Errorf("%w: %d bits in %d bytes", ErrFrame, n, len(packed))
	}
	if spare := len(packed)*8 - n; packed[len(packed)-1]&(1<<spare-1) != 0 {
		return Frame{}, fmt.Errorf("%w: bits set after the last", ErrFrame)
	}
	var b [MaxBits / 8]byte
	copy(b[:], packed)
	return Frame{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:]), uint8(n)}, nil
}

// ParseFrame reads 1–128 characters 0 and 1, the first on the wire first.
func ParseFrame(s string) (Frame, error) {
	if len(s) < 1 || len(s) > MaxBits {
		return Frame{}, fmt.Errorf("%w: %d bits", ErrFrame, len(s))
	}
	var f Frame
	for i := range len(s) {
		switch s[i] {
		case '0':
			f = f.push(0)
		case '1':
			f = f.push(1)
		default:
			return Frame{}, fmt.Errorf("%w: character %d is neither 0 nor 1", ErrFrame, i)
		}
	}
	return f, nil
}

// Len is the number of bits, 0–128.
func (f Frame) Len() int { return int(f.n) }

// Bit is the bit i places after the first, 0 outside the frame. It is for whoever puts a frame on a
// wire (a simulated reader).
func (f Frame) Bit(i int) uint8 {
	switch {
	case i < 0 || i >= int(f.n):
		return 0
	case i < 64:
		return uint8(f.hi >> (63 - i) & 1)
	default:
		return uint8(f.lo >> (127 - i) & 1)
	}
}

// push appends one bit; the caller keeps n below MaxBits.
func (f Frame) push(bit uint8) Frame {
	if f.n < 64 {
		f.hi |= uint64(bit&1) << (63 - f.n)
	} else {
		f.lo |= uint64(bit&1) << (127 - f.n)
	}
	f.n++
	return f
}

// field is the number in length bits (0–64) from start.
func (f Frame) field(s span) uint64 {
	if s.length == 0 {
		return 0
	}
	hi, lo := f.hi<<s.start|f.lo>>(64-s.start), f.lo
	if s.start >= 64 {
		hi = lo << (s.start - 64)
	}
	return hi >> (64 - s.length)
}

// with is f with the number v in the bits of s, which are zero before.
func (f Frame) with(s span, v uint64) Frame {
	if s.length == 0 {
		return f
	}
	v <<= 64 - s.length // left-aligned
	if s.start < 64 {
		f.hi |= v >> s.start
		f.lo |= v << (64 - s.start)
	} else {
		f.lo |= v >> (s.start - 64)
	}
	return f
}

// packed is the bits as NewFrame takes them, in b.
func (f Frame) packed(b *[MaxBits / 8]byte) []byte {
	binary.BigEndian.PutUint64(b[:8], f.hi)
	binary.BigEndian.PutUint64(b[8:], f.lo)
	return b[:(int(f.n)+7)/8]
}

// String is the length only: the bits are a card number.
func (f Frame) String() string { return "frame(" + strconv.Itoa(int(f.n)) + " bits)" }

// Format prints the masked form for every verb.
func (f Frame) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(f.String())) }

// MarshalText is the masked form; there is no way back.
func (f Frame) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// LogValue is the masked form.
func (f Frame) LogValue() slog.Value { return slog.StringValue(f.String()) }
