package board

import (
	"strings"
	"testing"
)

// full uses every kind of part; each row of the table breaks one thing in it.
const full = `name = "Test"
board = "pi"
i2c = true
spi = true
one_wire = true

[[serial]]
name = "bus"
path = "/dev/serial0"
baud = 9600
header = true

[[serial]]
name = "uart"
path = "/dev/serial/by-path/p2"
baud = 115200

[[adc]]
name = "adc"
address = 0x48

[[expander]]
name = "exp"
address = 0x20

[[loop]]
name = "equal"
pull_up = 1000
series = 1000
parallel = 1000

[box.mains]
expander = "exp"
line = "A0"
rest = "low"
pull = "up"

[[door]]
id = "a"
kind = "controlled"
[door.lock]
pin = 23
type = "bistable"
active = "high"
relay = "no"
secure_pin = 24
pulse = "300ms"
max_release = "10s"
[door.contact]
pin = 16
rest = "low"
pull = "up"
[door.request]
pin = 27
rest = "high"
pull = "up"
[[door.reader]]
side = "enter"
type = "wiegand"
d0 = 5
d1 = 6
green = 19
formats = ["H10301", "uid32"]
keypad = "burst4"
[[door.reader]]
side = "exit"
type = "osdp"
serial = "bus"
address = 1
formats = ["H10301"]

[[door]]
id = "b"
kind = "controlled"
[door.lock]
pin = 26
type = "fail-safe"
active = "high"
relay = "nc"
max_release = "10s"
[door.contact]
adc = "adc"
channel = 1
loop = "equal"
[[door.reader]]
side = "enter"
type = "pn532"
spi = "SPI0.0"
system = "88B4"
formats = ["uid32"]
[[door.reader]]
side = "exit"
type = "osdp"
serial = "bus"
address = 2
formats = ["H10301"]

[[door]]
id = "c"
kind = "observe"
[door.contact]
adc = "adc"
channel = 2
[[door.reader]]
side = "enter"
type = "keyboard"
device = "/dev/input/by-path/usb-1"
vendor = "1234:abcd"
formats = ["H10301"]
[[door.reader]]
side = "exit"
type = "pn532"
serial = "uart"
formats = ["uid56"]
`

// DS-11, I9: each wiring that could open a door, hide an open one or cannot work is refused with its place and a way out.
func TestRefusals(t *testing.T) {
	if _, err := Parse("f", []byte(full)); err != nil {
		t.Fatalf("the sound profile is refused: %v", err)
	}
	rows := []struct{ name, old, new, want string }{
		{"no name", `name = "Test"`, ``, "name is missing"},
		{"name of two lines", `name = "Test"`, `name = "a\nb"`, "name is one line"},
		{"unknown board", `board = "pi"`, `board = "pico"`, "board must be one of"},
		{"linux with buses", `board = "pi"`, `board = "linux"`, "no header"},
		{"pin twice", `pin = 27`, `pin = 16`, "door[0].request.pin GPIO 16 is also door[0].contact.pin"},
		{"pin of I²C", `pin = 16`, `pin = 2`, "belongs to I²C"},
		{"pin of SPI", `pin = 16`, `pin = 11`, "belongs to SPI"},
		{"pin of the serial line", `pin = 16`, `pin = 14`, "belongs to the header's serial line"},
		{"pin of 1-wire", `pin = 16`, `pin = 4`, "belongs to 1-wire"},
		{"pin of the EEPROM", `pin = 16`, `pin = 1`, "belongs to the HAT EEPROM"},
		{"pin off the header", `pin = 16`, `pin = 28`, "not on the header"},
		{"negative pin", `pin = 16`, `pin = -3`, "not on the header"},
		{"lock on a pulled-up pin", `pin = 23`, `pin = 7`, "door[0].lock.pin GPIO 7 is pulled up at reset"},
		{"second pulse on a pulled-up pin", `secure_pin = 24`, `secure_pin = 8`, "door[0].lock.secure_pin GPIO 8 is pulled up"},
		{"relay twice", `[[door]]`, "[[output]]\nname = \"lamp\"\npin = 9\n\n[[output]]\nname = \"lamp\"\npin = 10\n\n[[door]]", `output[1].name "lamp" is given twice`},
		{"relay of no kind", `[[door]]`, "[[output]]\nname = \"strike\"\npin = 18\n\n[[door]]", "output[0].name must be one of"},
		{"relay on a pulled-up pin", `[[door]]`, "[[output]]\nname = \"lamp\"\npin = 7\n\n[[door]]", "output[0].pin GPIO 7 is pulled up at reset"},
		{"relay without pin", `[[door]]`, "[[output]]\nname = \"lamp\"\n\n[[door]]", "output[0].pin is missing"},
		{"relay on a lock's pin", `[[door]]`, "[[output]]\nname = \"lamp\"\npin = 23\n\n[[door]]", "GPIO 23 is also"},
		{"lock without pin", "pin = 26\ntype", "type", "door[1].lock.pin is missing"},
		{"lock active low", "pin = 26\ntype = \"fail-safe\"\nactive = \"high\"", "pin = 26\ntype = \"fail-safe\"\nactive = \"low\"", `must be "high"`},
		{"lock without polarity", "type = \"fail-safe\"\nactive = \"high\"", `type = "fail-safe"`, `must be "high"`},
		{"lock without type", "type = \"fail-safe\"\n", "", "door[1].lock.type must be one of"},
		{"fail-safe over NO", `relay = "nc"`, `relay = "no"`, "leaves the door open"},
		{"bistable over NC", "type = \"bistable\"\nactive = \"high\"\nrelay = \"no\"", "type = \"bistable\"\nactive = \"high\"\nrelay = \"nc\"", "leaves the door open"},
		{"no longest release", "pulse = \"300ms\"\nmax_release = \"10s\"", `pulse = "300ms"`, "max_release must lie"},
		{"longest release too long", "relay = \"nc\"\nmax_release = \"10s\"", "relay = \"nc\"\nmax_release = \"61s\"", "max_release must lie"},
		{"release without unit", "relay = \"nc\"\nmax_release = \"10s\"", "relay = \"nc\"\nmax_release = 10", "is no duration"},
		{"bistable without pulse", "pulse = \"300ms\"\n", "", "pulse must lie"},
		{"bistable without way back", "secure_pin = 24\n", "", "needs a pulse to lock"},
		{"pulse on a level lock", `relay = "nc"`, "relay = \"nc\"\npulse = \"1s\"", "bistable lock only"},
		{"secure pin on a level lock", `relay = "nc"`, "relay = \"nc\"\nsecure_pin = 22", "bistable lock only"},
		{"controlled without lock", `kind = "observe"`, `kind = "controlled"`, "door[2].lock is missing"},
		{"observed with lock", "id = \"b\"\nkind = \"controlled\"", "id = \"b\"\nkind = \"observe\"", "no lock line (DS-11)"},
		{"no contact", "[door.contact]\nadc = \"adc\"\nchannel = 1\nloop = \"equal\"\n", "", "door[1].contact is missing"},
		{"no reader outside", "side = \"enter\"\ntype = \"pn532\"", "side = \"exit\"\ntype = \"pn532\"", "nobody could enter"},
		{"side twice", "side = \"exit\"\ntype = \"osdp\"\nserial = \"bus\"\naddress = 1", "side = \"enter\"\ntype = \"osdp\"\nserial = \"bus\"\naddress = 1", "two readers"},
		{"door twice", `id = "b"`, `id = "a"`, `"a" is also door[0]`},
		{"door id", `id = "b"`, `id = "Ｂ"`, "door[1].id must be"},
		{"no kind", "id = \"c\"\nkind = \"observe\"", `id = "c"`, "door[2].kind must be one of"},
		{"reader type", `type = "keyboard"`, `type = "ccid"`, "type must be one of"},
		{"formats of one length", `["H10301", "uid32"]`, `["H10301", "Indala26"]`, "door[0].reader[0].formats"},
		{"unknown format", `["H10301", "uid32"]`, `["H26"]`, "unknown card format"},
		{"no format", "formats = [\"uid56\"]\n", "", "neither a card format"},
		{"unknown keypad", `"burst4"`, `"abc"`, "keypad"},
		{"wiegand without lines", "d0 = 5\n", "", "needs d0 and d1"},
		{"wiegand claims proof", "green = 19\n", "green = 19\nassurance = \"mutual_auth\"\n", "tapped and replayed"},
		{"osdp pins", "address = 1\n", "address = 1\nd0 = 22\n", "d0 is for a wiegand reader"},
		{"osdp without line", "serial = \"bus\"\naddress = 1", "serial = \"none\"\naddress = 1", "no serial line of this profile"},
		{"osdp address twice", "address = 2", "address = 1", "address 1 on bus is also"},
		{"osdp address", "address = 2", "address = 127", "0–126"},
		{"plain osdp claims proof", "address = 2\n", "address = 2\nplain = true\nassurance = \"card_auth\"\n", "must be uid_only"},
		{"pn532 nowhere", "spi = \"SPI0.0\"\n", "", "needs either spi or serial"},
		{"pn532 twice", "spi = \"SPI0.0\"\n", "spi = \"SPI0.0\"\nserial = \"uart\"\n", "needs either spi or serial"},
		{"pn532 chip select", "SPI0.0", "SPI1.0", "SPI0.0 or SPI0.1"},
		{"SPI off", "spi = true\n", "", "SPI is off"},
		{"pn532 on the readers' line", "serial = \"uart\"\n", "serial = \"bus\"\n", "a PN532 has its line for itself"},
		{"system code", `"88B4"`, `"88B"`, "four hex digits"},
		{"pn532 takes what nobody knows", "system = \"88B4\"\n", "system = \"88B4\"\ncards = [\"mifare\"]\n", "cards must be one of"},
		{"pn532 takes a kind twice", "system = \"88B4\"\n", "system = \"88B4\"\ncards = [\"idm\", \"idm\"]\n", "twice"},
		{"pn532 without system", "system = \"88B4\"\n", "cards = [\"lite-s\"]\n", "which FeliCa system counts"},
		{"pn532 with idle system", "system = \"88B4\"\n", "system = \"88B4\"\ncards = [\"uid\"]\n", "neither idm nor lite-s"},
		{"pn532 takes numbers beside proofs", "system = \"88B4\"\n", "system = \"88B4\"\ncards = [\"idm\", \"lite-s\"]\n", "leave one out"},
		{"pn532 claims a proof of numbers", "system = \"88B4\"\n", "system = \"88B4\"\nassurance = \"card_auth\"\n", "numbers prove nothing"},
		{"cards elsewhere", "type = \"keyboard\"\n", "type = \"keyboard\"\ncards = [\"uid\"]\n", "cards is for a pn532"},
		{"keyboard of two formats", "vendor = \"1234:abcd\"\nformats = [\"H10301\"]", "vendor = \"1234:abcd\"\nformats = [\"H10301\", \"uid32\"]", "only one format"},
		{"keyboard anywhere", "/dev/input/by-path/usb-1", "/dev/input/event3", "by-path"},
		{"keyboard without maker", "vendor = \"1234:abcd\"\n", "", "VID:PID"},
		{"keyboard claims proof", "vendor = \"1234:abcd\"\n", "vendor = \"1234:abcd\"\nassurance = \"card_auth\"\n", "proves nothing"},
		{"input nowhere", "adc = \"adc\"\nchannel = 2\n", "normally_open = true\n", "needs one of pin"},
		{"input twice", "channel = 2\n", "channel = 2\npin = 22\n", "needs one of pin"},
		{"channel twice", "channel = 2\n", "channel = 1\n", "channel 1 of adc is also"},
		{"channel", "channel = 2\n", "channel = 5\n", "1–4"},
		{"unknown ADC", "adc = \"adc\"\nchannel = 2", "adc = \"x\"\nchannel = 2", "no ADC of this profile"},
		{"unknown loop", `loop = "equal"`, `loop = "other"`, "no loop of this profile"},
		{"rest on an ADC", "channel = 2\n", "channel = 2\nrest = \"low\"\n", "for plain lines"},
		{"loop on a pin", "pin = 16\n", "pin = 16\nloop = \"equal\"\n", "lines on an ADC"},
		{"no rest", "pin = 16\nrest = \"low\"", "pin = 16", "rest must be one of"},
		{"a cut cable looks closed", "pin = 16\nrest = \"low\"", "pin = 16\nrest = \"high\"", "would look like rest"},
		{"a cut cable looks pressed", "pin = 27\nrest = \"high\"", "pin = 27\nrest = \"low\"", "look like a pressed button"},
		{"unknown pull", "pin = 16\nrest = \"low\"\npull = \"up\"", "pin = 16\nrest = \"low\"\npull = \"sideways\"", "pull must be one of"},
		{"unknown expander", `expander = "exp"`, `expander = "x"`, "no expander of this profile"},
		{"expander line", `line = "A0"`, `line = "C0"`, "not one of A0–A7"},
		{"expander pull-down", "line = \"A0\"\nrest = \"low\"\npull = \"up\"", "line = \"A0\"\nrest = \"high\"\npull = \"down\"", "no pull-down"},
		{"I²C off", "i2c = true\n", "", "I²C, which is off"},
		{"ADC address", "address = 0x48", "address = 0x20", "0x48–0x4B"},
		{"expander address", "address = 0x20", "address = 0x30", "0x20–0x27"},
		{"bands overlap", "parallel = 1000\n", "parallel = 1000\nlow = [0.4, 0.7]\nhigh = [0.6, 0.75]\n", "bands overlap"},
		{"wrong resistor", "parallel = 1000\n", "parallel = 1000\nlow = [0.3, 0.4]\n", "another resistor is fitted"},
		{"no resistor", "series = 1000\n", "", "all above 0"},
		{"part name twice", `name = "exp"`, `name = "adc"`, `"adc" is also adc[0]`},
		{"serial path", "/dev/serial0", "ttyS0", "no device"},
		{"serial path twice", "/dev/serial/by-path/p2", "/dev/serial0", "is also serial[0]"},
		{"baud", "baud = 115200", "baud = 115201", "one of 9600"},
		{"line without reader", "serial = \"uart\"\n", "spi = \"SPI0.1\"\n", "has no reader"},
		{"three secured readers at 9600", "type = \"keyboard\"\ndevice = \"/dev/input/by-path/usb-1\"\nvendor = \"1234:abcd\"", "type = \"osdp\"\nserial = \"bus\"\naddress = 3", "at most 2: a card would wait too long"},
		{"unknown key", "one_wire = true", "two_wire = true", `f:5: unknown key "two_wire"`},
		{"wrong type", `pin = 27`, `pin = "27"`, "f:"},
		{"no doors", full[strings.Index(full, "[[door]]"):], "", "door is missing"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			text := strings.Replace(full, row.old, row.new, 1)
			if text == full {
				t.Fatalf("the row changes nothing")
			}
			_, err := Parse("f", []byte(text))
			if err == nil {
				t.Fatal("is accepted")
			}
			found := false
			for line := range strings.SplitSeq(err.Error(), "\n") {
				found = found || strings.Contains(line, row.want)
				if !strings.HasPrefix(line, "f:") {
					t.Errorf("a line does not begin with the file: %s", line)
				}
			}
			if !found {
				t.Errorf("no line with %q in:\n%v", row.want, err)
			}
		})
	}
}

// Every profile that comes with the program is sound.
func TestEmbedded(t *testing.T) {
	if len(Names()) < 4 {
		t.Fatalf("only %v", Names())
	}
	for _, name := range Names() {
		data, err := Text(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(name, data); err != nil {
			t.Error(err)
		}
	}
	if _, err := Text("../board"); err == nil {
		t.Error("a name that is none is taken")
	}
}

// I9: whatever a file holds, it is refused or it passes every rule again; nothing panics.
func FuzzProfile(f *testing.F) {
	f.Add(full)
	for _, name := range Names() {
		data, _ := Text(name)
		f.Add(string(data))
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("f", []byte(text))
		if err != nil {
			return
		}
		seen := map[int]bool{}
		for _, u := range p.Uses() {
			if u.Pin < 2 || u.Pin > 27 || seen[u.Pin] {
				t.Fatalf("%s takes GPIO %d", u.Key, u.Pin)
			}
			seen[u.Pin] = true
		}
		for _, d := range p.Doors {
			if (d.Kind == Controlled) != (d.Lock != nil) || d.Contact == nil && d.Kind == Controlled {
				t.Fatalf("door %q of kind %q passed", d.ID, d.Kind)
			}
			if d.Lock != nil && (d.Lock.Pin < 9 || d.Lock.Active != High) {
				t.Fatalf("lock %+v passed", *d.Lock)
			}
		}
	})
}
