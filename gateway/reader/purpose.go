package reader

import (
	"monban/firmware/mono"
	"monban/firmware/wiegand"
)

// purposeEntry waits for what the holder of a card came for: '#' with no digit before it, then one of 1–9. It may come before a PIN,
// or after it while the card's time lasts. Which purpose it was is no secret of a card or a PIN (ADR 0045); it goes into the private part
// of a record all the same. The zero purposeEntry takes nothing.
type purposeEntry struct {
	read  Read // of the card
	until mono.Time
	begun bool // '#' was pressed and a digit is waited for
}

// press takes a key; taken says that it is no key of a PIN. code is 1–9 when the entry is complete. A PIN that has begun is never cut in
// two: '#' ends it, as ever. After '#', anything but 1–9 gives the entry up, and the key counts for nothing.
func (e *purposeEntry) press(k wiegand.Key, at mono.Time, noPIN bool) (code uint8, taken bool) {
	switch {
	case e.read.Kind == KindNone || at.After(e.until):
		*e = purposeEntry{}
		return 0, false
	case !e.begun:
		e.begun = k == '#' && noPIN
		return 0, e.begun
	}
	e.begun = false
	if k >= '1' && k <= '9' {
		return uint8(k - '0'), true
	}
	return 0, true
}
