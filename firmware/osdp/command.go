package osdp

// Colour of a reader's light.
type Colour byte

// The colours.
const (
	Black Colour = iota
	Red
	Green
	Amber
	Blue
)

// Tenths is a time in units of 100 ms, as commands carry it; 0 = without end where the command allows it.
type Tenths uint16

// LED sets a reader's light. With Time it is a temporary state, after which the permanent one returns; without, it is
// the permanent one. On and Off are the halves of a blink; Off 0 = steady.
type LED struct {
	Colour  Colour
	On, Off Tenths // 0–255
	Time    Tenths
}

// Buzzer sounds Count times, On and Off being the halves of each; Count 0 = until told otherwise.
type Buzzer struct {
	On, Off Tenths // 0–255
	Count   byte
}

// Command is what a door has to tell its reader. Lights and sounds are best effort: a new one replaces one of its
// kind that has not been sent. There is none for an output: no output of a reader moves a lock (it is on the unsafe side).
type Command struct {
	LED    *LED
	Buzzer *Buzzer
	Text   string // ≤ 32 printable ASCII characters; "" = none
}

func (l LED) data() []byte {
	if l.Time > 0 {
		return []byte{0, 0, 2, byte(l.On), byte(l.Off), byte(l.Colour), byte(Black), byte(l.Time), byte(l.Time >> 8), 0, 0, 0, 0, 0}
	}
	return []byte{0, 0, 1, 0, 0, 0, 0, 0, 0, 1, byte(max(l.On, 1)), byte(l.Off), byte(l.Colour), byte(Black)}
}

func (b Buzzer) data() []byte { return []byte{0, 2, byte(b.On), byte(b.Off), b.Count} }

// text is a temporary text of 2 s in the first row. Characters that a reader may not know are left out.
func text(s string) []byte {
	var clean []byte
	for i := 0; i < len(s) && len(clean) < 32; i++ {
		if s[i] >= ' ' && s[i] < 0x7F {
			clean = append(clean, s[i])
		}
	}
	return append([]byte{0, 3, 2, 1, 1, byte(len(clean))}, clean...)
}
