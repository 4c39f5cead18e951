package wiegand

import (
	"fmt"
	"log/slog"
	"strconv"
	"time"
)

// Limits of a PIN entry.
const (
	MaxPINDigits = 12
	PINTimeout   = 5 * time.Second // since the last key
)

// PIN is the digits of one entry. It prints masked; Take is the only way to the digits and wipes
// them. The zero PIN holds none.
type PIN struct {
	digits [MaxPINDigits]byte
	n      uint8
}

// Len is the number of digits, 0–12.
func (p *PIN) Len() int { return int(p.n) }

// Take passes the digits ('0'–'9') to use, which must not keep the slice, and wipes them. Without
// digits use is not called.
func (p *PIN) Take(use func(digits []byte)) {
	if p.n > 0 {
		use(p.digits[:p.n])
	}
	p.Clear()
}

// Clear wipes the digits.
func (p *PIN) Clear() { *p = PIN{} }

// String never holds a digit nor their number.
func (p PIN) String() string { return "pin" }

// Format prints the masked form for every verb.
func (p PIN) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("pin")) }

// MarshalText is the masked form; there is no way back.
func (p PIN) MarshalText() ([]byte, error) { return []byte("pin"), nil }

// LogValue is the masked form.
func (p PIN) LogValue() slog.Value { return slog.StringValue("pin") }

// number makes the PIN a buffered keypad sent; 1 ≤ v ≤ 65534. Leading zeros were lost on the cable,
// so a PIN that begins with 0 can never be right on such a keypad.
func number(v uint64) PIN {
	var p PIN
	p.n = uint8(len(strconv.AppendUint(p.digits[:0], v, 10)))
	return p
}

// PINStatus says what a key did to an entry.
type PINStatus uint8

// What a key did.
const (
	PINIgnored PINStatus = iota // not a key
	PINDigit                    // one more digit
	PINCleared                  // '*': the entry is empty
	PINEmpty                    // '#' without digits
	PINTooLong                  // '#' after more than 12 digits: no PIN
	PINDone                     // '#': Take has the digits
)

// String is the stable name.
func (s PINStatus) String() string {
	names := [...]string{"ignored", "digit", "cleared", "empty", "too_long", "done"}
	if int(s) < len(names) {
		return names[s]
	}
	return "unknown"
}

// PINEntry collects key presses to a PIN: digits, '*' clears, '#' ends, 5 s without a key forget. It
// prints masked. The zero PINEntry is empty.
type PINEntry struct {
	pin     PIN
	last    int64 // ns
	pending bool  // a key came and the entry has not ended
	long    bool  // more than MaxPINDigits
	done    bool
}

// Press takes a key pressed at the time at (monotonic ns). A key after the timeout begins a new
// entry; so does a key after PINDone whose digits nobody took. Whatever the status, nothing opens:
// the digits only count once they have been compared.
func (e *PINEntry) Press(at int64, k Key) PINStatus {
	if !k.Valid() {
		return PINIgnored
	}
	if e.done {
		e.Clear()
	}
	e.Expire(at)
	switch {
	case k == '*':
		e.Clear()
		return PINCleared
	case k == '#':
		long, empty := e.long, e.pin.n == 0
		e.pending = false
		if long || empty {
			e.Clear()
			if long {
				return PINTooLong
			}
			return PINEmpty
		}
		e.done = true
		return PINDone
	case e.pin.n == MaxPINDigits:
		e.long = true
	default:
		e.pin.digits[e.pin.n] = byte(k)
		e.pin.n++
	}
	e.pending, e.last = true, at
	return PINDigit
}

// Take gives the digits after PINDone to use, as PIN.Take does, and wipes the entry. Before that it
// calls nothing and keeps the entry.
func (e *PINEntry) Take(use func(digits []byte)) {
	if !e.done {
		return
	}
	e.pin.Take(use)
	e.Clear()
}

// Deadline is the time at which the entry is forgotten; ok is false while there is none.
func (e *PINEntry) Deadline() (at int64, ok bool) { return e.last + int64(PINTimeout), e.pending }

// Expire forgets an unfinished entry whose last key is 5 s or more before now and reports whether it
// did.
func (e *PINEntry) Expire(now int64) bool {
	if !e.pending || now-e.last < int64(PINTimeout) {
		return false
	}
	e.Clear()
	return true
}

// Empty reports whether nothing has been keyed in.
func (e *PINEntry) Empty() bool { return e.pin.n == 0 && !e.long && !e.done }

// Clear wipes the entry.
func (e *PINEntry) Clear() { *e = PINEntry{} }

// String never holds a digit nor their number.
func (e PINEntry) String() string { return "pin" }

// Format prints the masked form for every verb.
func (e PINEntry) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("pin")) }

// LogValue is the masked form.
func (e PINEntry) LogValue() slog.Value { return slog.StringValue("pin") }
