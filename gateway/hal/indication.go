package hal

// Indication is what a reader's light and sounder are to do. It is made of what readers can do, not
// of what it means: the controller turns a door.Indication into one of these, so that drivers need
// not know the door. The zero Indication is a dark, silent reader.
type Indication struct {
	Light Colour // the steady or first colour
	Other Colour // the colour in turn with Light when Blink is BlinkTurn; else unused
	Blink Blink  // how the light moves
	Tone  Tone   // sounded once, but for ToneIntermittent
}

// Colour of a reader's light.
type Colour uint8

// Colours.
const (
	Dark Colour = iota
	Red
	Green
	Amber
)

// Blink says how a light moves.
type Blink uint8

// Blink patterns. A reader that cannot do one shows the nearest it can, never another colour.
const (
	BlinkSteady Blink = iota
	BlinkSlow         // 1 Hz
	BlinkDouble       // two flashes each second
	BlinkTurn         // Light and Other in turn, 1 Hz
)

// Tone of a reader's sounder.
type Tone uint8

// Tones.
const (
	ToneSilent Tone = iota
	ToneClick
	ToneShort        // one short
	ToneLong         // one long
	ToneTwoShort     //
	ToneThreeShort   //
	ToneIntermittent // until the next Indicate
)

// String gives the colour's stable name.
func (c Colour) String() string {
	switch c {
	case Red:
		return "red"
	case Green:
		return "green"
	case Amber:
		return "amber"
	default:
		return "dark"
	}
}

// String gives the pattern's stable name.
func (b Blink) String() string {
	switch b {
	case BlinkSlow:
		return "blinking"
	case BlinkDouble:
		return "double"
	case BlinkTurn:
		return "turn"
	default:
		return "steady"
	}
}

// String gives the tone's stable name.
func (t Tone) String() string {
	switch t {
	case ToneClick:
		return "click"
	case ToneShort:
		return "short"
	case ToneLong:
		return "long"
	case ToneTwoShort:
		return "two_short"
	case ToneThreeShort:
		return "three_short"
	case ToneIntermittent:
		return "intermittent"
	default:
		return "silent"
	}
}
