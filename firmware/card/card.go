// Package card is a credential as a value that cannot leak: it can be compared, referenced and
// tokenised, and whoever prints it gets the masked form.
//
// Clear card bits live only in the reader's goroutine (D3). Everything beyond it works with a Ref
// (the site's keyed reference) or a Token (one gateway's keyed form of the Ref) (D9).
package card

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// MaxBits is the longest credential, in bits.
const MaxBits = 256

// Format is a card format's stable name, for example "H10301" or "uid32". It is part of the identity,
// so that 4-, 7- and 8-byte numbers never collide (AD-4).
type Format string

// ErrInvalid is returned for a credential without format or with a length outside 1–256 bits.
var ErrInvalid = errors.New("invalid credential")

// Credential is one card's identity: format, length and bits. It has no exported field, and every
// way of printing it gives Masked. The zero Credential is no card.
type Credential struct {
	format Format
	bits   [MaxBits / 8]byte
	length uint16
	number uint64 // the printed card number, for masking only
	digits bool   // number is known
}

// New makes a credential. bits holds bitlen bits, the first one on the wire in the most significant
// bit of bits[0]; unused bits of the last byte must be 0.
func New(f Format, bitlen int, bits []byte) (Credential, error) {
	if f == "" || len(f) > 32 || bitlen < 1 || bitlen > MaxBits || len(bits) != (bitlen+7)/8 {
		return Credential{}, ErrInvalid
	}
	if rest := bitlen % 8; rest != 0 && bits[len(bits)-1]&(0xff>>rest) != 0 {
		return Credential{}, ErrInvalid
	}
	c := Credential{format: f, length: uint16(bitlen)}
	copy(c.bits[:], bits)
	return c, nil
}

// WithNumber returns c with the number that is printed on the card, of which Masked shows the end.
func (c Credential) WithNumber(n uint64) Credential {
	c.number, c.digits = n, true
	return c
}

// Valid reports whether c is a card at all.
func (c Credential) Valid() bool { return c.length > 0 }

// FormatName is the card's format; the name Format belongs to fmt.
func (c Credential) FormatName() Format { return c.format }

// BitLen is the length in bits, 0 for no card.
func (c Credential) BitLen() int { return int(c.length) }

// AppendBits appends the clear bits, packed as in New. Only Ref and the sealing of a card at
// enrolment may need them.
func (c Credential) AppendBits(dst []byte) []byte {
	return append(dst, c.bits[:(int(c.length)+7)/8]...)
}

// Masked shows at most the last four decimal digits of the printed number, and only two when the
// number has no more than five: never enough to make a card from.
func (c Credential) Masked() string {
	switch {
	case !c.Valid():
		return "no card"
	case !c.digits:
		return "****"
	case c.number > 99999:
		return fmt.Sprintf("****%04d", c.number%10000)
	default:
		return fmt.Sprintf("****%02d", c.number%100)
	}
}

// Format prints the masked form for every verb, so that %d and %x are as safe as %v.
func (c Credential) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.Masked())) }

// String is the masked form.
func (c Credential) String() string { return c.Masked() }

// GoString is the masked form.
func (c Credential) GoString() string { return c.Masked() }

// MarshalText gives the masked form; there is no way back.
func (c Credential) MarshalText() ([]byte, error) { return []byte(c.Masked()), nil }

// GobEncode refuses: a credential is never stored.
func (c Credential) GobEncode() ([]byte, error) { return nil, ErrInvalid }

// LogValue is the masked form.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.Masked()) }

// Ref is card_ref: the site's keyed reference of a card (D9). It is private: it prints as "[ref]".
type Ref [32]byte

// Token is one gateway's keyed form of a Ref.
type Token [32]byte

// PINRef is the site's keyed reference of a card and PIN together (D10).
type PINRef [32]byte

// PINToken is one gateway's keyed form of a PINRef.
type PINToken [32]byte

// Ref is HMAC-SHA256(key, "card" ‖ len(format) as 1 byte ‖ format ‖ bit length as 2 bytes, big
// endian ‖ bits packed as in New). key is the site card key, 32 bytes.
func (c Credential) Ref(key []byte) Ref {
	mac := hmac.New(sha256.New, key)
	var head [4 + 1 + 32 + 2]byte
	b := append(head[:0], "card"...)
	b = append(b, byte(len(c.format)))
	b = append(b, c.format...)
	b = binary.BigEndian.AppendUint16(b, c.length)
	mac.Write(b)
	mac.Write(c.bits[:(int(c.length)+7)/8])
	var r Ref
	mac.Sum(r[:0])
	return r
}

// derive is HMAC-SHA256(key, label ‖ in).
func derive(key []byte, label string, in []byte) (out [32]byte) {
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, label)
	mac.Write(in)
	mac.Sum(out[:0])
	return out
}

// Token is HMAC-SHA256(gateway key, "token" ‖ card_ref).
func (r Ref) Token(gatewayKey []byte) Token { return derive(gatewayKey, "token", r[:]) }

// PINRefOf is HMAC-SHA256(site PIN key, "pin" ‖ card_ref ‖ digits). digits are ASCII 0–9.
func PINRefOf(siteKey []byte, r Ref, digits string) PINRef {
	return derive(siteKey, "pin", append(r[:], digits...))
}

// Token is HMAC-SHA256(gateway key, "pintoken" ‖ pin_ref).
func (p PINRef) Token(gatewayKey []byte) PINToken { return derive(gatewayKey, "pintoken", p[:]) }

// Equal compares in constant time.
func (r Ref) Equal(o Ref) bool { return hmac.Equal(r[:], o[:]) }

// Equal compares in constant time.
func (t Token) Equal(o Token) bool { return hmac.Equal(t[:], o[:]) }

// Equal compares in constant time.
func (p PINRef) Equal(o PINRef) bool { return hmac.Equal(p[:], o[:]) }

// Equal compares in constant time.
func (p PINToken) Equal(o PINToken) bool { return hmac.Equal(p[:], o[:]) }
