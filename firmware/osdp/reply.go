package osdp

import (
	"encoding/binary"
	"errors"
	"fmt"

	"monban/firmware/wiegand"
)

// ErrReply says that a reply's data do not fit its code. The error never holds the data.
var ErrReply = errors.New("osdp: reply cannot be read")

// Identity is what a reader says it is (PDID).
type Identity struct {
	Vendor         [3]byte
	Model, Version byte
	Serial         uint32
	Firmware       [3]byte
}

// Capabilities is what a reader says it can (PDCAP).
type Capabilities struct {
	AES        bool // it knows the secure channel
	DefaultKey bool // its key is the one that everybody knows
	Receive    int  // the longest frame that it takes, bytes; 0 = not said
}

func parseIdentity(b []byte) (x Identity, err error) {
	if len(b) != 12 {
		return x, replyError("PDID", len(b))
	}
	copy(x.Vendor[:], b)
	x.Model, x.Version, x.Serial = b[3], b[4], binary.LittleEndian.Uint32(b[5:])
	copy(x.Firmware[:], b[9:])
	return x, nil
}

func parseCapabilities(b []byte) (x Capabilities, err error) {
	if len(b) == 0 || len(b)%3 != 0 {
		return x, replyError("PDCAP", len(b))
	}
	for ; len(b) > 0; b = b[3:] {
		switch b[0] {
		case capSecurity:
			x.AES, x.DefaultKey = b[1]&1 != 0, b[2]&1 != 0
		case capReceive:
			x.Receive = int(b[1]) | int(b[2])<<8
		}
	}
	return x, nil
}

// parseRaw reads a card: reader number, format, count of bits, and the bits, the first one first.
func parseRaw(b []byte) (f wiegand.Frame, err error) {
	if len(b) < 4 {
		return f, replyError("RAW", len(b))
	}
	n := int(binary.LittleEndian.Uint16(b[2:]))
	bits := b[4:]
	if n < 1 || n > wiegand.MaxBits || len(bits) != (n+7)/8 {
		return f, replyError("RAW", len(b))
	}
	packed := append([]byte(nil), bits...)
	if spare := len(packed)*8 - n; spare > 0 {
		packed[len(packed)-1] &^= 1<<spare - 1 // readers fill the last byte as they like
	}
	return wiegand.NewFrame(packed, n)
}

// parseKeypad reads keys: '0'–'9', '*' and '#'.
func parseKeypad(b []byte) (keys []byte, err error) {
	if len(b) < 2 || int(b[1]) != len(b)-2 {
		return nil, replyError("KEYPAD", len(b))
	}
	for _, c := range b[2:] {
		switch {
		case c >= '0' && c <= '9':
		case c == 0x7F:
			c = '*'
		case c == 0x0D:
			c = '#'
		default:
			return nil, replyError("KEYPAD", len(b))
		}
		keys = append(keys, c)
	}
	return keys, nil
}

// parseLocal reads tamper and power of the reader; anything but 0 is a fault.
func parseLocal(b []byte) (tamper, power bool, err error) {
	if len(b) != 2 {
		return false, false, replyError("LSTATR", len(b))
	}
	return b[0] != 0, b[1] != 0, nil
}

func replyError(what string, n int) error { return fmt.Errorf("%w: %s of %d bytes", ErrReply, what, n) }
