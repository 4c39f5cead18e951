package nfc

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"

	"monban/firmware/card"
)

// DESFire says how DESFire EV1–EV3 and NTAG 424 DNA prove themselves and where their credential lies.
type DESFire struct {
	AID    [3]byte // of the application, as it is written; it is sent last byte first
	KeyNo  byte    // 0–13
	File   byte    // 0–31; holds the number of bits (1–128) in its first byte and then the bits, in FileBytes bytes
	System []byte  // what the keys are diversified with, beside serial number and application; at most 18 bytes
	// Masters are the master keys that count, the newest first; two during a change of keys.
	Masters []Key
}

// FileBytes is the size of a credential's file.
const FileBytes = 32

// Instructions and states of the card.
const (
	insSelect   = 0x5A
	insAuthEV1  = 0xAA
	insAuthEV2  = 0x71
	insMore     = 0xAF
	insReadEV1  = 0xBD
	insReadEV2  = 0xAD
	stateOK     = 0x00
	stateMore   = 0xAF
	stateNoIns  = 0x1C
	stateLength = 0x7E
)

// wrap makes an APDU of a native command.
func wrap(ins byte, data ...byte) []byte {
	if len(data) == 0 {
		return []byte{0x90, ins, 0, 0, 0}
	}
	return append(append([]byte{0x90, ins, 0, 0, byte(len(data))}, data...), 0)
}

// unwrap takes an answer apart; ok is false when it is none.
func unwrap(answer []byte) (data []byte, state byte, ok bool) {
	n := len(answer)
	if n < 2 || answer[n-2] != 0x91 {
		return nil, 0, false
	}
	return answer[:n-2], answer[n-1], true
}

func rotate(b [16]byte) (out [16]byte) {
	copy(out[:], b[1:])
	out[15] = b[0]
	return out
}

// desfire is one proof under way.
type desfire struct {
	s          *Session
	cfg        *DESFire
	master     int // index in Masters
	key        Key // of the card
	rndA, rndB [16]byte
	iv         [16]byte // EV1: runs on through everything
	enc, mac   Key      // of the session
	ti         [4]byte
}

// beginDESFire selects the site's application and proves itself with the key that a master key gives for this card.
func (s *Session) beginDESFire(master int) ([]byte, step) {
	if master >= len(s.cfg.DESFire.Masters) {
		return s.refuse(RefusedKey)
	}
	d := &desfire{s: s, cfg: s.cfg.DESFire, master: master}
	input := append(append(append([]byte{}, s.target.UID...), d.cfg.AID[:]...), d.cfg.System...)
	d.key = Diversify(d.cfg.Masters[master], input)
	a := d.cfg.AID
	return wrap(insSelect, a[2], a[1], a[0]), d.selected
}

// again tries with the next master key. The card that knows none of them is not ours.
func (d *desfire) again() ([]byte, step) { return d.s.beginDESFire(d.master + 1) }

func (d *desfire) selected(answer []byte) ([]byte, step) {
	switch _, state, ok := unwrap(answer); {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateOK:
		return d.s.refuse(RefusedKey) // no application of the site
	}
	return wrap(insAuthEV2, d.cfg.KeyNo, 0), d.challengedEV2
}

// challengedEV2: the card's random number, or a card that does not know this proof yet. Both proofs are mutual, so
// nobody gains by making us take the older one.
func (d *desfire) challengedEV2(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case ok && (state == stateNoIns || state == stateLength) && len(data) == 0:
		return wrap(insAuthEV1, d.cfg.KeyNo), d.challengedEV1
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateMore || len(data) != 16:
		return d.again()
	}
	d.respond(data)
	return d.part2(), d.provedEV2
}

func (d *desfire) challengedEV1(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateMore || len(data) != 16:
		return d.again()
	}
	d.respond(data)
	copy(d.iv[:], data)
	return d.part2(), d.provedEV1
}

// respond decrypts the card's random number and makes ours.
func (d *desfire) respond(data []byte) {
	var zero [16]byte
	cipher.NewCBCDecrypter(block(d.key), zero[:]).CryptBlocks(d.rndB[:], data)
	d.rndA = d.s.random()
}

// part2 is our proof, under d.iv: zero for EV2.
func (d *desfire) part2() []byte {
	b := rotate(d.rndB)
	out := append(append([]byte{}, d.rndA[:]...), b[:]...)
	cipher.NewCBCEncrypter(block(d.key), d.iv[:]).CryptBlocks(out, out)
	copy(d.iv[:], out[16:])
	return wrap(insMore, out...)
}

// proven compares the card's proof; only then is there a session.
func (d *desfire) proven(rotated []byte) bool {
	want := rotate(d.rndA)
	return subtle.ConstantTimeCompare(want[:], rotated) == 1
}

func (d *desfire) provedEV1(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateOK || len(data) != 16:
		return d.again()
	}
	var got [16]byte
	cipher.NewCBCDecrypter(block(d.key), d.iv[:]).CryptBlocks(got[:], data)
	if !d.proven(got[:]) {
		return d.again()
	}
	copy(d.enc[0:], d.rndA[:4])
	copy(d.enc[4:], d.rndB[:4])
	copy(d.enc[8:], d.rndA[12:])
	copy(d.enc[12:], d.rndB[12:])
	read := d.readParams()
	// From here each message's CMAC is the next one's start.
	d.iv = cmac(d.enc, [16]byte{}, append([]byte{insReadEV1}, read...))
	return wrap(insReadEV1, read...), d.fileEV1
}

// readParams name the whole credential file.
func (d *desfire) readParams() []byte { return []byte{d.cfg.File, 0, 0, 0, FileBytes, 0, 0} }

// fileEV1: data and a CRC over data and state, padded with zeros, under the session key.
func (d *desfire) fileEV1(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateOK || len(data) != 48:
		return d.s.refuse(RefusedContent)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block(d.enc), d.iv[:]).CryptBlocks(plain, data)
	sum := crc32(append(append([]byte{}, plain[:FileBytes]...), stateOK))
	if binary.LittleEndian.Uint32(plain[FileBytes:]) != sum || !bytes.Equal(plain[FileBytes+4:], make([]byte, 12)) {
		return d.s.refuse(RefusedKey) // not what the card sent: somebody sits between
	}
	return d.credential(plain[:FileBytes])
}

func (d *desfire) provedEV2(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateOK || len(data) != 32:
		return d.again()
	}
	var zero [16]byte
	plain := make([]byte, 32)
	cipher.NewCBCDecrypter(block(d.key), zero[:]).CryptBlocks(plain, data)
	if !d.proven(plain[4:20]) {
		return d.again()
	}
	copy(d.ti[:], plain)
	d.enc, d.mac = sessionKeysEV2(d.key, d.rndA, d.rndB)
	read := d.readParams()
	mac := d.macEV2(insReadEV2, 0, read)
	return wrap(insReadEV2, append(read, mac[:]...)...), d.fileEV2
}

// sessionKeysEV2 are for encryption and for MACs.
func sessionKeysEV2(k Key, rndA, rndB [16]byte) (enc, mac Key) {
	sv := []byte{0xA5, 0x5A, 0x00, 0x01, 0x00, 0x80, rndA[0], rndA[1]}
	for i := range 6 {
		sv = append(sv, rndA[2+i]^rndB[i])
	}
	sv = append(append(sv, rndB[6:]...), rndA[8:]...)
	enc = cmac(k, [16]byte{}, sv)
	sv[0], sv[1] = 0x5A, 0xA5
	mac = cmac(k, [16]byte{}, sv)
	return enc, mac
}

// macEV2 is every second byte of the CMAC over an instruction or state, the counter, the transaction and the data.
func (d *desfire) macEV2(code byte, counter uint16, data []byte) (short [8]byte) {
	msg := append([]byte{code, byte(counter), byte(counter >> 8)}, d.ti[:]...)
	full := cmac(d.mac, [16]byte{}, append(msg, data...))
	for i := range short {
		short[i] = full[2*i+1]
	}
	return short
}

func (d *desfire) fileEV2(answer []byte) ([]byte, step) {
	data, state, ok := unwrap(answer)
	switch {
	case !ok:
		return d.s.refuse(RefusedTorn)
	case state != stateOK || len(data) != 48+8:
		return d.s.refuse(RefusedContent)
	}
	want := d.macEV2(state, 1, data[:48])
	if subtle.ConstantTimeCompare(want[:], data[48:]) != 1 {
		return d.s.refuse(RefusedKey) // not what the card sent: somebody sits between
	}
	iv := [16]byte{0x5A, 0xA5, d.ti[0], d.ti[1], d.ti[2], d.ti[3], 1}
	block(d.enc).Encrypt(iv[:], iv[:])
	plain := make([]byte, 48)
	cipher.NewCBCDecrypter(block(d.enc), iv[:]).CryptBlocks(plain, data[:48])
	if plain[FileBytes] != 0x80 || !bytes.Equal(plain[FileBytes+1:], make([]byte, 15)) {
		return d.s.refuse(RefusedContent)
	}
	return d.credential(plain[:FileBytes])
}

// credential reads the file: a count of bits and the bits; what follows is zero, so that one card has one spelling.
func (d *desfire) credential(file []byte) ([]byte, step) {
	n := int(file[0])
	size := (n + 7) / 8
	if n < 1 || n > 128 || !bytes.Equal(file[1+size:], make([]byte, FileBytes-1-size)) || n%8 != 0 && file[size]&(0xFF>>(n%8)) != 0 {
		return d.s.refuse(RefusedContent)
	}
	return d.s.accept(file[1:1+size], n, card.MutualAuth)
}

// crc32 is that of the card: the usual polynomial and start, without the last inversion.
func crc32(b []byte) uint32 {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			crc = crc>>1 ^ 0xEDB88320*(crc&1)
		}
	}
	return crc
}
