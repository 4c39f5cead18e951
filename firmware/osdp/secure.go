package osdp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Key is a reader's secure channel base key (SCBK), AES-128. It masks itself in every kind of print.
type Key [16]byte

// String hides the key.
func (Key) String() string { return "osdp key" }

// GoString hides the key.
func (Key) GoString() string { return "osdp key" }

// Errors of the secure channel. Each ends the session; no content of the frame is used.
var (
	errMAC     = errors.New("osdp: wrong MAC")
	errPadding = errors.New("osdp: wrong padding")
)

// session is one secure channel (§D.4): the keys and the last MAC of each direction.
type session struct {
	enc, mac1, mac2 cipher.Block
	command, reply  [16]byte // last MAC sent and last MAC accepted
}

// newSession derives the session keys of a base key and the panel's random number.
func newSession(k Key, rndA [8]byte) *session {
	base := block(k)
	derive := func(tag byte) cipher.Block {
		in := [16]byte{0x01, tag}
		copy(in[2:8], rndA[:6])
		base.Encrypt(in[:], in[:])
		return block(in)
	}
	return &session{enc: derive(0x82), mac1: derive(0x01), mac2: derive(0x02)}
}

// block makes the cipher of a 16-byte key.
func block(k [16]byte) cipher.Block {
	b, err := aes.NewCipher(k[:])
	if err != nil {
		panic("BUG: AES refuses 16 bytes: " + err.Error())
	}
	return b
}

// clientCryptogram is what the reader proves the key with.
func (s *session) clientCryptogram(rndA, rndB [8]byte) [16]byte { return s.cryptogram(rndA, rndB) }

// serverCryptogram is what the panel proves the key with.
func (s *session) serverCryptogram(rndA, rndB [8]byte) [16]byte { return s.cryptogram(rndB, rndA) }

func (s *session) cryptogram(first, second [8]byte) (out [16]byte) {
	copy(out[:8], first[:])
	copy(out[8:], second[:])
	s.enc.Encrypt(out[:], out[:])
	return out
}

// initialMAC is the R-MAC with which both sides begin.
func (s *session) initialMAC(server [16]byte) (out [16]byte) {
	s.mac1.Encrypt(out[:], server[:])
	s.mac2.Encrypt(out[:], out[:])
	return out
}

// mac is the MAC over b: CBC, padded with 80 00… only where b does not fill its last block, the last block under the
// second key (§D.5.2).
func (s *session) mac(iv [16]byte, b []byte) [16]byte {
	last := iv
	for len(b) > 0 {
		var in [16]byte
		n := copy(in[:], b)
		b = b[n:]
		if n < len(in) {
			in[n] = 0x80
		}
		subtle.XORBytes(in[:], in[:], last[:])
		key := s.mac1
		if len(b) == 0 {
			key = s.mac2
		}
		key.Encrypt(last[:], in[:])
	}
	return last
}

// dataIV is the bitwise complement of the other direction's last MAC.
func dataIV(m [16]byte) (iv [16]byte) {
	for i := range m {
		iv[i] = ^m[i]
	}
	return iv
}

// seal appends a command under the session: encrypted when it has data, always with a MAC, mark byte first. The same
// bytes are sent again for a retry; sealing again would be another command.
func (s *session) seal(dst []byte, f Frame) []byte {
	f.SCB, f.SCBData = scbCommandMAC, nil
	if len(f.Data) > 0 {
		f.SCB = scbCommandCrypt
		iv := dataIV(s.reply)
		plain := pad(f.Data)
		cipher.NewCBCEncrypter(s.enc, iv[:]).CryptBlocks(plain, plain)
		f.Data = plain
	}
	dst = append(dst, mark)
	from := len(dst)
	dst = appendHead(dst, &f, f.size())
	s.command = s.mac(s.reply, dst[from:])
	dst = append(dst, s.command[:macBytes]...)
	return binary.LittleEndian.AppendUint16(dst, crc16(dst[from:]))
}

// pad copies b and pads it with 80 00…, always.
func pad(b []byte) []byte {
	out := make([]byte, (len(b)/16+1)*16)
	copy(out, b)
	out[len(b)] = 0x80
	return out
}

// open checks the MAC of a reply and gives its data in the clear. encrypted says whether they were: data under
// SCS_16 are authentic, and anybody on the line could read them. Only an accepted reply moves the session.
func (s *session) open(f *Frame) (data []byte, encrypted bool, err error) {
	if f.SCB != scbReplyMAC && f.SCB != scbReplyCrypt || len(f.MAC) != macBytes {
		return nil, false, errMAC
	}
	m := s.mac(s.command, f.covered)
	if subtle.ConstantTimeCompare(m[:macBytes], f.MAC) != 1 {
		return nil, false, errMAC
	}
	data = append([]byte(nil), f.Data...)
	if f.SCB == scbReplyCrypt {
		if len(data) == 0 || len(data)%16 != 0 {
			return nil, false, errPadding
		}
		iv := dataIV(s.command)
		cipher.NewCBCDecrypter(s.enc, iv[:]).CryptBlocks(data, data)
		n := len(data) - 1
		for n >= 0 && data[n] == 0 {
			n--
		}
		if n < 0 || data[n] != 0x80 || len(data)-n > 16 {
			return nil, false, errPadding
		}
		data, encrypted = data[:n], true
	}
	s.reply = m
	return data, encrypted, nil
}
