package card

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
)

// KeySize is the least length in bytes of a site card key, site PIN key or gateway key.
const KeySize = 32

// The references. Each is a SHA-256 HMAC and says nothing without its key; with the key all numbers
// of a short format can be tried. So they are private: they print as their kind only and neither
// gob nor JSON holds their bytes. Store them as bytes (r[:]), compare them with Equal. The zero
// value means "none" and equals nothing, not even itself.
type (
	// Ref (card_ref) is a card at the whole site.
	Ref [sha256.Size]byte
	// Token is a card in one gateway's snapshot.
	Token [sha256.Size]byte
	// PINRef (pin_ref) is a PIN together with its card at the whole site.
	PINRef [sha256.Size]byte
	// PINToken is a PIN with its card in one gateway's snapshot.
	PINToken [sha256.Size]byte
)

var errPrivate = errors.New("card: private value is not encoded")

// Ref is the card's reference under the site card key:
//
//	HMAC-SHA256(key, 00 04 "card" ‖ u16(len format) ‖ format ‖ u16(bitlen) ‖ bits)
//
// with big-endian u16 and bits packed as AppendBits gives them, so that no two credentials have one
// message. No card, or a key shorter than KeySize, gives the zero Ref, which is known nowhere: the
// door stays locked.
func (c Credential) Ref(key []byte) Ref {
	if !c.Valid() || len(key) < KeySize {
		return Ref{}
	}
	m := message("card")
	m = binary.BigEndian.AppendUint16(m, uint16(len(c.format)))
	m = append(m, c.format...)
	m = binary.BigEndian.AppendUint16(m, c.n)
	return sum(key, c.AppendBits(m))
}

// Token is the card as the snapshot of the gateway with this key names it:
// HMAC-SHA256(gatewayKey, 00 05 "token" ‖ r). Zero for a zero Ref or a short key.
func (r Ref) Token(gatewayKey []byte) Token {
	if r == (Ref{}) || len(gatewayKey) < KeySize {
		return Token{}
	}
	return sum(gatewayKey, append(message("token"), r[:]...))
}

// PINRefOf binds a PIN to its card under the site PIN key (D10):
// HMAC-SHA256(siteKey, 00 03 "pin" ‖ r ‖ u16(len digits) ‖ digits). Zero for a zero Ref, a short
// key, no digits or more than 64. The copy of the digits made here is wiped.
func PINRefOf[D string | []byte](siteKey []byte, r Ref, digits D) PINRef {
	if r == (Ref{}) || len(siteKey) < KeySize || len(digits) == 0 || len(digits) > 64 {
		return PINRef{}
	}
	m := append(message("pin"), r[:]...)
	m = binary.BigEndian.AppendUint16(m, uint16(len(digits)))
	m = append(m, digits...)
	return sum(siteKey, m)
}

// Token is the PIN as the snapshot of the gateway with this key holds it:
// HMAC-SHA256(gatewayKey, 00 09 "pin-token" ‖ p). Zero for a zero PINRef or a short key.
func (p PINRef) Token(gatewayKey []byte) PINToken {
	if p == (PINRef{}) || len(gatewayKey) < KeySize {
		return PINToken{}
	}
	return sum(gatewayKey, append(message("pin-token"), p[:]...))
}

// message starts a message with its length-prefixed purpose, so that a value made for one use never
// counts for another. 160 bytes hold every message of usual length made here without a second copy.
func message(purpose string) []byte {
	m := binary.BigEndian.AppendUint16(make([]byte, 0, 160), uint16(len(purpose)))
	return append(m, purpose...)
}

// sum wipes the message: it holds card bits or PIN digits.
func sum(key, message []byte) (out [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	h.Sum(out[:0])
	clear(message)
	return out
}

// equal compares in constant time; nothing equals a zero value.
func equal(a, b [sha256.Size]byte) bool {
	var zero [sha256.Size]byte
	same := subtle.ConstantTimeCompare(a[:], b[:])
	none := subtle.ConstantTimeCompare(a[:], zero[:])
	return same&(1-none) == 1
}

// Equal compares in constant time; a zero Ref equals nothing.
func (r Ref) Equal(other Ref) bool { return equal(r, other) }

// Equal compares in constant time; a zero Token equals nothing.
func (t Token) Equal(other Token) bool { return equal(t, other) }

// Equal compares in constant time; a zero PINRef equals nothing.
func (p PINRef) Equal(other PINRef) bool { return equal(p, other) }

// Equal compares in constant time; a zero PINToken equals nothing.
func (p PINToken) Equal(other PINToken) bool { return equal(p, other) }

// IsZero reports whether r stands for no card.
func (r Ref) IsZero() bool { return r == Ref{} }

// IsZero reports whether t stands for no card.
func (t Token) IsZero() bool { return t == Token{} }

// IsZero reports whether p stands for no PIN.
func (p PINRef) IsZero() bool { return p == PINRef{} }

// IsZero reports whether p stands for no PIN.
func (p PINToken) IsZero() bool { return p == PINToken{} }

// What the references print as, with every verb and in every text encoding.
const (
	refText      = "[ref]"
	tokenText    = "[token]"
	pinRefText   = "[pin_ref]"
	pinTokenText = "[pin_token]"
)

// String, Format, MarshalText, MarshalJSON, LogValue and GobEncode keep a Ref private.
func (r Ref) String() string               { return refText }
func (r Ref) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(refText)) }
func (r Ref) MarshalText() ([]byte, error) { return []byte(refText), nil }
func (r Ref) MarshalJSON() ([]byte, error) { return []byte(`"` + refText + `"`), nil }
func (r Ref) LogValue() slog.Value         { return slog.StringValue(refText) }
func (r Ref) GobEncode() ([]byte, error)   { return nil, errPrivate }

// String, Format, MarshalText, MarshalJSON, LogValue and GobEncode keep a Token private.
func (t Token) String() string               { return tokenText }
func (t Token) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(tokenText)) }
func (t Token) MarshalText() ([]byte, error) { return []byte(tokenText), nil }
func (t Token) MarshalJSON() ([]byte, error) { return []byte(`"` + tokenText + `"`), nil }
func (t Token) LogValue() slog.Value         { return slog.StringValue(tokenText) }
func (t Token) GobEncode() ([]byte, error)   { return nil, errPrivate }

// String, Format, MarshalText, MarshalJSON, LogValue and GobEncode keep a PINRef private.
func (p PINRef) String() string               { return pinRefText }
func (p PINRef) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(pinRefText)) }
func (p PINRef) MarshalText() ([]byte, error) { return []byte(pinRefText), nil }
func (p PINRef) MarshalJSON() ([]byte, error) { return []byte(`"` + pinRefText + `"`), nil }
func (p PINRef) LogValue() slog.Value         { return slog.StringValue(pinRefText) }
func (p PINRef) GobEncode() ([]byte, error)   { return nil, errPrivate }

// String, Format, MarshalText, MarshalJSON, LogValue and GobEncode keep a PINToken private.
func (p PINToken) String() string               { return pinTokenText }
func (p PINToken) Format(s fmt.State, _ rune)   { _, _ = s.Write([]byte(pinTokenText)) }
func (p PINToken) MarshalText() ([]byte, error) { return []byte(pinTokenText), nil }
func (p PINToken) MarshalJSON() ([]byte, error) { return []byte(`"` + pinTokenText + `"`), nil }
func (p PINToken) LogValue() slog.Value         { return slog.StringValue(pinTokenText) }
func (p PINToken) GobEncode() ([]byte, error)   { return nil, errPrivate }
