package wedge

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"monban/firmware/card"
	"monban/firmware/mono"
	"monban/firmware/wiegand"
)

var codeOf = map[byte]uint16{'1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8, '8': 9, '9': 10, '0': 11, 'a': 30, '\n': keyEnter,
	'q': 71, 'w': 72, 'e': 73, 'r': 75, 't': 76, 'y': 77, 'u': 79, 'i': 80, 'o': 81, 'p': 82, '!': keyPadEnter}

// typed gives what the last Enter of a text brought.
func typed(l *Line, at mono.Time, text string, gap time.Duration) (digits string, why Refusal) {
	for i := range len(text) {
		d, w := l.Press(at, codeOf[text[i]])
		if d != nil || w != "" {
			digits, why = string(d), w
		}
		at = at.Add(gap)
	}
	return digits, why
}

// AD-4: a line of digits is one, by both rows of digits; anything else on it, too many, none, or a person's pace makes it no
// card, and the next line counts.
func TestLine(t *testing.T) {
	var l Line
	for _, row := range []struct {
		text string
		gap  time.Duration
		want string
		why  Refusal
	}{
		{"1234567890\n", 10 * time.Millisecond, "1234567890", ""},
		{"quiop!", 10 * time.Millisecond, "71230", ""},
		{"wertyu!", MaxGap, "894561", ""},
		{"12a4\n", 10 * time.Millisecond, "", RefusedDigits},
		{"\n", 10 * time.Millisecond, "", RefusedDigits},
		{strings.Repeat("1", maxDigits) + "\n", time.Millisecond, strings.Repeat("1", maxDigits), ""},
		{strings.Repeat("1", maxDigits+1) + "\n", time.Millisecond, "", RefusedDigits},
		{"1234\n", MaxGap + 1, "", RefusedTyped},
		{"1\n", time.Millisecond, "1", ""},
	} {
		if got, why := typed(&l, 0, row.text, row.gap); got != row.want || why != row.why {
			t.Errorf("%q: %d digits, %q, want %d, %q", row.text, len(got), why, len(row.want), row.why)
		}
	}
	l.Press(0, codeOf['1'])
	l.Lost()
	if got, why := typed(&l, 1, "2\n", time.Millisecond); why != RefusedLost || got != "" {
		t.Errorf("after lost keys: %q, %q", got, why)
	}
	if got, why := typed(&l, 1, "2\n", time.Millisecond); why != "" || got != "2" {
		t.Errorf("the line after: %q, %q", got, why)
	}
	if !bytes.Equal(l.digits[1:], make([]byte, maxDigits-1)) {
		// What a refused line held is wiped; a good one is the caller's to wipe.
		typed(&l, 0, "a\n", 1)
		if l.digits != [maxDigits]byte{} {
			t.Error("a refused line stays in memory")
		}
	}
}

// AD-4: digits become the frame that the format's own encoder makes; a number of another length, or one that does not fit,
// is none, and no error says it.
func TestFrame(t *testing.T) {
	for _, row := range []struct {
		format card.Format
		digits string
		fc, cn uint64
		ok     bool
	}{
		{"H10301", "12304567", 123, 4567, true},
		{"H10301", "25565535", 255, 65535, true},
		{"H10301", "25600001", 0, 0, false},
		{"H10301", "00165536", 0, 0, false},
		{"H10301", "1234567", 0, 0, false},
		{"H10301", "012304567", 0, 0, false},
		{"H10302", "34359738367", 0, 34359738367, true},
		{"uid32", "0305419896", 0, 0x12345678, true},
		{"uid32", "305419896", 0, 0x12345678, true},
		{"uid32", "4294967296", 0, 0, false},
		{"uid64", "18446744073709551616", 0, 0, false},
	} {
		l, found := wiegand.Lookup(row.format)
		if !found {
			t.Fatal(row.format)
		}
		f, err := Frame(l, []byte(row.digits))
		if !row.ok {
			if !errors.Is(err, ErrDigits) || strings.Contains(err.Error(), row.digits) {
				t.Errorf("%s: %v", row.format, err)
			}
			continue
		}
		want, err2 := wiegand.Encode(l, wiegand.Fields{FC: row.fc, CN: row.cn})
		if err != nil || err2 != nil || f != want {
			t.Errorf("%s: another frame: %v, %v", row.format, err, err2)
		}
	}
}

// Whatever is typed, nothing panics, and a line is digits or a refusal.
func FuzzLine(f *testing.F) {
	f.Add([]byte{2, 3, 4, 28, 30, 28, 2, 28})
	f.Fuzz(func(t *testing.T, keys []byte) {
		var l Line
		layout, _ := wiegand.Lookup("H10301")
		for i, k := range keys {
			if k == 255 {
				l.Lost()
				continue
			}
			d, why := l.Press(mono.Time(i)*mono.Time(time.Millisecond)*mono.Time(1+k%3*100), uint16(k))
			if d != nil && (why != "" || len(d) == 0 || bytes.Trim(d, "0123456789") != nil && len(bytes.Trim(d, "0123456789")) > 0) {
				t.Fatalf("%d bytes, %q", len(d), why)
			}
			if len(d) > 0 {
				_, _ = Frame(layout, d)
			}
		}
	})
}
