// Package wedge reads what a card reader types that pretends to be a keyboard: digits and Enter. It is pure: key codes
// of the kernel and their times are arguments.
//
// What a keyboard types proves nothing and can be typed by anybody who gets at its plug: uid_only. A line that is not
// exactly a card of the reader's one format is no card, and so is one that is typed as slowly as a person types.
package wedge

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"monban/firmware/mono"
	"monban/firmware/wiegand"
)

// MaxGap is the longest time between two keys of one card. Readers take some 10 ms; hands on a keyboard rarely manage this
// for a whole number.
const MaxGap = 150 * time.Millisecond

// maxDigits is more than any format types.
const maxDigits = 24

// Refusal is why a line was no card; its text is a word of [a-z_] that says nothing of what was typed.
type Refusal string

// The refusals.
const (
	RefusedDigits Refusal = "card_digits" // no digits, too many, or another key among them
	RefusedTyped  Refusal = "card_typed"  // as slow as a person
	RefusedLost   Refusal = "card_torn"   // the kernel dropped keys
)

// Line collects one line. The zero Line is empty.
type Line struct {
	digits [maxDigits]byte
	n      int
	last   mono.Time
	bad    Refusal
}

// Enter and the digits, by the kernel's codes (linux/input-event-codes.h): the row above the letters and the number pad.
const (
	keyEnter    = 28
	keyPadEnter = 96
)

var digitOf = map[uint16]byte{2: '1', 3: '2', 4: '3', 5: '4', 6: '5', 7: '6', 8: '7', 9: '8', 10: '9', 11: '0',
	71: '7', 72: '8', 73: '9', 75: '4', 76: '5', 77: '6', 79: '1', 80: '2', 81: '3', 82: '0'}

// Press takes a key that went down. With Enter the line ends: digits are it, valid until the next call, or why says what
// is wrong with it. Before that both are empty.
func (l *Line) Press(at mono.Time, code uint16) (digits []byte, why Refusal) {
	if l.n > 0 && at.Sub(l.last) > MaxGap && l.bad == "" {
		l.bad = RefusedTyped
	}
	l.last = at
	if code == keyEnter || code == keyPadEnter {
		digits, why = l.digits[:l.n], l.bad
		if why == "" && l.n == 0 {
			why = RefusedDigits
		}
		if why != "" {
			clear(l.digits[:])
			digits = nil
		}
		l.n, l.bad = 0, ""
		return digits, why
	}
	d, ok := digitOf[code]
	switch {
	case l.bad != "":
	case !ok || l.n == maxDigits:
		l.bad = RefusedDigits
	default:
		l.digits[l.n] = d
	}
	l.n = min(l.n+1, maxDigits)
	return nil, ""
}

// Lost says that the kernel dropped events: what is on the line is no card.
func (l *Line) Lost() { l.bad, l.n = RefusedLost, max(l.n, 1) }

// ErrDigits says that a line is no card of the format. It never holds the line.
var ErrDigits = errors.New("wedge: not a number of this format")

// Frame spells digits in a format: for one with a facility code exactly as many digits as its largest facility code has
// and then as many as its largest card number has, for example 3 and 5 for H10301; for any other the number, with or
// without leading zeros. The frame has the parity that the format wants.
func Frame(l wiegand.Layout, digits []byte) (wiegand.Frame, error) {
	number, facility := digits, []byte("0")
	if l.HasFacility() {
		f, n := len(strconv.FormatUint(l.MaxFacility(), 10)), len(strconv.FormatUint(l.MaxNumber(), 10))
		if len(digits) != f+n {
			return wiegand.Frame{}, ErrDigits
		}
		facility, number = digits[:f], digits[f:]
	}
	fc, err1 := strconv.ParseUint(string(facility), 10, 64)
	cn, err2 := strconv.ParseUint(string(number), 10, 64)
	if err1 != nil || err2 != nil { // their texts hold the digits
		return wiegand.Frame{}, ErrDigits
	}
	out, err := wiegand.Encode(l, wiegand.Fields{FC: fc, CN: cn})
	if err != nil {
		return wiegand.Frame{}, fmt.Errorf("%w: %w", ErrDigits, err)
	}
	return out, nil
}
