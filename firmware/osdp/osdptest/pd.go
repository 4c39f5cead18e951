// Package osdptest is a reader (PD) for tests: OSDP 2.2 from the other end of the line, written from the rules and not
// from the panel's code. It is pure as the panel is; for tests only.
package osdptest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
)

// DefaultKey is SCBK-D, which a reader takes only while Install is set.
var DefaultKey = [16]byte{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?'}

// PD is one reader. Set the exported fields before use, change them for a fault.
type PD struct {
	Addr    byte
	Key     [16]byte
	HasKey  bool // it has a key of its own
	Install bool // it takes the default key
	NoAES   bool // it says that it has no secure channel, and refuses one
	CUID    [8]byte
	Serial  uint32
	Random  func() [8]byte // RND.B
	Mute    bool
	Busy    int  // so many answers are BUSY
	Clear   bool // card and keys go authentic but not encrypted
	// NAKNext, when not 0, is the reason with which the next command in the channel is refused in the clear.
	NAKNext byte

	Seen    []byte // codes of commands that were carried out, in order
	Proofs  int    // handshakes that it accepted
	Drained int    // queued answers that were sent and, by the next command, known to have arrived

	queue     []queued
	lastSeq   byte
	lastReply []byte
	told      bool // lastReply carried the head of the queue

	open       bool // channel
	enc        cipher.Block
	mac1, mac2 cipher.Block
	cmac, rmac [16]byte
	rndA, rndB [8]byte
	keyed      bool // the handshake used its own key
	waiting    bool // for SCRYPT
}

type queued struct {
	code byte
	data []byte
}

// Card queues a card of n bits, first bit first.
func (d *PD) Card(n int, bits []byte) {
	d.queue = append(d.queue, queued{0x50, append([]byte{0, 0, byte(n), byte(n >> 8)}, bits...)})
}

// Press queues keys: digits, 0x7F for *, 0x0D for #.
func (d *PD) Press(keys ...byte) {
	d.queue = append(d.queue, queued{0x53, append([]byte{0, byte(len(keys))}, keys...)})
}

// Local queues a change of tamper and power.
func (d *PD) Local(tamper, power byte) {
	d.queue = append(d.queue, queued{0x48, []byte{tamper, power}})
}

// Waiting is how many answers are queued.
func (d *PD) Waiting() int { return len(d.queue) }

// Open reports whether the channel stands.
func (d *PD) Open() bool { return d.open }

// Restart is a power cut: the channel is gone, the key and the queue stay.
func (d *PD) Restart() {
	d.open, d.waiting, d.lastReply, d.lastSeq, d.told = false, false, nil, 0, false
}

var crcNibble = func() (t [16]uint16) {
	for i := range t {
		c := uint16(i) << 12
		for range 4 {
			top := c >> 15
			c <<= 1
			c ^= top * 0x1021
		}
		t[i] = c
	}
	return t
}()

// CRC is the CRC of OSDP, by nibbles.
func CRC(b []byte) uint16 {
	c := uint16(0x1D0F)
	for _, x := range b {
		c = c<<4 ^ crcNibble[c>>12^uint16(x>>4)]
		c = c<<4 ^ crcNibble[c>>12^uint16(x&15)]
	}
	return c
}

// Receive takes what came from the line, one command at most, and gives the answer, nil = silence.
func (d *PD) Receive(in []byte) []byte {
	i := bytes.IndexByte(in, 0x53)
	if i < 0 || len(in)-i < 8 {
		return nil
	}
	b := in[i:]
	n := int(binary.LittleEndian.Uint16(b[2:]))
	if n > len(b) || n < 8 || b[1] != d.Addr || d.Mute {
		return nil
	}
	b = b[:n]
	if CRC(b[:n-2]) != binary.LittleEndian.Uint16(b[n-2:]) {
		return nil // a reader does not answer what it cannot read
	}
	seq := b[4] & 3
	switch {
	case seq == 0:
		d.Restart()
	case d.lastReply != nil && seq == d.lastSeq:
		return d.lastReply // a repetition is carried out once
	case seq != d.lastSeq%3+1:
		return d.plain(seq, 0x41, []byte{4})
	}
	if d.Busy > 0 {
		d.Busy--
		return frame(d.Addr|0x80, 4, nil, 0x79, nil, nil)
	}
	if d.told && !d.open && !d.HasKey {
		d.arrived()
	}
	if d.open && d.NAKNext == 1 { // it takes the frame for spoilt: nothing was carried out
		d.NAKNext = 0
		return d.plain(seq, 0x41, []byte{1})
	}
	d.lastReply = d.carryOut(b, seq)
	d.lastSeq = seq
	return d.lastReply
}

// arrived: a command that counts shows that the last answer has arrived.
func (d *PD) arrived() {
	if d.told {
		d.queue, d.told = d.queue[1:], false
		d.Drained++
	}
}

func (d *PD) carryOut(b []byte, seq byte) []byte {
	if d.open && d.NAKNext != 0 {
		d.arrived()
		why := d.NAKNext
		d.NAKNext = 0
		return d.plain(seq, 0x41, []byte{why})
	}
	body := b[5 : len(b)-2]
	var scb []byte
	if b[4]&8 != 0 {
		scb, body = body[:body[0]], body[body[0]:]
	}
	if len(scb) > 1 && scb[1] >= 0x15 {
		if !d.open || !d.checkMAC(b, body) {
			d.open, d.told = false, false
			return d.plain(seq, 0x41, []byte{6})
		}
		d.arrived()
		body = body[:len(body)-4]
		if scb[1] == 0x17 {
			body = append([]byte{body[0]}, d.decrypt(body[1:])...)
		}
	} else if d.open {
		d.Restart() // in the clear inside a channel: what it told last may not have arrived
		return d.plain(seq, 0x41, []byte{6})
	}
	code, data := body[0], body[1:]
	switch code {
	case 0x76:
		return d.challenge(seq, scb, data)
	case 0x77:
		return d.server(seq, scb, data)
	}
	d.Seen = append(d.Seen, code)
	switch code {
	case 0x60:
		if len(d.queue) > 0 && (d.open || !d.HasKey) {
			d.told = true
			return d.answer(seq, d.queue[0].code, d.queue[0].data)
		}
		return d.answer(seq, 0x40, nil)
	case 0x61:
		id := []byte{0, 6, 0x8E, 1, 2, 0, 0, 0, 0, 1, 0, 0}
		binary.LittleEndian.PutUint32(id[5:], d.Serial)
		return d.answer(seq, 0x45, id)
	case 0x62:
		aes, def := byte(1), byte(0)
		if d.NoAES {
			aes = 0
		}
		if d.Install {
			def = 1
		}
		return d.answer(seq, 0x46, []byte{3, 1, 0, 8, 1, 0, 9, aes, def, 10, 0, 2})
	case 0x75:
		if !d.open || len(data) != 18 || data[0] != 1 || data[1] != 16 {
			return d.plain(seq, 0x41, []byte{6})
		}
		out := d.answer(seq, 0x40, nil)
		copy(d.Key[:], data[2:])
		d.HasKey, d.Install = true, false
		return out
	case 0x69, 0x6A, 0x6B:
		return d.answer(seq, 0x40, nil)
	}
	return d.answer(seq, 0x41, []byte{3})
}

func (d *PD) challenge(seq byte, scb, data []byte) []byte {
	if d.NoAES || len(scb) < 3 {
		return d.plain(seq, 0x41, []byte{5})
	}
	key := d.Key
	d.keyed = scb[2] == 1
	if !d.keyed {
		key = DefaultKey
	}
	if d.keyed && !d.HasKey || !d.keyed && !d.Install {
		return d.plain(seq, 0x41, []byte{6})
	}
	copy(d.rndA[:], data)
	d.rndB = d.Random()
	base, _ := aes.NewCipher(key[:]) // sixteen bytes always fit
	derive := func(x byte) cipher.Block {
		in := append([]byte{1, x}, d.rndA[:6]...)
		in = append(in, make([]byte, 8)...)
		base.Encrypt(in, in)
		c, _ := aes.NewCipher(in)
		return c
	}
	d.enc, d.mac1, d.mac2 = derive(0x82), derive(1), derive(2)
	proof := append(append([]byte{}, d.rndA[:]...), d.rndB[:]...)
	d.enc.Encrypt(proof, proof)
	d.waiting = true
	out := append(append(append([]byte{}, d.CUID[:]...), d.rndB[:]...), proof...)
	return frame(d.Addr|0x80, seq|4, []byte{0x12, scb[2]}, 0x76, out, nil)
}

func (d *PD) server(seq byte, scb, data []byte) []byte {
	want := append(append([]byte{}, d.rndB[:]...), d.rndA[:]...)
	if d.enc != nil {
		d.enc.Encrypt(want, want)
	}
	if !d.waiting || !bytes.Equal(want, data) {
		d.waiting = false
		return frame(d.Addr|0x80, seq|4, []byte{0x14, 0xFF}, 0x78, make([]byte, 16), nil)
	}
	d.waiting, d.open = false, true
	d.Proofs++
	d.mac1.Encrypt(want, want)
	d.mac2.Encrypt(want, want)
	copy(d.rmac[:], want)
	return frame(d.Addr|0x80, seq|4, []byte{0x14, 1}, 0x78, want, nil)
}

// checkMAC checks the command's MAC and takes it for the next answer.
func (d *PD) checkMAC(b, body []byte) bool {
	if len(body) < 5 {
		return false
	}
	m := d.mac(d.rmac, b[:len(b)-6])
	if !bytes.Equal(m[:4], body[len(body)-4:]) {
		return false
	}
	d.cmac = m
	return true
}

func (d *PD) mac(iv [16]byte, b []byte) (m [16]byte) {
	b = append([]byte{}, b...)
	if len(b)%16 != 0 {
		b = append(b, 0x80)
		for len(b)%16 != 0 {
			b = append(b, 0)
		}
	}
	last := len(b) - 16
	if last > 0 {
		out := make([]byte, last)
		cipher.NewCBCEncrypter(d.mac1, iv[:]).CryptBlocks(out, b[:last])
		copy(iv[:], out[last-16:])
	}
	cipher.NewCBCEncrypter(d.mac2, iv[:]).CryptBlocks(m[:], b[last:])
	return m
}

func invert(m [16]byte) []byte {
	out := make([]byte, 16)
	for i := range m {
		out[i] = m[i] ^ 0xFF
	}
	return out
}

func (d *PD) decrypt(b []byte) []byte {
	if len(b) == 0 || len(b)%16 != 0 {
		return nil
	}
	out := make([]byte, len(b))
	cipher.NewCBCDecrypter(d.enc, invert(d.rmac)).CryptBlocks(out, b)
	return out[:bytes.LastIndexByte(out, 0x80)]
}

func (d *PD) answer(seq, code byte, data []byte) []byte {
	if !d.open {
		return d.plain(seq, code, data)
	}
	kind := byte(0x16)
	if len(data) > 0 && !d.Clear {
		kind = 0x18
		data = append(append([]byte{}, data...), 0x80)
		for len(data)%16 != 0 {
			data = append(data, 0)
		}
		cipher.NewCBCEncrypter(d.enc, invert(d.cmac)).CryptBlocks(data, data)
	}
	return frame(d.Addr|0x80, seq|4, []byte{kind}, code, data, func(b []byte) []byte {
		d.rmac = d.mac(d.cmac, b)
		return d.rmac[:4]
	})
}

func (d *PD) plain(seq, code byte, data []byte) []byte {
	return frame(d.Addr|0x80, seq|4, nil, code, data, nil)
}

// frame builds a frame; scb is type and data of the secure block, mac makes the MAC over what stands before it.
func frame(addr, ctrl byte, scb []byte, code byte, data []byte, mac func([]byte) []byte) []byte {
	n := 5 + 1 + len(data) + 2
	if scb != nil {
		ctrl |= 8
		n += 1 + len(scb)
	}
	if mac != nil {
		n += 4
	}
	b := []byte{0x53, addr, byte(n), byte(n >> 8), ctrl}
	if scb != nil {
		b = append(append(b, byte(1+len(scb))), scb...)
	}
	b = append(append(b, code), data...)
	if mac != nil {
		b = append(b, mac(b)...)
	}
	return binary.LittleEndian.AppendUint16(b, CRC(b))
}
