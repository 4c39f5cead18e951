// Package board holds board profiles: files that say what is wired to a gateway. The same profile configures the
// drivers, is checked (Validate) and is drawn (Draw), so that a wiring sheet cannot differ from what runs.
//
// It is pure: it opens nothing. An unknown key, a value of the wrong type or a wiring that could open a door by
// itself is an error of one line that says where, what and what to do.
package board

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Boards.
const (
	Pi    = "pi"    // a Raspberry Pi with the 40-pin header
	Linux = "linux" // any Linux machine: serial lines and USB readers only
)

// Kinds of a door (D14).
const (
	Controlled = "controlled"
	Observe    = "observe"
)

// Types of a lock.
const (
	FailSecure = "fail-secure" // 通電時解錠型: current opens; a dead gateway leaves it locked
	FailSafe   = "fail-safe"   // 通電時施錠型: current holds; a power cut opens
	Bistable   = "bistable"    // 瞬時通電施解錠型: a pulse opens, another one locks
)

// Types of a reader.
const (
	Wiegand  = "wiegand"
	OSDP     = "osdp"
	PN532    = "pn532"
	Keyboard = "keyboard"
)

// Cards that a PN532 takes.
const (
	CardUID     = "uid"
	CardIDm     = "idm"
	CardLiteS   = "lite-s"
	CardDESFire = "desfire"
)

// Sides of a door.
const (
	Enter = "enter"
	Exit  = "exit"
)

// Levels of a line.
const (
	Low  = "low"
	High = "high"
)

// Profile is one file. Pins are GPIO (BCM) numbers; 0 is "not fitted", for GPIO 0 belongs to the HAT's EEPROM.
type Profile struct {
	Name  string `toml:"name"`
	Board string `toml:"board"` // pi or linux
	// I2C, SPI and OneWire say which buses of the header are switched on; their pins are theirs.
	I2C     bool `toml:"i2c"`
	SPI     bool `toml:"spi"`
	OneWire bool `toml:"one_wire"`

	Serial    []Serial   `toml:"serial"`
	ADCs      []ADC      `toml:"adc"`
	Expanders []Expander `toml:"expander"`
	Loops     []Loop     `toml:"loop"`
	Box       Box        `toml:"box"`
	Outputs   []Output   `toml:"output"`
	Doors     []Door     `toml:"door"`
}

// Outputs that warn people (AL-6).
const (
	Lamp    = "lamp"
	Siren   = "buzzer"
	Contact = "contact" // dry, for the guard company's panel
)

// Output is one relay that warns people. It is off at boot, at reset and with a dead gateway, as a lock's driver is.
type Output struct {
	Name string `toml:"name"` // lamp, buzzer or contact
	Pin  int    `toml:"pin"`
}

// Serial is one serial line.
type Serial struct {
	Name string `toml:"name"`
	// Path should stay the same across restarts: /dev/serial/by-path/… or /dev/serial0.
	Path string `toml:"path"`
	Baud int    `toml:"baud"`
	// Header: the line is that of the header, GPIO 14 and 15.
	Header bool `toml:"header"`
}

// ADC is one ADS1115 on I²C.
type ADC struct {
	Name    string `toml:"name"`
	Address int    `toml:"address"` // 0x48–0x4B
}

// Expander is one MCP23017 on I²C. It adds plain inputs and never a lock: a hung bus must not hold a door open.
type Expander struct {
	Name    string `toml:"name"`
	Address int    `toml:"address"` // 0x20–0x27
}

// Loop is one way to fit end-of-line resistors, in ohms. Bands that are not given follow from the resistors.
type Loop struct {
	Name     string    `toml:"name"`
	PullUp   int       `toml:"pull_up"`  // to the rail
	Series   int       `toml:"series"`   // at the end of the line
	Parallel int       `toml:"parallel"` // across the contact
	Short    float64   `toml:"short"`    // below: short
	Low      []float64 `toml:"low"`      // contact closed, from – to
	High     []float64 `toml:"high"`     // contact open, from – to
	Cut      float64   `toml:"cut"`      // above: cut
}

// Box is what is sensed of the gateway itself.
type Box struct {
	Tamper  *Input `toml:"tamper"`
	Fire    *Input `toml:"fire"`    // the fire panel's relay, for all doors
	Mains   *Input `toml:"mains"`   // active = the mains is gone
	Battery *Input `toml:"battery"` // active = the battery is low
}

// Input is one sensed line: a pin, a line of an expander, or a channel of an ADC.
type Input struct {
	Pin      int    `toml:"pin"`
	Expander string `toml:"expander"`
	Line     string `toml:"line"` // of the expander: A0–A7, B0–B7
	ADC      string `toml:"adc"`
	Channel  int    `toml:"channel"` // of the ADC: 1–4 (its AIN0–AIN3)
	// Rest is the level of a plain line at rest: low or high.
	Rest string `toml:"rest"`
	// Pull is the bias of a plain line: none, up or down.
	Pull string `toml:"pull"`
	// Loop is how an ADC's line is wired; empty is the standard one.
	Loop string `toml:"loop"`
	// NormallyOpen: the contact on an ADC's line is open at rest.
	NormallyOpen bool `toml:"normally_open"`
}

// Door is one door.
type Door struct {
	ID      string   `toml:"id"`
	Kind    string   `toml:"kind"`
	Lock    *Lock    `toml:"lock"`
	Contact *Input   `toml:"contact"`
	Request *Input   `toml:"request"` // exit button or handle
	Tamper  *Input   `toml:"tamper"`
	Fire    *Input   `toml:"fire"`
	Readers []Reader `toml:"reader"`
}

// Lock is one lock output.
type Lock struct {
	Pin    int    `toml:"pin"`
	Type   string `toml:"type"`   // fail-secure, fail-safe or bistable
	Active string `toml:"active"` // high, and nothing else
	Relay  string `toml:"relay"`  // the relay's contact in the lock circuit: no or nc
	// MaxRelease is the longest time for which one release lasts, whatever the software asks; 1–60 s.
	MaxRelease Duration `toml:"max_release"`
	// SecurePin gives a bistable lock its second pulse.
	SecurePin int `toml:"secure_pin"`
	// Pulse is how long a bistable lock's pulses are; 50 ms – 2 s.
	Pulse Duration `toml:"pulse"`
}

// Reader is one reader.
type Reader struct {
	Side string `toml:"side"`
	Type string `toml:"type"`

	D0 int `toml:"d0"` // wiegand
	D1 int `toml:"d1"`
	// PullUp: the level shifter is open-drain.
	PullUp bool `toml:"pull_up"`
	Red    int  `toml:"red"`
	Green  int  `toml:"green"`
	Buzzer int  `toml:"buzzer"`
	// Indicators is the level that lights or sounds: low (open collector) or high.
	Indicators string `toml:"indicators"`

	Serial  string `toml:"serial"`  // osdp, pn532: the line's name
	Address int    `toml:"address"` // osdp: 0–126
	// Plain allows an OSDP reader without a key. Its cards are worth uid_only.
	Plain bool `toml:"plain"`
	// ClearData takes authentic data that is not encrypted, as some OSDP readers send it.
	ClearData bool `toml:"clear_data"`

	SPI string `toml:"spi"` // pn532: SPI0.0 or SPI0.1
	// System is the FeliCa system code that counts, four hex digits; empty = no FeliCa.
	System string `toml:"system"`
	// Cards is what a pn532 takes: uid and idm are numbers that anybody can copy; lite-s and desfire are cards that prove
	// themselves with the gateway's card keys, and are refused when they cannot. Empty = uid, and idm with a System.
	Cards []string `toml:"cards"`

	Device string `toml:"device"` // keyboard: under /dev/input/by-path
	Vendor string `toml:"vendor"` // keyboard: VID:PID in hex

	Formats []string `toml:"formats"`
	Keypad  string   `toml:"keypad"`
	// Assurance is the best that a read may claim: uid_only, card_auth or mutual_auth. It needs a link that is
	// authenticated: a Wiegand cable is always uid_only.
	Assurance string `toml:"assurance"`
}

// Duration is a time written as "10s" in the file; a bare number has no unit and is refused.
type Duration struct{ d time.Duration }

// D makes a Duration.
func D(d time.Duration) Duration { return Duration{d} }

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return d.d }

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.d.String()), nil }

// UnmarshalText reads Go's duration syntax.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as \"300ms\" or \"10s\"", text)
	}
	d.d = v
	return nil
}

// Parse reads and checks a profile; name stands for the file in errors, each of which is one line.
func Parse(name string, data []byte) (*Profile, error) {
	p := new(Profile)
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(p); err != nil {
		return nil, decodeError(name, err)
	}
	p.fill()
	if err := p.Validate(); err != nil {
		var all []error
		for line := range strings.SplitSeq(err.Error(), "\n") {
			all = append(all, errors.New(name+": "+line))
		}
		return nil, errors.Join(all...)
	}
	return p, nil
}

// fill sets what may be left out. A pin, a polarity and a time have no default: a guess there opens doors.
func (p *Profile) fill() {
	for i := range p.Loops {
		p.Loops[i].fill()
	}
	for _, in := range p.inputs() {
		if in.Pull == "" {
			in.Pull = "none"
		}
	}
	for i := range p.Doors {
		for j := range p.Doors[i].Readers {
			r := &p.Doors[i].Readers[j]
			if r.Keypad == "" {
				r.Keypad = "none"
			}
			if r.Indicators == "" {
				r.Indicators = Low
			}
			if r.Assurance == "" {
				r.Assurance = "uid_only"
			}
			if r.Type == PN532 && len(r.Cards) == 0 {
				r.Cards = []string{CardUID}
				if r.System != "" {
					r.Cards = append(r.Cards, CardIDm)
				}
			}
		}
	}
}

// inputs are all sensed lines.
func (p *Profile) inputs() (all []*Input) {
	p.eachInput(func(_ string, in *Input) { all = append(all, in) })
	return all
}

// eachInput calls fn for every fitted input, with its key.
func (p *Profile) eachInput(fn func(key string, in *Input)) {
	one := func(key string, in *Input) {
		if in != nil {
			fn(key, in)
		}
	}
	one("box.tamper", p.Box.Tamper)
	one("box.fire", p.Box.Fire)
	one("box.mains", p.Box.Mains)
	one("box.battery", p.Box.Battery)
	for i := range p.Doors {
		d, key := &p.Doors[i], fmt.Sprintf("door[%d]", i)
		one(key+".contact", d.Contact)
		one(key+".request", d.Request)
		one(key+".tamper", d.Tamper)
		one(key+".fire", d.Fire)
	}
}

// Door finds a door by its id.
func (p *Profile) Door(id string) (*Door, bool) {
	for i := range p.Doors {
		if p.Doors[i].ID == id {
			return &p.Doors[i], true
		}
	}
	return nil, false
}

// Reader finds the reader of a side.
func (d *Door) Reader(side string) (*Reader, bool) {
	for i := range d.Readers {
		if d.Readers[i].Side == side {
			return &d.Readers[i], true
		}
	}
	return nil, false
}

// Takes reports whether a PN532 takes a kind of card.
func (r *Reader) Takes(kind string) bool { return slices.Contains(r.Cards, kind) }

// NeedsGPIO reports whether the profile uses the lines of a GPIO chip.
func (p *Profile) NeedsGPIO() bool {
	for _, in := range p.inputs() {
		if in.Pin != 0 {
			return true
		}
	}
	if len(p.Outputs) > 0 {
		return true
	}
	for i := range p.Doors {
		d := &p.Doors[i]
		if d.Lock != nil {
			return true
		}
		for j := range d.Readers {
			r := &d.Readers[j]
			if r.Type == Wiegand || r.Red != 0 || r.Green != 0 || r.Buzzer != 0 {
				return true
			}
		}
	}
	return false
}

// decodeError turns the TOML library's errors into FILE:LINE: lines.
func decodeError(name string, err error) error {
	oneLine := func(s string) string { return strings.TrimPrefix(strings.Join(strings.Fields(s), " "), "toml: ") }
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var all []error
		for i := range strict.Errors {
			line, _ := strict.Errors[i].Position()
			all = append(all, fmt.Errorf("%s:%d: unknown key %q", name, line, strings.Join(strict.Errors[i].Key(), ".")))
		}
		return errors.Join(all...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		return fmt.Errorf("%s:%d: %s: %s", name, line, strings.Join(de.Key(), "."), oneLine(de.Error()))
	}
	return fmt.Errorf("%s: %s", name, oneLine(err.Error()))
}
