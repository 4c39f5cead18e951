package board

import (
	"fmt"
	"slices"
	"strings"
)

// Use is one pin of the header that a profile takes.
type Use struct {
	Pin int    // GPIO (BCM) number
	Key string // the key of the file: "door[0].lock.pin"
}

// Uses lists every pin that is wired to something, in the order of the file.
func (p *Profile) Uses() (all []Use) {
	take := func(key string, pin int) {
		if pin != 0 {
			all = append(all, Use{pin, key})
		}
	}
	p.eachInput(func(key string, in *Input) { take(key+".pin", in.Pin) })
	for i, o := range p.Outputs {
		take(fmt.Sprintf("output[%d].pin", i), o.Pin)
	}
	for i := range p.Doors {
		d, key := &p.Doors[i], fmt.Sprintf("door[%d]", i)
		if d.Lock != nil {
			take(key+".lock.pin", d.Lock.Pin)
			take(key+".lock.secure_pin", d.Lock.SecurePin)
		}
		for j := range d.Readers {
			r, rk := &d.Readers[j], fmt.Sprintf("%s.reader[%d]", key, j)
			take(rk+".d0", r.D0)
			take(rk+".d1", r.D1)
			take(rk+".red", r.Red)
			take(rk+".green", r.Green)
			take(rk+".buzzer", r.Buzzer)
		}
	}
	return all
}

// Owned are the pins that a bus of the profile owns, by bus. GPIO 0 and 1 are always the HAT EEPROM's.
func (p *Profile) Owned() map[int]string {
	owned := map[int]string{0: "the HAT EEPROM", 1: "the HAT EEPROM"}
	take := func(on bool, bus string, pins ...int) {
		for _, pin := range pins {
			if on {
				owned[pin] = bus
			}
		}
	}
	take(p.I2C, "I²C (i2c)", 2, 3)
	take(p.OneWire, "1-wire (one_wire)", 4)
	take(p.SPI, "SPI (spi)", 7, 8, 9, 10, 11)
	take(slices.ContainsFunc(p.Serial, func(s Serial) bool { return s.Header }), "the header's serial line", 14, 15)
	return owned
}

func (p *Profile) validatePins(f *faults) {
	seen, owned := map[int]string{}, p.Owned()
	for _, u := range p.Uses() {
		switch bus, taken := owned[u.Pin]; {
		case p.Board == Linux:
			f.add(u.Key, "GPIO %d needs board = \"pi\": another machine has no header", u.Pin)
		case u.Pin < 0 || u.Pin > 27:
			f.add(u.Key, "GPIO %d is not on the header: 2–27", u.Pin)
		case taken:
			f.add(u.Key, "GPIO %d belongs to %s: use another pin or switch the bus off", u.Pin, bus)
		case seen[u.Pin] != "":
			f.add(u.Key, "GPIO %d is also %s: one pin, one use", u.Pin, seen[u.Pin])
		}
		seen[u.Pin] = u.Key
	}
}

func (p *Profile) validateInput(f *faults, key string, in *Input) {
	ways := 0
	for _, way := range []bool{in.Pin != 0, in.Expander != "" || in.Line != "", in.ADC != "" || in.Channel != 0} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		f.add(key, "needs one of pin, expander with line, adc with channel: how it is connected")
		return
	}
	if in.ADC != "" || in.Channel != 0 {
		if !slices.ContainsFunc(p.ADCs, func(a ADC) bool { return a.Name == in.ADC }) {
			f.add(key+".adc", "%q is no ADC of this profile: name one of [[adc]]", in.ADC)
		}
		if in.Channel < 1 || in.Channel > 4 {
			f.add(key+".channel", "is %d: 1–4", in.Channel)
		}
		if _, ok := p.Loop(in.Loop); !ok {
			f.add(key+".loop", "%q is no loop of this profile: name one of [[loop]], or leave it out for the standard one", in.Loop)
		}
		if in.Rest != "" || in.Pull != "none" {
			f.add(key, "sits on an ADC: rest and pull are for plain lines; use loop and normally_open")
		}
		return
	}
	if in.Loop != "" || in.NormallyOpen {
		f.add(key, "is a plain line: loop and normally_open are for lines on an ADC; use rest and pull")
	}
	f.oneOf(key+".rest", in.Rest, Low, High)
	f.oneOf(key+".pull", in.Pull, "none", "up", "down")
	// A cut cable lets the line go to its bias. Where that is the level of rest, a cut door contact looks closed for
	// ever. An exit button is the exception: cut, it must not look pressed.
	button := strings.HasSuffix(key, ".request")
	biased := map[string]string{"up": High, "down": Low}[in.Pull]
	switch {
	case !button && biased != "" && biased == in.Rest:
		f.add(key+".rest", "is %q with pull = %q: a cut cable would look like rest; wire a contact that is closed at rest and turn one of them round", in.Rest, in.Pull)
	case button && biased != "" && biased != in.Rest:
		f.add(key+".rest", "is %q with pull = %q: a cut cable would look like a pressed button; wire a button that is open at rest and turn one of them round", in.Rest, in.Pull)
	}
	if in.Expander != "" || in.Line != "" {
		if !slices.ContainsFunc(p.Expanders, func(x Expander) bool { return x.Name == in.Expander }) {
			f.add(key+".expander", "%q is no expander of this profile: name one of [[expander]]", in.Expander)
		}
		if in.Bit() < 0 {
			f.add(key+".line", "%q is not one of A0–A7, B0–B7", in.Line)
		}
		if in.Pull == "down" {
			f.add(key+".pull", "the expander has no pull-down: use up or none")
		}
	}
}

// Bit is the place of the expander's line, 0 (A0) – 15 (B7); −1 = there is none.
func (in *Input) Bit() int {
	if len(in.Line) != 2 || (in.Line[0] != 'A' && in.Line[0] != 'B') || in.Line[1] < '0' || in.Line[1] > '7' {
		return -1
	}
	return int(in.Line[0]-'A')*8 + int(in.Line[1]-'0')
}

// validateShared checks what may be used once: channels, expander lines, bus addresses, chip selects, devices.
func (p *Profile) validateShared(f *faults) {
	once := map[string]string{}
	take := func(key, what, advice string) {
		if other, twice := once[what]; twice {
			f.add(key, "%s is also %s: %s", what, other, advice)
		}
		once[what] = key
	}
	p.eachInput(func(key string, in *Input) {
		switch {
		case in.ADC != "":
			take(key, fmt.Sprintf("channel %d of %s", in.Channel, in.ADC), "one channel, one line")
		case in.Expander != "":
			take(key, fmt.Sprintf("line %s of %s", in.Line, in.Expander), "one line, one use")
		}
	})
	secured, uses := map[string]int{}, map[string]string{}
	for i := range p.Doors {
		for j := range p.Doors[i].Readers {
			r, key := &p.Doors[i].Readers[j], fmt.Sprintf("door[%d].reader[%d]", i, j)
			if r.Serial != "" {
				if other := uses[r.Serial]; other != "" && (other != r.Type || r.Type == PN532) {
					f.add(key+".serial", "%s already serves a %s reader: a PN532 has its line for itself", r.Serial, other)
				}
				uses[r.Serial] = r.Type
			}
			switch r.Type {
			case OSDP:
				take(key+".address", fmt.Sprintf("address %d on %s", r.Address, r.Serial), "set another address in one of the readers")
				if !r.Plain {
					secured[r.Serial]++
				}
			case PN532:
				if r.SPI != "" {
					take(key+".spi", r.SPI, "one chip select, one reader")
				}
			case Keyboard:
				take(key+".device", r.Device, "one port, one reader")
			}
		}
	}
	for i, s := range p.Serial {
		key := fmt.Sprintf("serial[%d]", i)
		if uses[s.Name] == "" && s.Name != "" {
			f.add(key, "%q has no reader: take it away or name it in a reader", s.Name)
		}
		if s.Baud == 9600 && secured[s.Name] > slowSecured {
			f.add(key+".baud", "is 9600 with %d readers that have a key, at most %d: a card would wait too long; use 38400", secured[s.Name], slowSecured)
		}
	}
}
