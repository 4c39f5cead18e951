// Package config reads a gateway's one TOML file into a checked Config.
//
// It must never guess: an unknown key, a value of the wrong type or out of range is an error that
// names the file, the line or the key. It opens nothing but the file itself and
// the board profile that it names. Secrets are never in
// this file; it only names the directory of the provisioning bundle. Whether a card format exists is
// checked by the reader that uses it.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"monban/hardware/board"
)

// Config is the whole file. Relative paths are relative to the working directory of the process.
type Config struct {
	// Gateway is this gateway's id, the common name of its certificate; [a-z0-9-], 1–32 characters.
	Gateway string `toml:"gateway"`
	// Site is the site's name in topics and key names; [a-z0-9-], 1–32 characters.
	Site string `toml:"site"`
	// Server is tls://host:port of the broker; there is no plaintext form.
	Server string `toml:"server"`
	// EnrolServer is host:port of the server's enrolment port, from which the certificate is renewed;
	// empty means that it ends and a new identity has to be carried.
	EnrolServer string `toml:"enrol_server"`
	// IdentityDir is the provisioning bundle: certificate, keys, keys note.
	IdentityDir string `toml:"identity_dir"`
	// DataDir holds the outbox and the policy cache.
	DataDir string `toml:"data_dir"`
	// AskTimeout is how long the server's answer is waited for; 50 ms – 2 s.
	AskTimeout Duration `toml:"ask_timeout"`
	Outbox     Outbox   `toml:"outbox"`
	Sim        Sim      `toml:"sim"`
	Alarm      Alarm    `toml:"alarm"`
	Log        Log      `toml:"log"`
	Watchdog   Watchdog `toml:"watchdog"`
	Updates    Updates  `toml:"updates"`
	// Board is the board profile that says what is wired: a name that comes with the program, or the path of a
	// .toml file; empty = none, then only --sim runs.
	Board   string         `toml:"board"`
	Profile *board.Profile `toml:"-"` // what Board names
	Doors   []Door         `toml:"door"`
	Desks   []Desk         `toml:"desk"`
}

// Outbox bounds the queue of records (D20).
type Outbox struct {
	// MaxMiB is the cap of the file in MiB; 16–1024.
	MaxMiB int `toml:"max_mib"`
	// ReserveMiB of disk are taken when the file is made, 0–MaxMiB.
	ReserveMiB int `toml:"reserve_mib"`
}

// Sim is used with -sim only.
type Sim struct {
	// Control is the path of a Unix socket that takes script lines; empty means none.
	Control string `toml:"control"`
	// Panel is host:port on loopback of the demo's page; empty means none.
	Panel string `toml:"panel"`
	// Trace is a file to which every lock edge and every card shown is appended; empty means none.
	Trace string `toml:"trace"`
	// Cards is the file of named demo cards; empty means none.
	Cards string `toml:"cards"`
}

// Alarm is the gateway's own bell for the night (AL-6).
type Alarm struct {
	// Outputs are what is fitted: lamp, buzzer, contact; none = there is no bell.
	Outputs []string `toml:"outputs"`
	// Hold is how long lamp and contact stay on after the last event; 10 s – 24 h.
	Hold Duration `toml:"hold"`
	// Buzz is how long the buzzer sounds after it; 1 s – Hold.
	Buzz Duration `toml:"buzz"`
}

// Watchdog resets a machine whose loops stand still.
type Watchdog struct {
	// Device is the hardware watchdog, /dev/watchdog; empty = none. With --sim it is left alone.
	Device string `toml:"device"`
	// Timeout is after how long without a sign of life the machine is reset; 10 s – 1 min, whole seconds.
	Timeout Duration `toml:"timeout"`
}

// Updates says where releases are fetched from, when the server gives this gateway its turn (ADR 0084).
type Updates struct {
	// Server is https://host:port of the server's port of updates; empty means that releases come by hand alone.
	Server string `toml:"server"`
	// Root is the file of the releases' root, which came another way than the releases; read at the first time.
	Root string `toml:"root"`
	// Every is how often it is asked; 1 s – 1 h.
	Every Duration `toml:"every"`
}

// Log sets the journal.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `toml:"level"`
	// Format is json (for the journal) or text (for a terminal).
	Format string `toml:"format"`
}

// Door is one door. Times are checked to the ranges of firmware/door.Config.
type Door struct {
	ID   string `toml:"id"`   // [a-z0-9-], 1–32 characters, unique
	Kind string `toml:"kind"` // controlled or observe (D14)
	Exit string `toml:"exit"` // reader, button, handle or none (DS-10)
	// Place is which door of the board profile this is; empty means the one of the same id.
	Place string `toml:"place"`
	// ReleaseTime is how long one grant releases the lock; 1–60 s.
	ReleaseTime Duration `toml:"release_time"`
	// OpenTime is how long the door may stand open; 5 s – 10 min.
	OpenTime Duration `toml:"open_time"`
	// Debounce ignores shorter changes of the contact; 1–399 ms.
	Debounce Duration `toml:"debounce"`
	// DurableWait is how long a grant waits for its record; 100 ms – 10 s.
	DurableWait Duration `toml:"durable_wait"`
	// PINWait is how long a person has to key in a PIN; 3–60 s.
	PINWait Duration `toml:"pin_wait"`
	Readers []Reader `toml:"reader"`
}

// Desk is a reader on a desk for signing in to the pages with staff card and PIN (RA-3): no door, no lock.
type Desk struct {
	ID string `toml:"id"` // [a-z0-9-], 1–32 characters, no door's; as on the page Desk readers
	// Place is which door of the board profile the reader is wired as: one of kind observe; empty means the one of the same id.
	Place string `toml:"place"`
	// EntryWait is how long the number, and then the PIN, may take; 5–60 s.
	EntryWait Duration `toml:"entry_wait"`
	Type      string   `toml:"type"`    // as of a door's reader
	Formats   []string `toml:"formats"` // as of a door's reader
	Keypad    string   `toml:"keypad"`  // burst4, burst8 or buffered26
}

// Reader is one reader of a door.
type Reader struct {
	Side    string   `toml:"side"`    // enter or exit, each at most once a door
	Type    string   `toml:"type"`    // wiegand; others come from a board profile
	Formats []string `toml:"formats"` // card formats by name, each length once
	Keypad  string   `toml:"keypad"`  // none, burst4, burst8 or buffered26
	// Purposes: # and a digit after a card say what its holder came for (RR-7); burst4 and burst8 only.
	Purposes bool `toml:"purposes"`
}

// Duration is a time written as "400ms", "5s" in the file. It is a struct because the TOML library
// would read a bare number, which has no unit, into any integer type.
type Duration struct{ d time.Duration }

// D makes a Duration.
func D(d time.Duration) Duration { return Duration{d} }

// UnmarshalText reads Go's duration syntax.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as \"400ms\" or \"5s\"", text)
	}
	d.d = v
	return nil
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.d.String()), nil }

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return d.d }

// Equal reports whether both are the same time.
func (d Duration) Equal(e Duration) bool { return d == e }

// Load reads and checks the file at path. Its error is one line per fault, each beginning with the
// file's name (and line, where there is one).
func Load(path string) (Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and checks data; name stands for the file in errors.
func Parse(name string, data []byte) (Config, error) {
	var c Config
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return Config{}, decodeError(name, err)
	}
	c.fill()
	if err := c.fit(); err != nil {
		return Config{}, prefixed(name, err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, prefixed(name, err)
	}
	return c, nil
}

// fill sets the default of everything the file does not say. Ids, paths, the server and a door's kind
// and exit have none: a wrong guess there would put records, or people, into the wrong place.
func (c *Config) fill() {
	// 400 ms: a person at a door feels more than half a second (D8).
	orDuration(&c.AskTimeout, 400*time.Millisecond)
	orDuration(&c.Alarm.Hold, 30*time.Minute) // a guard's round
	orDuration(&c.Alarm.Buzz, 3*time.Minute)
	orDuration(&c.Watchdog.Timeout, 15*time.Second) // the most that a Raspberry Pi's takes
	orDuration(&c.Updates.Every, time.Minute)
	if c.Updates.Root == "" {
		c.Updates.Root = "/etc/monban/release.root"
	}
	if c.Outbox.MaxMiB == 0 {
		c.Outbox.MaxMiB = 1024 // D20; a million records take about 400 MiB
	}
	if c.Log.Level == "" {
		c.Log.Level = "info"
	}
	if c.Log.Format == "" {
		c.Log.Format = "json" // for the journal of a machine nobody watches
	}
	for i := range c.Desks {
		orDuration(&c.Desks[i].EntryWait, 20*time.Second) // look from the page to the keypad and back
	}
	for i := range c.Doors {
		d := &c.Doors[i]
		orDuration(&d.ReleaseTime, 5*time.Second)    // long enough for a push cart
		orDuration(&d.OpenTime, 30*time.Second)      // a person with boxes, not a wedge
		orDuration(&d.Debounce, 50*time.Millisecond) // contacts bounce for 5–20 ms; 400 ms always counts (DS-2)
		orDuration(&d.DurableWait, 2*time.Second)    // D19
		orDuration(&d.PINWait, 10*time.Second)       // D10
		for j := range d.Readers {
			if d.Readers[j].Keypad == "" {
				d.Readers[j].Keypad = "none"
			}
		}
	}
}

func orDuration(d *Duration, def time.Duration) {
	if d.d == 0 {
		d.d = def
	}
}

// Path returns the named file inside the data directory.
func (c *Config) Path(elem ...string) string {
	return filepath.Join(append([]string{c.DataDir}, elem...)...)
}

// decodeError turns the TOML library's errors into FILE:LINE: lines.
func decodeError(name string, err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		all := make([]error, 0, len(strict.Errors))
		for i := range strict.Errors {
			e := &strict.Errors[i]
			line, _ := e.Position()
			all = append(all, fmt.Errorf("%s:%d: unknown key %q", name, line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(all...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		text := strings.TrimPrefix(oneLine(de.Error()), "toml: ")
		if key := strings.Join(de.Key(), "."); key != "" {
			return fmt.Errorf("%s:%d: %s: %s", name, line, key, text)
		}
		return fmt.Errorf("%s:%d: %s", name, line, text)
	}
	return fmt.Errorf("%s: %s", name, strings.TrimPrefix(oneLine(err.Error()), "toml: "))
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// prefixed puts the file's name before each line of err.
func prefixed(name string, err error) error {
	var all []error
	for line := range strings.SplitSeq(err.Error(), "\n") {
		all = append(all, errors.New(name+": "+line))
	}
	return errors.Join(all...)
}
