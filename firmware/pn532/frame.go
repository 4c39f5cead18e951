// Package pn532 spells what is said to a PN532 card module and reads what it says: frames, the few commands that a door
// needs, and their replies. It is pure; gateway/hal/pi owns the SPI or serial line.
//
// The module is no judge of a card: what it carries is checked in firmware/nfc. Anything that does not read here is an
// error, never a card, so the door stays as it is.
package pn532

import (
	"bytes"
	"errors"
)

// MaxData is the longest command or reply that is sent or believed, bytes. Nothing at a door needs the module's extended
// frames of more than 255.
const MaxData = 253

// Frame parts.
const (
	toModule   = 0xD4
	fromModule = 0xD5
)

// Errors of a frame. None of them says what stood in it.
var (
	ErrShort  = errors.New("pn532: frame is not whole yet")
	ErrFrame  = errors.New("pn532: frame is damaged")
	ErrSyntax = errors.New("pn532: the module did not understand the command")
	ErrReply  = errors.New("pn532: reply does not fit its command")
)

// ack is what the module says to a whole command.
var ack = []byte{0x00, 0xFF, 0x00, 0xFF}

// errorFrame: LEN 1, LCS FF, 7F, DCS 81.
var errorFrame = []byte{0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81}

// Ack is the whole ACK frame. Sent to the module it ends the command that it is carrying out.
func Ack() []byte { return []byte{0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00} }

// AppendCommand appends the frame of a command. data has at most MaxData bytes; more is a defect of the caller.
func AppendCommand(dst []byte, code byte, data ...byte) []byte {
	if len(data) > MaxData {
		panic("BUG: command too long for the module")
	}
	n := byte(len(data) + 2)
	dst = append(dst, 0x00, 0x00, 0xFF, n, -n, toModule, code)
	sum := byte(toModule) + code
	for _, b := range data {
		sum += b
	}
	return append(append(dst, data...), -sum, 0x00)
}

// Kind of a frame from the module.
type Kind uint8

// The kinds.
const (
	KindNone Kind = iota
	KindAck
	KindReply
)

// Scan finds the first frame in b. n is how many bytes it and what stood before it take. With ErrShort more bytes are
// wanted; with another error the first n bytes are to be dropped. data is the reply's code and data, pointing into b.
func Scan(b []byte) (kind Kind, data []byte, n int, err error) {
	i := bytes.Index(b, []byte{0x00, 0xFF})
	if i < 0 || len(b) < i+4 {
		return KindNone, nil, 0, ErrShort
	}
	f := b[i:]
	if bytes.HasPrefix(f, ack) {
		return KindAck, nil, i + len(ack), nil
	}
	length := int(f[2])
	if f[2]+f[3] != 0 || length < 1 || length == 0xFF {
		return KindNone, nil, i + 2, ErrFrame
	}
	if len(f) < 4+length+1 {
		return KindNone, nil, 0, ErrShort
	}
	n = i + 4 + length + 1
	if bytes.HasPrefix(f, errorFrame) {
		return KindNone, nil, n, ErrSyntax
	}
	sum := byte(0)
	for _, x := range f[4 : 4+length+1] {
		sum += x
	}
	if sum != 0 || length < 2 || f[4] != fromModule {
		return KindNone, nil, i + 2, ErrFrame
	}
	return KindReply, f[5 : 4+length], n, nil
}
