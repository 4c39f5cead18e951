package board

import (
	"fmt"
	"strings"
)

// headerPin is the place on the 40-pin header of each GPIO from 2 to 27.
var headerPin = [28]int{2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32, 13: 33, 14: 8, 15: 10, 16: 36,
	17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16, 24: 18, 25: 22, 26: 37, 27: 13}

// Wire is one row of a wiring sheet, from the gateway outwards.
type Wire struct {
	Group string   // the box or a door
	From  string   // where it begins: "GPIO 23 (pin 16)"
	Via   []string // what lies in between
	To    string   // where it ends
}

// Part is one line of the parts list.
type Part struct {
	Count int
	What  string
}

// sheet collects wires and parts.
type sheet struct {
	p     *Profile
	wires []Wire
	parts []Part
}

func (s *sheet) part(n int, what string) {
	for i := range s.parts {
		if s.parts[i].What == what {
			s.parts[i].Count += n
			return
		}
	}
	s.parts = append(s.parts, Part{n, what})
}

func (s *sheet) wire(group, from, to string, via ...string) {
	s.wires = append(s.wires, Wire{group, from, via, to})
}

func gpioName(pin int) string { return fmt.Sprintf("GPIO %d (pin %d)", pin, headerPin[pin]) }

// Sheet lists every wire and every part of a valid profile.
func (p *Profile) Sheet() ([]Wire, []Part) {
	s := &sheet{p: p}
	if p.Board == Pi {
		s.part(1, "Raspberry Pi 3, 4, 5 or Zero 2 W with its own power supply")
	} else {
		s.part(1, "Linux machine")
	}
	s.buses()
	for _, b := range []struct {
		what string
		in   *Input
	}{{"box tamper switch", p.Box.Tamper}, {"fire panel relay (sensed only)", p.Box.Fire}, {"mains-fail relay of the power supply", p.Box.Mains}, {"battery-low relay of the power supply", p.Box.Battery}} {
		s.input("gateway box", b.what, b.in)
	}
	for _, o := range p.Outputs {
		what := map[string]string{Lamp: "lamp", Siren: "sounder", Contact: "guard company's panel (dry contact)"}[o.Name]
		s.wire("gateway box", gpioName(o.Pin), what, "active-high driver, 10 kΩ pull-down", "relay NO–COM")
		s.part(1, "relay module, active-high, for a lamp, sounder or panel")
		s.part(1, "10 kΩ resistor (pull-down)")
		if o.Name != Contact {
			s.part(1, what)
		}
	}
	for i := range p.Doors {
		s.door(&p.Doors[i])
	}
	return s.wires, s.parts
}

func (s *sheet) buses() {
	const group = "buses"
	if len(s.p.ADCs)+len(s.p.Expanders) > 0 || s.p.I2C {
		to := []string{"battery clock DS3231"}
		s.part(1, "battery clock DS3231")
		for _, a := range s.p.ADCs {
			to = append(to, fmt.Sprintf("ADS1115 %q at 0x%02X", a.Name, a.Address))
			s.part(1, "ADS1115 module, supplied from 3.3 V")
		}
		for _, x := range s.p.Expanders {
			to = append(to, fmt.Sprintf("MCP23017 %q at 0x%02X", x.Name, x.Address))
			s.part(1, "MCP23017 module, 3.3 V")
		}
		s.wire(group, gpioName(2)+", "+gpioName(3), strings.Join(to, ", "), "I²C: SDA, SCL")
	}
	for _, l := range s.p.Serial {
		rs485 := "RS-485 adapter with automatic direction"
		from := l.Path
		if l.Header {
			from = gpioName(14) + ", " + gpioName(15)
		}
		if s.serves(l.Name, OSDP) {
			s.part(1, rs485)
			s.part(2, "120 Ω terminating resistor")
			s.wire(group, from, fmt.Sprintf("line %q, %d baud", l.Name, l.Baud), rs485, "SM712 surge protection", "120 Ω at both ends")
			s.part(1, "SM712 surge protection")
		} else {
			s.wire(group, from, fmt.Sprintf("line %q, %d baud", l.Name, l.Baud))
		}
	}
}

func (s *sheet) serves(line, kind string) bool {
	for i := range s.p.Doors {
		for j := range s.p.Doors[i].Readers {
			if r := &s.p.Doors[i].Readers[j]; r.Serial == line && r.Type == kind {
				return true
			}
		}
	}
	return false
}

func (s *sheet) door(d *Door) {
	group := "door " + d.ID
	if d.Lock != nil {
		s.lock(group, d.Lock)
	}
	s.input(group, "door contact, closed with the door shut", d.Contact)
	s.input(group, "exit button or handle", d.Request)
	s.input(group, "tamper switch", d.Tamper)
	s.input(group, "fire panel relay (sensed only)", d.Fire)
	for i := range d.Readers {
		s.reader(group, &d.Readers[i])
	}
}

func (s *sheet) lock(group string, l *Lock) {
	what := map[string]string{FailSecure: "strike, fail-secure (通電時解錠型)", FailSafe: "lock, fail-safe (通電時施錠型)", Bistable: "bistable lock (瞬時通電施解錠型)"}[l.Type]
	contact := "relay NO–COM"
	if l.Relay == "nc" {
		contact = "relay NC–COM"
	}
	driver := "active-high driver, 10 kΩ pull-down"
	supply := "fuse, lock supply, fire relay in series"
	add := func(pin int, does string) {
		s.wire(group, gpioName(pin), what+does, driver, contact, supply)
		s.part(1, "relay module, active-high (ULN2003 or MOSFET driver), contact rated for the lock's inrush")
		s.part(1, "10 kΩ resistor (pull-down)")
		s.part(1, "fuse for the lock circuit")
	}
	if l.Type == Bistable {
		add(l.Pin, ": opening pulse")
		add(l.SecurePin, ": locking pulse")
	} else {
		add(l.Pin, "")
	}
	s.part(1, what)
	s.part(1, "flyback diode or varistor, fitted at the lock")
	s.part(1, "lock power supply apart from the gateway's")
}

func (s *sheet) input(group, what string, in *Input) {
	if in == nil {
		return
	}
	s.part(1, strings.TrimSuffix(what, ", closed with the door shut"))
	const guard = "220 Ω in series, TVS"
	if in.ADC != "" {
		loop, _ := s.p.Loop(in.Loop)
		kind := "opens when active"
		if in.NormallyOpen {
			kind = "closes when active"
		}
		s.wire(group, fmt.Sprintf("%s, AIN%d", in.ADC, in.Channel-1), what+" ("+kind+")", ohms(loop.PullUp)+" to 3.3 V", guard, "at the end: "+ohms(loop.Series)+" in series, "+ohms(loop.Parallel)+" across")
		s.part(1, ohms(loop.PullUp)+" resistor 1 %")
		s.part(1, ohms(loop.Series)+" resistor 1 %")
		s.part(1, ohms(loop.Parallel)+" resistor 1 %")
		return
	}
	from := in.Expander + ", " + in.Line
	if in.Pin != 0 {
		from = gpioName(in.Pin)
	}
	kind := "closed at rest, to ground"
	if (in.Rest == High) == (in.Pull != "down") {
		kind = "open at rest, to ground"
	}
	if in.Pull == "down" {
		kind = strings.Replace(kind, "ground", "3.3 V", 1)
		if in.Rest == High {
			kind = "closed at rest, to 3.3 V"
		}
	}
	s.wire(group, from, what+" ("+kind+")", "pull-"+in.Pull, guard)
	s.part(1, "220 Ω resistor and TVS diode")
}

func (s *sheet) reader(group string, r *Reader) {
	side := map[string]string{Enter: "outside", Exit: "inside"}[r.Side]
	switch r.Type {
	case Wiegand:
		s.part(1, "Wiegand reader ("+strings.Join(r.Formats, ", ")+")")
		s.part(1, "level shifter 5 V to 3.3 V, two channels (74LVC2G17 or optocoupler)")
		s.wire(group, gpioName(r.D0), "reader "+side+": D0 (green)", "level shifter 5 V → 3.3 V")
		s.wire(group, gpioName(r.D1), "reader "+side+": D1 (white)", "level shifter 5 V → 3.3 V")
	case OSDP:
		s.part(1, "OSDP reader with Secure Channel")
		s.wire(group, fmt.Sprintf("line %q, address %d", r.Serial, r.Address), "reader "+side+": A, B, ground", "twisted pair")
	case PN532:
		s.part(1, "PN532 module")
		if r.SPI != "" {
			sel := 24 // CE0
			if r.SPI == "SPI0.1" {
				sel = 26
			}
			s.wire(group, fmt.Sprintf("%s (pins 19, 21, 23, %d)", r.SPI, sel), "reader "+side+": PN532, SPI", "cable of at most 30 cm")
		} else {
			s.wire(group, fmt.Sprintf("line %q", r.Serial), "reader "+side+": PN532, UART")
		}
	case Keyboard:
		s.part(1, "USB keyboard reader "+r.Vendor)
		s.wire(group, r.Device, "reader "+side+": USB")
	}
	via := "open collector, active low"
	if r.Indicators == High {
		via = "transistor, active high"
	}
	for _, x := range []struct {
		pin  int
		what string
	}{{r.Red, "red light"}, {r.Green, "green light"}, {r.Buzzer, "sounder"}} {
		if x.pin != 0 {
			s.wire(group, gpioName(x.pin), "reader "+side+": "+x.what, via)
		}
	}
}
