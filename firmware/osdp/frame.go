package osdp

import (
	"encoding/binary"
	"errors"
)

// Bytes of the frame (OSDP 2.2 §5).
const (
	som       = 0x53
	mark      = 0xFF // may stand before a frame and is in no length, CRC or MAC
	replyBit  = 0x80 // of the address byte
	addrMask  = 0x7F
	seqMask   = 0x03
	ctrlCRC   = 0x04
	ctrlSCB   = 0x08
	headBytes = 5 // som, address, length, control
	macBytes  = 4
	// Broadcast is the address that every reader answers; used for nothing here but refused as a reader's own.
	Broadcast = 0x7F
	// DefaultMaxFrame is what a reader may send before its capabilities say more.
	DefaultMaxFrame = 256
	// LimitMaxFrame bounds what capabilities may say: nothing that a reader sends us needs more.
	LimitMaxFrame = 1440
)

// Secure block types (§D.1.3).
const (
	scbChallenge    = 0x11 // CHLNG
	scbCryptogram   = 0x12 // CCRYPT
	scbServer       = 0x13 // SCRYPT
	scbInitialMAC   = 0x14 // RMAC_I
	scbCommandMAC   = 0x15
	scbReplyMAC     = 0x16
	scbCommandCrypt = 0x17
	scbReplyCrypt   = 0x18
)

// Frame is one frame taken apart. The slices point into the bytes it was read from.
type Frame struct {
	Addr    byte // 0–126
	Reply   bool
	Seq     byte // 0–3
	CRC     bool // else a one-byte checksum
	SCB     byte // secure block type, 0 = none
	SCBData []byte
	Code    byte
	Data    []byte // as sent: encrypted under SCS_17 and SCS_18
	MAC     []byte // four bytes under SCS_15–18, else nil

	covered []byte // what the MAC covers: from the first byte to the end of Data
}

// Errors of a frame. None of them says what stood in it.
var (
	ErrShort  = errors.New("osdp: frame is not whole yet")
	ErrLength = errors.New("osdp: length does not fit")
	ErrCheck  = errors.New("osdp: wrong CRC or checksum")
	ErrLayout = errors.New("osdp: secure block or MAC does not fit the frame")
)

// crc16 is the CRC of OSDP: polynomial 1021, start 1D0F, not reflected, no final xor.
func crc16(b []byte) uint16 {
	crc := uint16(0x1D0F)
	for _, c := range b {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}

// checksum is the two's complement of the sum.
func checksum(b []byte) byte {
	var sum byte
	for _, c := range b {
		sum += c
	}
	return -sum
}

// hasMAC reports whether frames with this secure block carry a MAC.
func hasMAC(scb byte) bool { return scb >= scbCommandMAC && scb <= scbReplyCrypt }

// ParseFrame reads the frame that begins at b[0], which must be its first byte, not the mark. n is its length. With
// ErrShort more bytes are wanted; with any other error this is no frame.
func ParseFrame(b []byte, limit int) (f Frame, n int, err error) {
	if len(b) < headBytes {
		return f, 0, ErrShort
	}
	if b[0] != som {
		return f, 0, ErrLayout
	}
	n = int(binary.LittleEndian.Uint16(b[2:]))
	check := 1
	if b[4]&ctrlCRC != 0 {
		check = 2
	}
	if n < headBytes+1+check || n > limit {
		return f, 0, ErrLength
	}
	if len(b) < n {
		return f, 0, ErrShort
	}
	body := b[:n-check]
	if check == 2 && crc16(body) != binary.LittleEndian.Uint16(b[n-2:]) || check == 1 && checksum(body) != b[n-1] {
		return f, 0, ErrCheck
	}
	f = Frame{Addr: b[1] & addrMask, Reply: b[1]&replyBit != 0, Seq: b[4] & seqMask, CRC: check == 2}
	rest := body[headBytes:]
	if b[4]&ctrlSCB != 0 {
		if len(rest) < 2 || int(rest[0]) < 2 || int(rest[0]) > len(rest) {
			return Frame{}, 0, ErrLayout
		}
		f.SCB, f.SCBData, rest = rest[1], rest[2:rest[0]], rest[rest[0]:]
		if f.SCB < scbChallenge || f.SCB > scbReplyCrypt {
			return Frame{}, 0, ErrLayout
		}
	}
	if hasMAC(f.SCB) {
		if len(rest) < 1+macBytes {
			return Frame{}, 0, ErrLayout
		}
		f.MAC, rest = rest[len(rest)-macBytes:], rest[:len(rest)-macBytes]
		body = body[:len(body)-macBytes]
	}
	if len(rest) < 1 {
		return Frame{}, 0, ErrLayout
	}
	f.Code, f.Data, f.covered = rest[0], rest[1:], body
	return f, n, nil
}

// appendHead begins a frame whose whole length, with MAC and CRC, is total.
func appendHead(dst []byte, f *Frame, total int) []byte {
	addr, ctrl := f.Addr, f.Seq&seqMask|ctrlCRC
	if f.Reply {
		addr |= replyBit
	}
	if f.SCB != 0 {
		ctrl |= ctrlSCB
	}
	dst = append(dst, som, addr, byte(total), byte(total>>8), ctrl)
	if f.SCB != 0 {
		dst = append(append(dst, byte(2+len(f.SCBData)), f.SCB), f.SCBData...)
	}
	return append(append(dst, f.Code), f.Data...)
}

// size is the length of a frame with CRC.
func (f *Frame) size() int {
	n := headBytes + 1 + len(f.Data) + 2
	if f.SCB != 0 {
		n += 2 + len(f.SCBData)
	}
	if hasMAC(f.SCB) {
		n += macBytes
	}
	return n
}

// AppendFrame appends a frame with CRC and without a MAC, mark byte first. Its secure block must be none or one of
// the handshake.
func AppendFrame(dst []byte, f *Frame) []byte {
	dst = append(dst, mark)
	from := len(dst)
	dst = appendHead(dst, f, f.size())
	return binary.LittleEndian.AppendUint16(dst, crc16(dst[from:]))
}

// Scanner finds frames in what comes from a line. The zero Scanner is ready; set Limit to raise DefaultMaxFrame.
type Scanner struct {
	Limit int // longest frame that is believed; 0 = DefaultMaxFrame
	Bad   int // beginnings that turned out to be no frame, since the last Reset

	buf  []byte
	done int // bytes of buf that the frames returned so far cover
}

// Feed takes bytes. What it keeps is bounded by twice the longest frame: more is noise, and the oldest goes.
func (s *Scanner) Feed(b []byte) {
	s.buf = append(s.buf[:0], s.buf[s.done:]...)
	s.done = 0
	s.buf = append(s.buf, b...)
	if over := len(s.buf) - 2*s.limit(); over > 0 {
		s.buf = append(s.buf[:0], s.buf[over:]...)
		s.Bad++
	}
}

// Next gives the next whole frame. It is valid until the next Feed or Reset. After a beginning that is no frame the
// search goes on behind its first byte: the true frame may lie inside.
func (s *Scanner) Next() (Frame, bool) {
	for s.done < len(s.buf) {
		if s.buf[s.done] != som {
			s.done++
			continue
		}
		f, n, err := ParseFrame(s.buf[s.done:], s.limit())
		switch {
		case err == nil:
			s.done += n
			return f, true
		case errors.Is(err, ErrShort):
			return Frame{}, false
		}
		s.Bad++
		s.done++
	}
	return Frame{}, false
}

// Reset forgets everything: what comes now has no beginning from before.
func (s *Scanner) Reset() { s.buf, s.done, s.Bad = s.buf[:0], 0, 0 }

func (s *Scanner) limit() int {
	if s.Limit == 0 {
		return DefaultMaxFrame
	}
	return s.Limit
}
