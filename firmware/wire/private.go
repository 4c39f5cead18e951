package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"monban/firmware/access"
	"monban/firmware/card"
)

// AskKey is one gateway's key for what only it and the server may read (D9).
type AskKey [32]byte

// Nonce is 12 random bytes of the caller's; never used twice under one key.
type Nonce [12]byte

// What a sealed text is for; a text sealed for one use does not open as another.
const (
	usePrivate = "monban/1 private"
	useCard    = "monban/1 card"
	usePIN     = "monban/1 pin"
)

// ErrSealed is returned for a sealed text that was changed, cut, made under another key or for
// another use.
var ErrSealed = errors.New("sealed text does not open")

func (k AskKey) gcm() cipher.AEAD {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		panic("BUG: AES refuses a key of 32 bytes")
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("BUG: GCM refuses AES")
	}
	return aead
}

// seal gives nonce ‖ ciphertext ‖ tag.
func (k AskKey) seal(use string, nonce Nonce, clear []byte) []byte {
	out := make([]byte, len(nonce), len(nonce)+len(clear)+16)
	copy(out, nonce[:])
	return k.gcm().Seal(out, nonce[:], clear, []byte(use))
}

func (k AskKey) open(use string, sealed []byte) ([]byte, error) {
	if len(sealed) < len(Nonce{})+16 {
		return nil, ErrSealed
	}
	n := len(Nonce{})
	clear, err := k.gcm().Open(nil, sealed[:n], sealed[n:], []byte(use))
	if err != nil {
		return nil, ErrSealed
	}
	return clear, nil
}

// SealCard seals a card_ref for an ask or a private part: 60 bytes.
func SealCard(key AskKey, nonce Nonce, ref card.Ref) []byte {
	return key.seal(useCard, nonce, ref[:])
}

// OpenCard opens what SealCard sealed.
func OpenCard(key AskKey, sealed []byte) (card.Ref, error) {
	clear, err := key.open(useCard, sealed)
	if err != nil || len(clear) != len(card.Ref{}) {
		return card.Ref{}, ErrSealed
	}
	return card.Ref(clear), nil
}

// privateBlock is the granularity of a private part's clear length. Everything in it but the inputs
// and the card has a fixed width, and both of those do too when present, so all ordinary private
// parts are equally long, whatever the PIN was (D10).
const privateBlock = 512

// Versions of a private part: the second has a purpose code, the first has none. A part is written in the first that can say it, so
// that there is one way to write each.
const (
	privateVersion  = 1
	privatePurposed = 2
)

// SealPrivate seals a record's private part. The clear text is version, PIN state, the purpose code in version 2, the two lengths
// as 2 bytes big-endian each after their bytes' owner (card, inputs), the bytes, zero padding.
func SealPrivate(key AskKey, nonce Nonce, p Private) []byte {
	return key.seal(usePrivate, nonce, appendPrivate(nil, &p))
}

func appendPrivate(b []byte, p *Private) []byte {
	if p.Purpose == 0 {
		b = append(b, privateVersion, byte(p.PIN))
	} else {
		b = append(b, privatePurposed, byte(p.PIN), p.Purpose)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Card)))
	b = append(b, p.Card...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(p.Inputs)))
	b = append(b, p.Inputs...)
	if rest := len(b) % privateBlock; rest != 0 {
		b = append(b, make([]byte, privateBlock-rest)...)
	}
	return b
}

// OpenPrivate opens what SealPrivate sealed; unknown versions and PIN states, wrong lengths and
// padding that is not zero are refused.
func OpenPrivate(key AskKey, sealed []byte) (Private, error) {
	if len(sealed) > maxPrivate {
		return Private{}, ErrSealed
	}
	clear, err := key.open(usePrivate, sealed)
	if err != nil {
		return Private{}, err
	}
	return parsePrivate(clear)
}

var errPrivate = &Error{Fault: FaultBody, Kind: "private", Detail: "not canonical"}

func parsePrivate(b []byte) (p Private, err error) {
	if len(b) == 0 || len(b)%privateBlock != 0 || b[1] > byte(access.PINBad) {
		return Private{}, errPrivate
	}
	total := len(b)
	p.PIN = access.PINState(b[1])
	switch b[0] {
	case privateVersion:
		b = b[2:]
	case privatePurposed:
		if p.Purpose = b[2]; p.Purpose == 0 || p.Purpose > MaxPurpose {
			return Private{}, errPrivate
		}
		b = b[3:]
	default:
		return Private{}, errPrivate
	}
	var ok bool
	if p.Card, b, ok = cutSized(b, maxSealed); !ok {
		return Private{}, errPrivate
	}
	if p.Inputs, b, ok = cutSized(b, total); !ok || len(b) >= privateBlock {
		return Private{}, errPrivate
	}
	for _, c := range b {
		if c != 0 {
			return Private{}, errPrivate
		}
	}
	return p, nil
}

// cutSized reads a length and as many bytes; nil when the length is 0.
func cutSized(b []byte, limit int) (value, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; n > limit || n > len(b) {
		return nil, nil, false
	}
	if n == 0 {
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}

// PINProof binds a PIN token to one ask: HMAC-SHA256(ask key, "monban/1 pin" ‖ token ‖ id). The server
// computes it for ok and for duress and compares both in constant time; it never sees digits.
func PINProof(key AskKey, token card.PINToken, id AskID) Hash {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(usePIN))
	mac.Write(token[:])
	mac.Write(id[:])
	var out Hash
	mac.Sum(out[:0])
	return out
}

// Equal compares in constant time.
func (h Hash) Equal(o Hash) bool { return hmac.Equal(h[:], o[:]) }
