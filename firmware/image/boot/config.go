// Package boot holds what the image's /init decides without touching the machine: its configuration, DHCP, the time, devices, what the console
// shows. It does no I/O, so it is tested without a Raspberry Pi.
package boot

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Config is /boot/monban/monban.txt, a file that a PC can write on the card. The zero Config has no network.
type Config struct {
	Hostname string
	// Address is the static address with its prefix; invalid = DHCP.
	Address netip.Prefix
	Router  netip.Addr // invalid = none
	DNS     []netip.Addr
	Time    string // host of the time server; "" = none
	// Enrol is what `monban-gateway enrol` needs at the first start.
	Server, Gateway, Code string
	// PairNew: OSDP readers that have no key yet get one at the start.
	PairNew bool
	// Commission is the door that is accepted at the next start, once for each time that the file is written; "" = none.
	Commission string
}

var doorID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`)

var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Parse reads the file: `key = value` lines, # begins a comment. What it does not know is an error: a misspelt line must not be half a network.
func Parse(text string) (Config, error) {
	c := Config{Hostname: "monban-gateway"}
	static, dhcp := false, false
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		bad := func(why string) (Config, error) {
			return Config{}, fmt.Errorf("monban.txt: line %d: %s %s", i+1, key, why)
		}
		if !ok || value == "" {
			return bad("is not a line of the form key = value")
		}
		if seen[key] {
			return bad("stands there twice")
		}
		seen[key] = true
		var err error
		switch key {
		case "hostname":
			if c.Hostname = value; !hostname.MatchString(value) {
				return bad("has a-z, 0-9 and - only")
			}
		case "network":
			if dhcp = value == "dhcp"; !dhcp {
				c.Address, err = netip.ParsePrefix(value)
				if static = true; err != nil || !c.Address.Addr().Is4() {
					return bad("is dhcp, or an address such as 192.0.2.20/24")
				}
			}
		case "router":
			if c.Router, err = netip.ParseAddr(value); err != nil || !c.Router.Is4() {
				return bad("is an address such as 192.0.2.1")
			}
		case "dns":
			for _, s := range strings.Fields(strings.ReplaceAll(value, ",", " ")) {
				a, err := netip.ParseAddr(s)
				if err != nil {
					return bad("is one address or several")
				}
				c.DNS = append(c.DNS, a)
			}
		case "time":
			c.Time = value
		case "enrol_server":
			c.Server = value
		case "gateway":
			c.Gateway = value
		case "code":
			c.Code = value
		case "pair":
			if c.PairNew = value == "new"; !c.PairNew {
				return bad("is new: readers without a key get one")
			}
		case "commission":
			if c.Commission = value; !doorID.MatchString(value) {
				return bad("is the id of a door in gateway.toml")
			}
		default:
			return bad("is no key of this file")
		}
	}
	switch {
	case !static && !dhcp:
		return Config{}, errors.New("monban.txt: network is missing: dhcp, or an address such as 192.0.2.20/24")
	case dhcp && (c.Router.IsValid() || c.DNS != nil):
		return Config{}, errors.New("monban.txt: router and dns come from DHCP; take them out, or give an address")
	case c.Router.IsValid() && !c.Address.Contains(c.Router):
		return Config{}, errors.New("monban.txt: router is not in the network of the address")
	case c.Code != "" && (c.Server == "" || c.Gateway == ""):
		return Config{}, errors.New("monban.txt: code needs enrol_server and gateway")
	}
	return c, nil
}

// Resolv is /etc/resolv.conf.
func Resolv(dns []netip.Addr) string {
	var b strings.Builder
	for _, a := range dns {
		fmt.Fprintf(&b, "nameserver %s\n", a)
	}
	return b.String()
}

// Device reports whether a name in /dev is one that the gateway's user may open: lines, buses, serial readers, keypads, the watchdog. Nothing else is.
func Device(name string) bool {
	for _, prefix := range []string{"gpiochip", "i2c-", "spidev", "ttyUSB", "ttyACM", "ttyAMA", "ttyS", "input/event"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" && strings.Trim(rest, "0123456789.") == "" {
			return true
		}
	}
	return name == "watchdog" || name == "watchdog0"
}
