// Package card holds what a reader read, and the references that stand for it everywhere else.
//
// A card number opens doors: who has it can make a copy of a simple card. So a Credential prints
// masked in every way the standard library prints, and only AppendBits gives the clear bits. Every
// other part of the product works with a Ref or a Token (D9).
//
// Two ways round remain, since fmt calls no method there: %p of a value, which vet refuses, and a
// struct that holds one of these values in an unexported field and is printed whole. Such a struct
// needs a Format method of its own.
package card

import (
	"errors"
	"fmt"
	"log/slog"
)

// Format is the stable name of a card format, such as "H10301" or "uid32". It is part of a
// credential's identity: the same bits in another format are another card. 1–32 characters of
// [A-Za-z0-9._-].
type Format string

// MaxBits is the most bits a credential holds.
const MaxBits = 256

// ErrInvalid is wrapped by every error of New. The errors never hold bits.
var ErrInvalid = errors.New("invalid credential")

// noCard is what the zero Credential prints.
const noCard = "no card"

// Credential is one card as a reader read it: format, bit length and bits, and nothing else, so
// that 4-, 7- and 8-byte serial numbers never collide (AD-4). Two credentials are the same card
// exactly when they are ==. The zero Credential is no card and opens nothing.
type Credential struct {
	format Format
	bits   [MaxBits / 8]byte // first bit = most significant bit of bits[0]; the rest is zero
	n      uint16            // length in bits, 1–256; 0 = no card
	tail   uint16            // what the mask shows
	shown  uint8             // decimal digits of tail in the mask: 2 or 4; 0 = of the whole number
}

// New makes a credential of bitlen bits (1–256). The first bit read is the most significant bit of
// bits[0]; bits has exactly ⌈bitlen/8⌉ bytes and its unused last bits are zero. The mask is
// taken from all bits as one number until WithNumber gives another. Errors wrap ErrInvalid. It does
// not allocate.
func New(f Format, bitlen int, bits []byte) (Credential, error) {
	if !f.Valid() {
		return Credential{}, fmt.Errorf("%w: format name %q", ErrInvalid, string(f))
	}
	if bitlen < 1 || bitlen > MaxBits {
		return Credential{}, fmt.Errorf("%w: %d bits, want 1 to %d", ErrInvalid, bitlen, MaxBits)
	}
	if len(bits) != (bitlen+7)/8 {
		return Credential{}, fmt.Errorf("%w: %d bytes for %d bits", ErrInvalid, len(bits), bitlen)
	}
	if spare := len(bits)*8 - bitlen; bits[len(bits)-1]&(1<<spare-1) != 0 {
		// Two spellings of one card would be two references.
		return Credential{}, fmt.Errorf("%w: bits set after the last of %d", ErrInvalid, bitlen)
	}
	c := Credential{format: f, n: uint16(bitlen)}
	copy(c.bits[:], bits)
	return c, nil
}

// WithNumber returns c with the mask taken from number, the card number that is printed on the card
// and lies among its bits. It changes what is shown, not which card it is: use it in the decoder of
// the format only, so that one card always has one value.
func (c Credential) WithNumber(number uint64) Credential {
	if c.Valid() {
		c.mask(number)
	}
	return c
}

// mask keeps what may be shown of number: four digits of a longer number, two of a short one.
func (c *Credential) mask(number uint64) {
	if number > 9999 {
		c.tail, c.shown = uint16(number%10000), 4
		return
	}
	c.tail, c.shown = uint16(number%100), 2
}

// whole is all bits as one number, modulo 10,000 but above 9,999 when the number is.
func (c *Credential) whole() uint64 {
	n := uint64(0)
	for i := range int(c.n) {
		n = n<<1 | uint64(c.bits[i/8]>>(7-i%8)&1)
		if n >= 20000 {
			n = n%10000 + 10000
		}
	}
	return n
}

// Valid reports whether f is a well-formed format name.
func (f Format) Valid() bool {
	if f == "" || len(f) > 32 {
		return false
	}
	for i := range len(f) {
		switch b := f[i]; {
		case b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z', b >= '0' && b <= '9', b == '.', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

// Valid reports whether c is a card at all.
func (c Credential) Valid() bool { return c.n != 0 }

// FormatName is the format's name, "" for no card. (Format is fmt's own method.)
func (c Credential) FormatName() Format { return c.format }

// BitLen is the length in bits, 0 for no card.
func (c Credential) BitLen() int { return int(c.n) }

// AppendBits appends the clear bits, packed as New takes them. It is the only way out for them. Its
// callers: the reader's sealing in enrolment mode (D9) and Ref. Whoever adds one answers for where
// the bytes go.
func (c Credential) AppendBits(dst []byte) []byte {
	return append(dst, c.bits[:(int(c.n)+7)/8]...)
}

// Masked is how a card is shown: "****4231", the last four digits of the card number, or the last
// two of a number that has no more than four. It never names one card.
func (c Credential) Masked() string {
	if !c.Valid() {
		return noCard
	}
	if c.shown == 0 {
		c.mask(c.whole())
	}
	b := append(make([]byte, 0, 8), "****"...)
	if c.shown == 4 {
		b = append(b, '0'+byte(c.tail/1000), '0'+byte(c.tail/100%10))
	}
	return string(append(b, '0'+byte(c.tail/10%10), '0'+byte(c.tail%10)))
}

// String is the masked form.
func (c Credential) String() string { return c.Masked() }

// GoString is the masked form.
func (c Credential) GoString() string { return c.Masked() }

// Format prints the masked form for every verb: without it %d and %+v would print the fields.
func (c Credential) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(c.Masked())) }

// MarshalText is the masked form; there is no way back.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.Masked()), nil }

// MarshalJSON is the masked form; there is no way back.
func (c Credential) MarshalJSON() ([]byte, error) { return []byte(`"` + c.Masked() + `"`), nil }

// LogValue is the masked form.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.Masked()) }

// GobEncode refuses: a card is never stored as it is.
func (c Credential) GobEncode() ([]byte, error) { return nil, errPrivate }
