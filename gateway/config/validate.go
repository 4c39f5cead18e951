package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/hardware/board"
)

// Validate returns every fault of c, joined, each beginning with its key; nil when there is none.
func (c *Config) Validate() error {
	var f faults
	f.name("gateway", c.Gateway)
	f.name("site", c.Site)
	f.server("server", c.Server)
	f.present("identity_dir", c.IdentityDir)
	if c.EnrolServer != "" {
		if host, port, err := net.SplitHostPort(c.EnrolServer); err != nil || host == "" || port == "" || port == "0" {
			f.add("enrol_server", "is not host:port: %q", c.EnrolServer)
		}
	}
	f.present("data_dir", c.DataDir)
	f.between("ask_timeout", c.AskTimeout, 50*time.Millisecond, 2*time.Second)
	f.number("outbox.max_mib", c.Outbox.MaxMiB, 16, 1024)
	f.number("outbox.reserve_mib", c.Outbox.ReserveMiB, 0, max(c.Outbox.MaxMiB, 0))
	f.loopback("sim.panel", c.Sim.Panel)
	for _, o := range c.Alarm.Outputs {
		f.oneOf("alarm.outputs", o, "lamp", "buzzer", "contact")
	}
	f.between("alarm.hold", c.Alarm.Hold, 10*time.Second, 24*time.Hour)
	f.between("alarm.buzz", c.Alarm.Buzz, time.Second, c.Alarm.Hold.Std())
	f.between("watchdog.timeout", c.Watchdog.Timeout, 10*time.Second, time.Minute)
	if c.Watchdog.Timeout.Std()%time.Second != 0 {
		f.add("watchdog.timeout", "must be whole seconds, is %v", c.Watchdog.Timeout.Std())
	}
	if c.Updates.Server != "" {
		rest, ok := strings.CutPrefix(c.Updates.Server, "https://")
		if host, port, err := net.SplitHostPort(rest); !ok || err != nil || host == "" || port == "" || port == "0" || strings.ContainsAny(rest, "/?#@") {
			f.add("updates.server", "is not https://host:port: %q", c.Updates.Server)
		}
	}
	f.between("updates.every", c.Updates.Every, time.Second, time.Hour)
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "json", "text")
	if len(c.Doors)+len(c.Desks) == 0 {
		f.add("door", "is missing: a gateway serves at least one door or desk")
	}
	if len(c.Doors) > 64 {
		f.add("door", "is given %d times, at most 64 doors fit one gateway", len(c.Doors))
	}
	types := []string{board.Wiegand} // the simulator's; with a board profile its rules have been checked
	if c.Profile != nil {
		types = append(types, board.OSDP, board.PN532, board.Keyboard)
	}
	seen := map[string]int{}
	for i, d := range c.Doors {
		key := fmt.Sprintf("door[%d]", i)
		d.validate(&f, key, types)
		if first, ok := seen[d.ID]; ok && d.ID != "" {
			f.add(key+".id", "%q is also door[%d]", d.ID, first)
		} else {
			seen[d.ID] = i
		}
	}
	if len(c.Desks) > 16 {
		f.add("desk", "is given %d times, at most 16 desks fit one gateway", len(c.Desks))
	}
	desks := map[string]int{}
	for i := range c.Desks {
		d, key := &c.Desks[i], fmt.Sprintf("desk[%d]", i)
		d.validate(&f, key, types)
		if first, ok := seen[d.ID]; ok && d.ID != "" {
			f.add(key+".id", "%q is also door[%d]", d.ID, first)
		}
		if first, ok := desks[d.ID]; ok && d.ID != "" {
			f.add(key+".id", "%q is also desk[%d]", d.ID, first)
		}
		desks[d.ID] = i
	}
	return errors.Join(f...)
}

// validate: a desk without a keypad could take neither number nor PIN.
func (d *Desk) validate(f *faults, key string, types []string) {
	f.name(key+".id", d.ID)
	f.between(key+".entry_wait", d.EntryWait, 5*time.Second, time.Minute)
	r := Reader{Side: "enter", Type: d.Type, Formats: d.Formats, Keypad: d.Keypad}
	r.validate(f, key, types)
	if d.Keypad == "none" {
		f.add(key+".keypad", "must be one of burst4, burst8, buffered26: number and PIN are keyed in")
	}
}

func (d *Door) validate(f *faults, key string, types []string) {
	f.name(key+".id", d.ID)
	f.oneOf(key+".kind", d.Kind, "controlled", "observe")
	f.oneOf(key+".exit", d.Exit, "reader", "button", "handle", "none")
	f.between(key+".release_time", d.ReleaseTime, time.Second, time.Minute)
	f.between(key+".open_time", d.OpenTime, 5*time.Second, 10*time.Minute)
	f.between(key+".debounce", d.Debounce, time.Millisecond, 399*time.Millisecond)
	f.between(key+".durable_wait", d.DurableWait, 100*time.Millisecond, 10*time.Second)
	f.between(key+".pin_wait", d.PINWait, 3*time.Second, time.Minute)
	sides := map[string]bool{}
	for i, r := range d.Readers {
		k := fmt.Sprintf("%s.reader[%d]", key, i)
		r.validate(f, k, types)
		if sides[r.Side] {
			f.add(k+".side", "%q has two readers", r.Side)
		}
		sides[r.Side] = true
	}
	if d.Kind == "controlled" && !sides["enter"] {
		f.add(key+".reader", "for side \"enter\" is missing: nobody could enter a controlled door")
	}
	if d.Exit == "reader" && !sides["exit"] {
		f.add(key+".reader", "for side \"exit\" is missing although exit = \"reader\"")
	}
	if d.Exit != "reader" && sides["exit"] {
		f.add(key+".exit", "must be \"reader\": the door has a reader on side \"exit\"")
	}
}

func (r *Reader) validate(f *faults, key string, types []string) {
	f.oneOf(key+".side", r.Side, "enter", "exit")
	f.oneOf(key+".type", r.Type, types...)
	f.oneOf(key+".keypad", r.Keypad, "none", "burst4", "burst8", "buffered26")
	if r.Purposes && r.Keypad != "burst4" && r.Keypad != "burst8" {
		f.add(key+".purposes", "needs a keypad that sends each key: burst4 or burst8")
	}
	if len(r.Formats) == 0 {
		f.add(key+".formats", "is missing: a format is never guessed")
	}
	for i, name := range r.Formats {
		if name == "" || len(name) > 32 {
			f.add(key+".formats", "holds a name that is empty or longer than 32 characters")
		} else if slices.Contains(r.Formats[:i], name) {
			f.add(key+".formats", "holds %q twice", name)
		}
	}
}

// faults collects what is wrong, one line each.
type faults []error

func (f *faults) add(key, format string, args ...any) {
	*f = append(*f, errors.New(key+" "+fmt.Sprintf(format, args...)))
}

func (f *faults) present(key, s string) {
	if s == "" {
		f.add(key, "is missing")
	}
}

// name is an identifier of [a-z0-9-], 1–32 characters.
func (f *faults) name(key, s string) {
	switch {
	case s == "":
		f.add(key, "is missing")
	case len(s) > 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		f.add(key, "must be 1–32 characters of a–z, 0–9 and -, is %q", s)
	}
}

func (f *faults) oneOf(key, s string, words ...string) {
	switch {
	case s == "":
		f.add(key, "is missing: one of %s", strings.Join(words, ", "))
	case !slices.Contains(words, s):
		f.add(key, "must be one of %s, is %q", strings.Join(words, ", "), s)
	}
}

func (f *faults) between(key string, d Duration, low, high time.Duration) {
	if d.d < low || d.d > high {
		f.add(key, "must lie between %v and %v, is %v", low, high, d.d)
	}
}

func (f *faults) number(key string, n, low, high int) {
	if n < low || n > high {
		f.add(key, "must lie between %d and %d, is %d", low, high, n)
	}
}

// server is tls://host:port and nothing more.
func (f *faults) server(key, s string) {
	if s == "" {
		f.add(key, "is missing: tls://HOST:PORT of the server")
		return
	}
	rest, ok := strings.CutPrefix(s, "tls://")
	if !ok {
		f.add(key, "must begin with tls://, is %q", s)
		return
	}
	if strings.ContainsAny(rest, "/?#@") {
		f.add(key, "holds more than host and port: %q", s)
		return
	}
	f.address(key, rest)
}

func (f *faults) address(key, s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		f.add(key, "must be HOST:PORT, is %q", s)
		return false
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && key == "server" {
		f.add(key, "has no port between 1 and 65535: %q", s)
		return false
	}
	return true
}

// loopback accepts an empty string or an address that only this machine reaches.
func (f *faults) loopback(key, s string) {
	if s == "" || !f.address(key, s) {
		return
	}
	host, _, _ := net.SplitHostPort(s)
	if host == "localhost" {
		return
	}
	if a, err := netip.ParseAddr(host); err != nil || !a.IsLoopback() {
		f.add(key, "must be a loopback address such as 127.0.0.1:9190, is %q", s)
	}
}
