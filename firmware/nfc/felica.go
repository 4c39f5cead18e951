package nfc

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"

	"monban/firmware/card"
)

// LiteS says how FeliCa Lite and Lite-S prove themselves, both as card.CardAuth and no more (ADR 0049). A card's own key
// is derived from a master key, its IDm, the system code and System, as DESFire's are.
type LiteS struct {
	System  []byte // at most 18 bytes
	Masters []Key  // the newest first; two during a change of keys
}

// Blocks of the card.
const (
	blockRC  = 0x80 // our random number
	blockMAC = 0x81
	blockID  = 0x82
)

// liteKey is the key CK that a card was given.
func (s *Session) liteKey(master Key) Key {
	t := s.target
	input := append(append([]byte{}, t.IDm[:]...), byte(t.System>>8), byte(t.System))
	return Diversify(master, append(input, s.cfg.LiteS.System...))
}

// cbc3 is two-key 3DES in CBC mode.
func cbc3(k Key, iv [8]byte, b []byte) []byte {
	c, err := des.NewTripleDESCipher(append(append([]byte{}, k[:]...), k[:8]...))
	if err != nil {
		panic("BUG: 3DES refuses 24 bytes: " + err.Error())
	}
	out := make([]byte, len(b))
	cipher.NewCBCEncrypter(c, iv[:]).CryptBlocks(out, b)
	return out
}

func reversed8(b []byte) (out [8]byte) {
	for i := range out {
		out[i] = b[7-i]
	}
	return out
}

// liteMAC is the card's MAC: 3DES over groups of eight bytes, each turned round, and so is the result.
func liteMAC(k Key, iv [8]byte, data []byte) [8]byte {
	turned := make([]byte, 0, len(data))
	for i := 0; i < len(data); i += 8 {
		g := reversed8(data[i:])
		turned = append(turned, g[:]...)
	}
	out := cbc3(k, iv, turned)
	return reversed8(out[len(out)-8:])
}

// lite is one proof under way.
type lite struct {
	s       *Session
	master  int
	key     Key // CK
	rc      [16]byte
	session Key
}

func (l *lite) iv() (iv [8]byte) {
	copy(iv[:], l.rc[:])
	return iv
}

// readBlocks and writeBlocks are commands without encryption: 06 and 08, services 000B and 0009.
func (l *lite) readBlocks(blocks ...byte) []byte { return l.command(0x06, 0x0B, blocks, nil) }

func (l *lite) writeBlocks(data []byte, blocks ...byte) []byte {
	return l.command(0x08, 0x09, blocks, data)
}

func (l *lite) command(code, service byte, blocks, data []byte) []byte {
	out := append([]byte{code}, l.s.target.IDm[:]...)
	out = append(out, 0x01, service, 0x00, byte(len(blocks)))
	for _, b := range blocks {
		out = append(out, 0x80, b)
	}
	return append(out, data...)
}

// answer takes an answer apart. ok: it is this card's and to this command; done: the card did it.
func (l *lite) answer(code byte, a []byte) (data []byte, done, ok bool) {
	if len(a) < 11 || a[0] != code || !bytes.Equal(a[1:9], l.s.target.IDm[:]) {
		return nil, false, false
	}
	return a[11:], a[9] == 0 && a[10] == 0, true
}

// blocks takes the answer to a read of n blocks apart.
func (l *lite) blocks(n int, a []byte) (data []byte, done, ok bool) {
	data, done, ok = l.answer(0x07, a)
	if !ok || !done {
		return nil, done, ok
	}
	if len(data) != 1+16*n || int(data[0]) != n {
		return nil, false, false
	}
	return data[1:], true, true
}

// beginLite writes our random number, which the card makes its session key of.
func (s *Session) beginLite(master int) ([]byte, step) {
	if master >= len(s.cfg.LiteS.Masters) {
		return s.refuse(RefusedKey)
	}
	l := &lite{s: s, master: master, key: s.liteKey(s.cfg.LiteS.Masters[master]), rc: s.random()}
	copy(l.session[:], cbc3(l.key, [8]byte{}, l.rc[:]))
	one, two := reversed8(l.rc[:8]), reversed8(l.rc[8:])
	return l.writeBlocks(append(one[:], two[:]...), blockRC), l.challenged
}

func (l *lite) challenged(a []byte) ([]byte, step) {
	switch _, done, ok := l.answer(0x09, a); {
	case !ok:
		return l.s.refuse(RefusedTorn)
	case !done:
		return l.s.refuse(RefusedKind) // no card of this kind has no such block
	}
	return l.readBlocks(blockID, blockMAC), l.proved
}

// proved checks the card's MAC over its ID block, and that the ID is the one that was polled.
func (l *lite) proved(a []byte) ([]byte, step) {
	data, done, ok := l.blocks(2, a)
	switch {
	case !ok:
		return l.s.refuse(RefusedTorn)
	case !done:
		return l.s.refuse(RefusedKind)
	}
	mac := liteMAC(l.session, l.iv(), data[:16])
	if subtle.ConstantTimeCompare(mac[:], data[16:24]) != 1 {
		return l.s.beginLite(l.master + 1)
	}
	if !bytes.Equal(data[:8], l.s.target.IDm[:]) {
		return l.s.refuse(RefusedKey)
	}
	// A Lite-S could check us too, but that it did is told only by a block whose MAC does not say which block it is over
	// (ADR 0049): somebody between us and a genuine card would answer with another one. So the card's own proof is all.
	return l.s.accept(l.s.target.IDm[:], 64, card.CardAuth)
}
