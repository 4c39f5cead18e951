// Package nfc reads one contactless card: serial number, FeliCa IDm, FeliCa Lite-S with its MAC, or DESFire and NTAG 424
// DNA with AES. It is pure: a Session says what to send to the card and is told what came back. What carries the bytes
// is gateway/hal/pi.
//
// A read says what the card has proved (AD-4): a number alone is uid_only; a card that knows its key is card_auth; card
// and reader that have proved themselves to each other are mutual_auth. A card that is to prove itself and does not is no
// card: there is no way back to its number. Whatever goes wrong is a Refusal, and the door stays as it is.
package nfc

import (
	"fmt"
	"log/slog"

	"monban/firmware/card"
)

// Key is an AES-128 key, or a two-key 3DES key. It masks itself in every kind of print.
type Key [16]byte

// String hides the key.
func (Key) String() string { return "card key" }

// Format hides the key from every verb.
func (Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("card key")) }

// LogValue hides the key.
func (Key) LogValue() slog.Value { return slog.StringValue("card key") }

// Refusal is why what was held to the reader is no card. Its text is a word of [a-z_].
type Refusal string

// The refusals. None of them says anything of the card.
const (
	RefusedNone    Refusal = ""
	RefusedSerial  Refusal = "serial"        // a random serial number, which is another one the next time
	RefusedPhone   Refusal = "card_emulated" // an IDm that a telephone makes up
	RefusedSystem  Refusal = "card_system"   // a FeliCa card of another system than the site's
	RefusedKind    Refusal = "card_kind"     // a kind of card that this reader does not take
	RefusedKey     Refusal = "card_key"      // it does not know the site's key, or not its own
	RefusedContent Refusal = "card_content"  // it proved itself, and what it holds is no credential
	RefusedTorn    Refusal = "card_torn"     // pulled away, or the air was bad
	RefusedTwo     Refusal = "card_two"      // two cards at once
)

// Error makes a Refusal an error.
func (r Refusal) Error() string { return "nfc: " + string(r) }

// Target is a card in the field: of ISO/IEC 14443 A, or FeliCa.
type Target struct {
	FeliCa bool
	UID    []byte // type A: 4, 7 or 10 bytes
	SAK    byte   // type A: bit 5 = it takes APDUs
	IDm    [8]byte
	System uint16 // FeliCa
}

// Same reports whether two looks saw one presentation. Cards with random numbers are all alike: each look sees another.
func (t Target) Same(u Target) bool {
	if t.FeliCa != u.FeliCa {
		return false
	}
	if t.FeliCa {
		return t.IDm == u.IDm
	}
	return string(t.UID) == string(u.UID) || Random(t.UID) && Random(u.UID)
}

// Random reports whether a serial number is one that a card makes up each time (ISO/IEC 14443-3: four bytes from 08), or
// no whole number.
func Random(uid []byte) bool { return len(uid) == 4 && (uid[0] == 0x08 || uid[0] == 0x88) }

// Emulated reports whether an IDm is one that a telephone or a tag made up: manufacturer codes 01FE and 02FE.
func Emulated(idm [8]byte) bool { return idm[1] == 0xFE && (idm[0] == 1 || idm[0] == 2) }

// Config is what a reader takes. The zero Config takes nothing.
type Config struct {
	UID     bool     // serial numbers of type A
	IDm     bool     // IDm of FeliCa cards of System
	System  uint16   // the FeliCa system that counts, for example 88B4; 0 = none
	LiteS   *LiteS   // FeliCa Lite and Lite-S prove themselves
	DESFire *DESFire // cards of type A that take APDUs prove themselves
}

// FeliCas reports whether FeliCa cards are looked for.
func (c *Config) FeliCas() bool { return c.System != 0 && (c.IDm || c.LiteS != nil) }

// Read is one card that was read.
type Read struct {
	Bits  []byte // packed, the first one the most significant
	Len   int    // bits
	Proof card.Assurance
}

// Format masks the bits for every verb.
func (r Read) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "card(%d bits, %s)", r.Len, r.Proof) }

// step takes a card's answer and gives the next command, or nil with the session's end.
type step func(answer []byte) (command []byte, next step)

// Session is one presentation of one card. It is used by one goroutine.
type Session struct {
	cfg     *Config
	target  Target
	random  func() [16]byte
	next    step
	read    Read
	refused Refusal
}

// NewSession begins with a card. random gives sixteen unpredictable bytes at each call; a repeated value would let an
// old conversation be replayed.
func NewSession(cfg *Config, t Target, random func() [16]byte) *Session {
	s := &Session{cfg: cfg, target: t, random: random, refused: RefusedTorn}
	s.next = s.begin
	return s
}

// Step takes what the card answered, nil at the beginning, and gives what to send: an APDU, or a FeliCa command without
// its length byte. done says that Result is final.
func (s *Session) Step(answer []byte) (command []byte, done bool) {
	if s.next == nil {
		return nil, true
	}
	command, s.next = s.next(answer)
	return command, s.next == nil
}

// Result is the card, or why there is none. Before the end, and after an answer that never came, it is RefusedTorn.
func (s *Session) Result() (Read, Refusal) {
	if s.refused != RefusedNone {
		return Read{}, s.refused
	}
	return s.read, RefusedNone
}

func (s *Session) refuse(why Refusal) ([]byte, step) {
	s.refused = why
	return nil, nil
}

func (s *Session) accept(bits []byte, n int, proof card.Assurance) ([]byte, step) {
	s.read, s.refused = Read{append([]byte(nil), bits...), n, proof}, RefusedNone
	return nil, nil
}

// begin decides by what the reader takes. A card that can prove itself at a reader that wants it proves itself or is refused.
func (s *Session) begin([]byte) ([]byte, step) {
	t, cfg := s.target, s.cfg
	switch {
	case t.FeliCa && cfg.System == 0:
		return s.refuse(RefusedKind)
	case t.FeliCa && t.System != cfg.System:
		return s.refuse(RefusedSystem)
	case t.FeliCa && Emulated(t.IDm):
		return s.refuse(RefusedPhone)
	case t.FeliCa && cfg.LiteS != nil:
		return s.beginLite(0)
	case t.FeliCa && cfg.IDm:
		return s.accept(t.IDm[:], 64, card.UIDOnly)
	case t.FeliCa:
		return s.refuse(RefusedKind)
	case Random(t.UID):
		return s.refuse(RefusedSerial)
	case cfg.DESFire != nil && t.SAK&0x20 != 0:
		return s.beginDESFire(0)
	case cfg.UID && len(t.UID) <= 8:
		return s.accept(t.UID, 8*len(t.UID), card.UIDOnly)
	}
	return s.refuse(RefusedKind)
}
