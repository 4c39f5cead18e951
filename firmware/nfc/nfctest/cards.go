// Package nfctest is the other side of a contactless reader for tests: cards that are no hardware, and the PN532 module
// that carries bytes to them. It is written from the rules and not from the reader's code; pure, for tests only.
package nfctest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"encoding/binary"
	"math/bits"
	"slices"
)

// Card is one card in the field.
type Card interface {
	// Answer takes an APDU or a FeliCa command without its length byte, and gives the answer; nil = none.
	Answer(command []byte) []byte
	// Removed tells it that the field is gone: it forgets its state.
	Removed()
}

// Plain is a card of ISO/IEC 14443 A that has a serial number and no more.
type Plain struct{ Serial []byte }

// Answer implements Card.
func (*Plain) Answer([]byte) []byte { return nil }

// Removed implements Card.
func (*Plain) Removed() {}

// MAC is AES-CMAC with a first block, by the book's definition of its subkeys as numbers of 128 bits.
func MAC(key, iv, m []byte) []byte {
	c, _ := aes.NewCipher(key) // sixteen bytes always fit
	l := make([]byte, 16)
	c.Encrypt(l, l)
	twice := func(b []byte) []byte {
		hi, lo := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		over := hi >> 63
		hi, lo = hi<<1|lo>>63, lo<<1^over*0x87
		return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)
	}
	k := twice(l)
	m = slices.Clone(m)
	if len(m) == 0 || len(m)%16 != 0 {
		k = twice(k)
		m = append(m, 0x80)
		for len(m)%16 != 0 {
			m = append(m, 0)
		}
	}
	for i := range 16 {
		m[len(m)-16+i] ^= k[i]
	}
	if iv == nil {
		iv = make([]byte, 16)
	}
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(m, m)
	return m[len(m)-16:]
}

func cbc(key, iv, b []byte, encrypt bool) []byte {
	c, _ := aes.NewCipher(key)
	if iv == nil {
		iv = make([]byte, 16)
	}
	out := make([]byte, len(b))
	if encrypt {
		cipher.NewCBCEncrypter(c, iv).CryptBlocks(out, b)
	} else {
		cipher.NewCBCDecrypter(c, iv).CryptBlocks(out, b)
	}
	return out
}

func left(b []byte) []byte { return append(slices.Clone(b[1:]), b[0]) }

// DESFire is one with a single application, a single AES key and a single file.
type DESFire struct {
	Serial []byte // 7 bytes
	AID    [3]byte
	Key    [16]byte // its own
	KeyNo  byte
	FileNo byte
	File   [32]byte
	EV1    bool // it does not know the newer proof
	// Spoil, when not nil, changes answers: an attacker's, or a defect. It is told how many there were before.
	Spoil func(n int, answer []byte) []byte
	// Random gives RndB and TI.
	Random func() [16]byte

	n                  int
	selected           bool
	way                byte // of the proof under way
	rndA, rndB, ti     []byte
	iv, enc, mac, last []byte
	open               bool
}

// Removed implements Card.
func (d *DESFire) Removed() {
	d.selected, d.way, d.open = false, 0, false
}

// Answer implements Card.
func (d *DESFire) Answer(a []byte) []byte {
	out := d.answer(a)
	if d.Spoil != nil {
		out = d.Spoil(d.n, out)
	}
	d.n++
	return out
}

func (d *DESFire) answer(a []byte) []byte {
	if len(a) < 5 || a[0] != 0x90 {
		return []byte{0x6E, 0x00}
	}
	var data []byte
	if len(a) > 5 {
		data = a[5 : len(a)-1]
	}
	state := func(s byte, out ...byte) []byte { return append(append([]byte{}, out...), 0x91, s) }
	switch ins := a[1]; {
	case ins == 0x5A:
		d.Removed()
		if len(data) != 3 || data[0] != d.AID[2] || data[1] != d.AID[1] || data[2] != d.AID[0] {
			return state(0xA0)
		}
		d.selected = true
		return state(0)
	case !d.selected:
		return state(0x9D)
	case ins == 0x71 && d.EV1:
		return state(0x1C)
	case ins == 0x71 || ins == 0xAA:
		if len(data) < 1 || data[0] != d.KeyNo {
			return state(0x40)
		}
		r := d.Random()
		d.way, d.rndB = ins, r[:]
		d.last = cbc(d.Key[:], nil, d.rndB, true)
		return state(0xAF, d.last...)
	case ins == 0xAF && d.way != 0 && len(data) == 32:
		return d.prove(data)
	case ins == 0xAD && d.open && d.way == 0x71:
		return d.readEV2(data)
	case ins == 0xBD && d.open && d.way == 0xAA:
		return d.readEV1(data)
	}
	return state(0x1C)
}

func (d *DESFire) prove(data []byte) []byte {
	iv := []byte(nil)
	if d.way == 0xAA {
		iv = d.last
	}
	p := cbc(d.Key[:], iv, data, false)
	d.rndA = p[:16]
	if !bytes.Equal(p[16:], left(d.rndB)) {
		d.way = 0
		return []byte{0x91, 0xAE}
	}
	d.open = true
	if d.way == 0xAA {
		out := cbc(d.Key[:], data[16:], left(d.rndA), true)
		d.enc = slices.Concat(d.rndA[:4], d.rndB[:4], d.rndA[12:], d.rndB[12:])
		d.iv = make([]byte, 16)
		return append(out, 0x91, 0)
	}
	t := d.Random()
	d.ti = t[:4]
	out := cbc(d.Key[:], nil, slices.Concat(d.ti, left(d.rndA), make([]byte, 12)), true)
	x := make([]byte, 6)
	for i := range x {
		x[i] = d.rndA[2+i] ^ d.rndB[i]
	}
	sv := slices.Concat([]byte{0, 1, 0, 0x80}, d.rndA[:2], x, d.rndB[6:], d.rndA[8:])
	d.enc = MAC(d.Key[:], nil, append([]byte{0xA5, 0x5A}, sv...))
	d.mac = MAC(d.Key[:], nil, append([]byte{0x5A, 0xA5}, sv...))
	return append(out, 0x91, 0)
}

func odd(m []byte) (out []byte) {
	for i := 1; i < 16; i += 2 {
		out = append(out, m[i])
	}
	return out
}

func (d *DESFire) readEV2(data []byte) []byte {
	if len(data) != 15 || !bytes.Equal(data[7:], odd(MAC(d.mac, nil, slices.Concat([]byte{0xAD, 0, 0}, d.ti, data[:7])))) {
		return []byte{0x91, 0x1E}
	}
	if data[0] != d.FileNo {
		return []byte{0x91, 0xF0}
	}
	iv := cbc(d.enc, nil, slices.Concat([]byte{0x5A, 0xA5}, d.ti, []byte{1, 0}, make([]byte, 8)), true)
	out := cbc(d.enc, iv, slices.Concat(d.File[:], []byte{0x80}, make([]byte, 15)), true)
	out = append(out, odd(MAC(d.mac, nil, slices.Concat([]byte{0, 1, 0}, d.ti, out)))...)
	return append(out, 0x91, 0)
}

func (d *DESFire) readEV1(data []byte) []byte {
	if len(data) != 7 || data[0] != d.FileNo {
		return []byte{0x91, 0xF0}
	}
	iv := MAC(d.enc, d.iv, append([]byte{0xBD}, data...))
	sum := crc(append(slices.Clone(d.File[:]), 0))
	plain := binary.LittleEndian.AppendUint32(slices.Clone(d.File[:]), sum)
	return append(cbc(d.enc, iv, append(plain, make([]byte, 12)...), true), 0x91, 0)
}

// crc is CRC-32 without the last inversion, most significant bit first on turned bytes.
func crc(b []byte) uint32 {
	c := uint32(0xFFFFFFFF)
	for _, x := range b {
		c ^= uint32(bits.Reverse8(x)) << 24
		for range 8 {
			top := c >> 31
			c = c<<1 ^ top*0x04C11DB7
		}
	}
	return bits.Reverse32(c)
}

// LiteS is a FeliCa Lite or Lite-S, with what proves the card; a Lite-S checks the reader too, which ours does not ask for.
type LiteS struct {
	IDm    [8]byte
	ID     [8]byte // of its ID block; usually the IDm
	System uint16
	Key    [16]byte // CK, as it is written on paper
	User   [16]byte // block 0, which anybody may read
	// Spoil as that of DESFire.
	Spoil func(n int, answer []byte) []byte

	n  int
	rc [16]byte // as written: each half turned round
	sk []byte
}

// Removed implements Card.
func (l *LiteS) Removed() { l.sk = nil }

// Answer implements Card.
func (l *LiteS) Answer(c []byte) []byte {
	out := l.answer(c)
	if l.Spoil != nil {
		out = l.Spoil(l.n, out)
	}
	l.n++
	return out
}

func turned(b []byte) []byte {
	out := slices.Clone(b)
	slices.Reverse(out)
	return out
}

func triple(key []byte, iv, b []byte) []byte {
	c, _ := des.NewTripleDESCipher(slices.Concat(key[:8], key[8:16], key[:8]))
	out := make([]byte, len(b))
	cipher.NewCBCEncrypter(c, iv).CryptBlocks(out, b)
	return out
}

// sign is the card's MAC over whole blocks.
func (l *LiteS) sign(key, data []byte) []byte {
	var in []byte
	for b := range slices.Chunk(data, 8) {
		in = append(in, turned(b)...)
	}
	out := triple(key, turned(l.rc[:8]), in)
	return turned(out[len(out)-8:])
}

func (l *LiteS) answer(c []byte) []byte {
	if len(c) < 13 || !bytes.Equal(c[1:9], l.IDm[:]) || c[9] != 1 {
		return nil
	}
	n := int(c[12])
	if len(c) < 13+2*n {
		return nil
	}
	var blocks []byte
	for i := range n {
		blocks = append(blocks, c[13+2*i+1])
	}
	rest := c[13+2*n:]
	say := func(code byte, s1, s2 byte, data ...byte) []byte {
		return append(append([]byte{code}, l.IDm[:]...), append([]byte{s1, s2}, data...)...)
	}
	switch {
	case c[0] == 0x06 && c[10] == 0x0B:
		var all []byte
		for _, b := range blocks {
			block := make([]byte, 16)
			switch {
			case b == 0x82:
				copy(block, l.ID[:])
			case b == 0x00:
				copy(block, l.User[:])
			case b == 0x81 && l.sk != nil:
				copy(block, l.sign(l.sk, all))
			case b == 0x81:
			default:
				return say(0x07, 0x01, 0xA8)
			}
			all = append(all, block...)
		}
		return say(0x07, 0, 0, append([]byte{byte(n)}, all...)...)
	case c[0] == 0x08 && c[10] == 0x09 && n == 1 && blocks[0] == 0x80 && len(rest) == 16:
		copy(l.rc[:], rest)
		l.sk = triple(l.Key[:], make([]byte, 8), append(turned(rest[:8]), turned(rest[8:])...))
		return say(0x09, 0, 0)
	}
	return say(c[0]+1, 0x01, 0xA6)
}
