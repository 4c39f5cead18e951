package board

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/card"
	"monban/firmware/wiegand"
)

// Limits of a profile.
const (
	maxRelease = 60 * time.Second
	maxDoors   = 64
	// slowSecured is how many readers with a key one line of 9,600 baud serves in time: a secure poll and its answer
	// take 16 ms each way there.
	slowSecured = 2
)

// Validate reports every fault of p, one line each: where, what, and what to do.
func (p *Profile) Validate() error {
	var f faults
	if p.Name == "" {
		f.add("name", "is missing: it is printed on the wiring sheet")
	} else if strings.ContainsAny(p.Name, "\n\r\t") || len(p.Name) > 100 {
		f.add("name", "is one line of at most 100 bytes")
	}
	f.oneOf("board", p.Board, Pi, Linux)
	if p.Board == Linux && (p.I2C || p.SPI || p.OneWire) {
		f.add("board", "is linux, which has no header: take away i2c, spi and one_wire, or set board = \"pi\"")
	}
	if len(p.Doors) == 0 {
		f.add("door", "is missing: a profile wires at least one door")
	}
	if len(p.Doors) > maxDoors {
		f.add("door", "is given %d times, at most %d fit one gateway", len(p.Doors), maxDoors)
	}
	p.validateParts(&f)
	seen := map[string]int{}
	for i := range p.Doors {
		d, key := &p.Doors[i], fmt.Sprintf("door[%d]", i)
		if first, twice := seen[d.ID]; twice && d.ID != "" {
			f.add(key+".id", "%q is also door[%d]: each door has its own id", d.ID, first)
		}
		seen[d.ID] = i
		p.validateDoor(&f, key, d)
	}
	p.validateOutputs(&f)
	p.eachInput(func(key string, in *Input) { p.validateInput(&f, key, in) })
	p.validatePins(&f)
	p.validateShared(&f)
	return errors.Join(f...)
}

// validateParts checks serial lines, chips and loops.
func (p *Profile) validateParts(f *faults) {
	names, paths := map[string]string{}, map[string]string{}
	unique := func(key, name string) {
		f.name(key+".name", name)
		if other, twice := names[name]; twice && name != "" {
			f.add(key+".name", "%q is also %s: each part has its own name", name, other)
		}
		names[name] = key
	}
	for i := range p.Serial {
		s, key := &p.Serial[i], fmt.Sprintf("serial[%d]", i)
		unique(key, s.Name)
		if !strings.HasPrefix(s.Path, "/dev/") || strings.Contains(s.Path, "..") {
			f.add(key+".path", "%q is no device: /dev/serial/by-path/… or /dev/serial0", s.Path)
		} else if other, twice := paths[s.Path]; twice {
			f.add(key+".path", "%s is also %s: one line, one entry", s.Path, other)
		}
		paths[s.Path] = key
		if !slices.Contains([]int{9600, 19200, 38400, 57600, 115200, 230400}, s.Baud) {
			f.add(key+".baud", "is %d: one of 9600, 19200, 38400, 57600, 115200, 230400", s.Baud)
		}
		if s.Header && p.Board != Pi {
			f.add(key+".header", "needs board = \"pi\": another machine has no header")
		}
	}
	addresses := map[int]string{}
	chip := func(key, name string, address, least, most int) {
		unique(key, name)
		if !p.I2C {
			f.add(key, "sits on I²C, which is off: set i2c = true")
		}
		if address < least || address > most {
			f.add(key+".address", "is 0x%02X: its address pins give 0x%02X–0x%02X", address, least, most)
		}
		if other, twice := addresses[address]; twice {
			f.add(key+".address", "0x%02X is also that of %s: change the address pins of one", address, other)
		}
		addresses[address] = key
	}
	for i, a := range p.ADCs {
		chip(fmt.Sprintf("adc[%d]", i), a.Name, a.Address, 0x48, 0x4B)
	}
	for i, x := range p.Expanders {
		chip(fmt.Sprintf("expander[%d]", i), x.Name, x.Address, 0x20, 0x27)
	}
	for i := range p.Loops {
		key := fmt.Sprintf("loop[%d]", i)
		unique(key, p.Loops[i].Name)
		p.Loops[i].validate(f, key)
	}
}

func (p *Profile) validateDoor(f *faults, key string, d *Door) {
	f.name(key+".id", d.ID)
	f.oneOf(key+".kind", d.Kind, Controlled, Observe)
	if d.Contact == nil && d.Kind != Observe {
		f.add(key+".contact", "is missing: without it nobody knows whether the door is open; fit a magnetic contact")
	}
	sides := map[string]bool{}
	for i := range d.Readers {
		r, rk := &d.Readers[i], fmt.Sprintf("%s.reader[%d]", key, i)
		p.validateReader(f, rk, r)
		if sides[r.Side] {
			f.add(rk+".side", "%q has two readers: one a side", r.Side)
		}
		sides[r.Side] = true
	}
	switch d.Kind {
	case Controlled:
		if d.Lock == nil {
			f.add(key+".lock", "is missing: a controlled door has one; without a lock set kind = \"observe\"")
		}
		if !sides[Enter] {
			f.add(key+".reader", "for side \"enter\" is missing: nobody could enter a controlled door")
		}
	case Observe:
		if d.Lock != nil {
			f.add(key+".lock", "is given although kind = \"observe\": an observed door has no lock line (DS-11)")
		}
	}
	if d.Lock != nil {
		p.validateLock(f, key+".lock", d.Lock)
	}
}

// validateOutputs refuses a relay that boot or a floating pin would turn on: an alarm that rings at each power cut is taken off the wall.
func (p *Profile) validateOutputs(f *faults) {
	seen := map[string]bool{}
	for i, o := range p.Outputs {
		key := fmt.Sprintf("output[%d]", i)
		f.oneOf(key+".name", o.Name, Lamp, Siren, Contact)
		if seen[o.Name] {
			f.add(key+".name", "%q is given twice: one relay each", o.Name)
		}
		seen[o.Name] = true
		switch {
		case p.Board != Pi:
			f.add(key, "needs a pin of the header: set board = \"pi\"")
		case o.Pin == 0:
			f.add(key+".pin", "is missing: a GPIO between 9 and 27")
		case o.Pin < 9 || o.Pin > 27:
			f.add(key+".pin", "GPIO %d is pulled up at reset and would energise the relay: use one of 9–27", o.Pin)
		}
	}
}

// validateLock refuses every wiring in which boot, reset, a floating pin or a dead gateway would open the door.
func (p *Profile) validateLock(f *faults, key string, l *Lock) {
	if p.Board != Pi {
		f.add(key, "needs a pin of the header: set board = \"pi\"")
	}
	for name, pin := range map[string]int{".pin": l.Pin, ".secure_pin": l.SecurePin} {
		if pin == 0 && (name == ".pin" || l.Type != Bistable) {
			if name == ".pin" {
				f.add(key+name, "is missing: a GPIO between 9 and 27")
			}
			continue
		}
		if pin == 0 {
			f.add(key+name, "is missing: a bistable lock needs a pulse to lock as well")
		} else if pin < 9 || pin > 27 {
			f.add(key+name, "GPIO %d is pulled up at reset and would energise the relay: use one of 9–27", pin)
		}
	}
	if l.SecurePin != 0 && l.Type != Bistable {
		f.add(key+".secure_pin", "is for a bistable lock only: take it away")
	}
	if l.Active != High {
		f.add(key+".active", "must be \"high\", is %q: boot, reset and a floating pin read low and must mean off; use an active-high driver with a pull-down", l.Active)
	}
	want := map[string]string{FailSecure: "no", FailSafe: "nc", Bistable: "no"}
	f.oneOf(key+".type", l.Type, FailSecure, FailSafe, Bistable)
	if contact, ok := want[l.Type]; ok && l.Relay != contact {
		f.add(key+".relay", "must be %q for a %s lock, is %q: with the other contact a dead gateway leaves the door open", contact, l.Type, l.Relay)
	}
	if d := l.MaxRelease.Std(); d < time.Second || d > maxRelease {
		f.add(key+".max_release", "must lie between 1s and 1m0s, is %v: the lock secures itself after it whatever the software does", d)
	}
	if d := l.Pulse.Std(); l.Type == Bistable && (d < 50*time.Millisecond || d > 2*time.Second) {
		f.add(key+".pulse", "must lie between 50ms and 2s, is %v: see the lock's data sheet", d)
	} else if l.Type != Bistable && d != 0 {
		f.add(key+".pulse", "is for a bistable lock only: take it away")
	}
}

func (p *Profile) validateReader(f *faults, key string, r *Reader) {
	f.oneOf(key+".side", r.Side, Enter, Exit)
	f.oneOf(key+".type", r.Type, Wiegand, OSDP, PN532, Keyboard)
	f.oneOf(key+".indicators", r.Indicators, Low, High)
	f.oneOf(key+".assurance", r.Assurance, "uid_only", "card_auth", "mutual_auth")
	keypad, err := wiegand.ParseKeypad(r.Keypad)
	if err != nil {
		f.add(key+".keypad", "%v", err)
	} else {
		formats := make([]card.Format, 0, len(r.Formats))
		for _, name := range r.Formats {
			formats = append(formats, card.Format(name))
		}
		if _, err := wiegand.NewSet(formats, keypad); err != nil {
			f.add(key+".formats", "%v", err)
		}
	}
	only := func(set bool, name string, types ...string) {
		if set && !slices.Contains(types, r.Type) {
			f.add(key+"."+name, "is for a %s reader, this is a %s reader: take it away", strings.Join(types, " or "), r.Type)
		}
	}
	only(r.D0 != 0, "d0", Wiegand)
	only(r.D1 != 0, "d1", Wiegand)
	only(r.PullUp, "pull_up", Wiegand)
	only(r.Red != 0, "red", Wiegand, PN532, Keyboard)
	only(r.Green != 0, "green", Wiegand, PN532, Keyboard)
	only(r.Buzzer != 0, "buzzer", Wiegand, PN532, Keyboard)
	only(r.Keypad != "none", "keypad", Wiegand)
	only(r.Serial != "", "serial", OSDP, PN532)
	only(r.Address != 0, "address", OSDP)
	only(r.Plain, "plain", OSDP)
	only(r.ClearData, "clear_data", OSDP)
	only(r.SPI != "", "spi", PN532)
	only(r.System != "", "system", PN532)
	only(len(r.Cards) > 0, "cards", PN532)
	only(r.Device != "", "device", Keyboard)
	only(r.Vendor != "", "vendor", Keyboard)
	switch r.Type {
	case Wiegand:
		if r.D0 == 0 || r.D1 == 0 {
			f.add(key, "needs d0 and d1: the pins of its two data lines")
		}
		if r.Assurance != "uid_only" {
			f.add(key+".assurance", "must be uid_only: a Wiegand cable can be tapped and replayed")
		}
	case OSDP:
		if !p.hasSerial(r.Serial) {
			f.add(key+".serial", "%q is no serial line of this profile: name one of [[serial]]", r.Serial)
		}
		if r.Address < 0 || r.Address > 126 {
			f.add(key+".address", "is %d: 0–126", r.Address)
		}
		if (r.Plain || r.ClearData) && r.Assurance != "uid_only" {
			f.add(key+".assurance", "must be uid_only: without encryption the line can be tapped and replayed")
		}
	case PN532:
		switch {
		case (r.SPI == "") == (r.Serial == ""):
			f.add(key, "needs either spi or serial: how it is connected")
		case r.SPI != "" && !slices.Contains([]string{"SPI0.0", "SPI0.1"}, r.SPI):
			f.add(key+".spi", "is %q: SPI0.0 or SPI0.1", r.SPI)
		case r.SPI != "" && !p.SPI:
			f.add(key+".spi", "is %s, but SPI is off: set spi = true", r.SPI)
		case r.Serial != "" && !p.hasSerial(r.Serial):
			f.add(key+".serial", "%q is no serial line of this profile: name one of [[serial]]", r.Serial)
		}
		if r.System != "" && !isHex(r.System, 4) {
			f.add(key+".system", "%q is no FeliCa system code: four hex digits, for example 88B4", r.System)
		}
		p.validateCards(f, key, r)
	case Keyboard:
		if !strings.HasPrefix(r.Device, "/dev/input/by-path/") || strings.Contains(r.Device, "..") {
			f.add(key+".device", "%q must be a path under /dev/input/by-path: another port is another reader", r.Device)
		}
		if len(r.Formats) != 1 {
			f.add(key+".formats", "names %d formats: a keyboard types digits, of which only one format can be meant", len(r.Formats))
		}
		if v, pr, ok := strings.Cut(r.Vendor, ":"); !ok || !isHex(v, 4) || !isHex(pr, 4) {
			f.add(key+".vendor", "%q must be VID:PID, four hex digits each: a keyboard in that port is no reader", r.Vendor)
		}
		if r.Assurance != "uid_only" {
			f.add(key+".assurance", "must be uid_only: what a keyboard types proves nothing")
		}
	}
}

// validateCards checks what a PN532 takes.
func (p *Profile) validateCards(f *faults, key string, r *Reader) {
	seen := map[string]bool{}
	for _, kind := range r.Cards {
		f.oneOf(key+".cards", kind, CardUID, CardIDm, CardLiteS, CardDESFire)
		if seen[kind] {
			f.add(key+".cards", "names %q twice", kind)
		}
		seen[kind] = true
	}
	if (seen[CardIDm] || seen[CardLiteS]) && r.System == "" {
		f.add(key+".system", "is missing: which FeliCa system counts, for example 88B4")
	}
	if r.System != "" && !seen[CardIDm] && !seen[CardLiteS] {
		f.add(key+".cards", "names neither idm nor lite-s although system is given: take one of the two away")
	}
	if seen[CardIDm] && seen[CardLiteS] {
		f.add(key+".cards", "names idm beside lite-s: a card that cannot prove itself would be taken by its number; leave one out")
	}
	if r.Assurance != "uid_only" && !seen[CardLiteS] && !seen[CardDESFire] {
		f.add(key+".assurance", "must be uid_only: numbers prove nothing; add lite-s or desfire to cards")
	}
	if r.Serial != "" {
		for _, s := range p.Serial {
			if s.Name == r.Serial && s.Baud != 115200 {
				f.add(key+".serial", "%s has %d baud: a PN532 speaks 115200", s.Name, s.Baud)
			}
		}
	}
}

func (p *Profile) hasSerial(name string) bool {
	return name != "" && slices.ContainsFunc(p.Serial, func(s Serial) bool { return s.Name == name })
}

func isHex(s string, n int) bool {
	return len(s) == n && strings.Trim(s, "0123456789abcdefABCDEF") == ""
}

// faults collects what is wrong, one line each.
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, errors.New(key+" "+strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; ")))
}

func (f *faults) oneOf(key, s string, words ...string) {
	if !slices.Contains(words, s) {
		f.add(key, "must be one of %s, is %q", strings.Join(words, ", "), s)
	}
}

// name is an identifier of [a-z0-9-], 1–32 characters.
func (f *faults) name(key, s string) {
	if s == "" || len(s) > 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		f.add(key, "must be 1–32 characters of a–z, 0–9 and -, is %q", s)
	}
}
