package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a server image without a zone database must still know its own zone
)

// Validate returns every fault of c, joined, each beginning with its key; nil when there is none.
func (c *Config) Validate() error {
	var f faults
	f.name("site", c.Site)
	f.zone("time_zone", c.TimeZone)
	if c.DataDir == "" {
		f.add("data_dir", "is missing")
	}
	for _, path := range c.KeyCopies {
		if path == "" || filepath.Clean(path) == c.Path("keystore.json") {
			f.add("key_copies", "%q is no file beside the key store: name one on another disk", path)
		}
	}
	if len(c.KeyCopies) > 4 {
		f.add("key_copies", "holds %d files, at most 4 are allowed", len(c.KeyCopies))
	}
	c.MQTT.validate(&f)
	c.HTTP.validate(&f)
	c.CA.validate(&f)
	c.Signer.validate(&f, c.DataDir)
	if c.Enrol.Listen != "" {
		f.address("enrol.listen", c.Enrol.Listen)
	}
	f.between("ask.timeout", c.Ask.Timeout, 50*time.Millisecond, 2*time.Second)
	f.number("ask.workers", c.Ask.Workers, 0, 256)
	f.number("login.tries", c.Login.Tries, 3, 20)
	f.between("login.window", c.Login.Window, time.Minute, 24*time.Hour)
	f.between("login.lockout", c.Login.Lockout, time.Minute, 24*time.Hour)
	f.oneOf("login.desk_assurance", c.Login.DeskAssurance, "uid_only", "card_auth", "mutual_auth")
	for _, r := range c.Login.SecondFactorRoles {
		f.oneOf("login.second_factor_roles", r, roles...)
	}
	c.OIDC.validate(&f, c.HTTP)
	c.LDAP.validate(&f)
	c.Alerts.validate(&f)
	c.Backup.validate(&f)
	c.Updates.validate(&f)
	c.Report.validate(&f)
	c.validateWitnesses(&f)
	c.Timestamp.validate(&f)
	f.between("muster.every", c.Muster.Every, 10*time.Second, time.Hour)
	f.between("muster.keep", c.Muster.Keep, time.Minute, 24*time.Hour)
	if c.Muster.Keep.Std() < c.Muster.Every.Std() {
		f.add("muster.keep", "is shorter than muster.every")
	}
	c.validateReview(&f)
	c.Rights.validate(&f)
	f.between("session.step_up", c.Session.StepUp, time.Minute, 4*time.Hour)
	if c.Session.StepUp.Std() > c.Session.Absolute.Std() {
		f.add("session.step_up", "is longer than session.absolute")
	}
	f.between("session.idle", c.Session.Idle, time.Minute, 12*time.Hour)
	f.between("session.absolute", c.Session.Absolute, 10*time.Minute, 24*time.Hour)
	if c.Session.Absolute.Std() < c.Session.Idle.Std() {
		f.add("session.absolute", "is shorter than session.idle")
	}
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "json", "text")
	if c.Metrics.Listen != "" && f.address("metrics.listen", c.Metrics.Listen) && !loopback(c.Metrics.Listen) {
		f.add("metrics.listen", "must be a loopback address such as 127.0.0.1:9090, is %q", c.Metrics.Listen)
	}
	return errors.Join(f...)
}

func (m *MQTT) validate(f *faults) {
	switch {
	case m.Listen != "" && m.BrokerURL != "":
		f.add("mqtt.broker_url", "excludes mqtt.listen: the broker is either embedded or external")
	case m.BrokerURL != "":
		u, err := url.Parse(m.BrokerURL)
		switch {
		case err != nil:
			f.add("mqtt.broker_url", "is no URL: %q", m.BrokerURL)
		case u.Scheme != "tls" && u.Scheme != "ssl":
			f.add("mqtt.broker_url", "must begin with tls://, is %q", m.BrokerURL)
		case u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			f.add("mqtt.broker_url", "holds more than host and port: %q", m.BrokerURL)
		default:
			f.address("mqtt.broker_url", u.Host)
		}
	default:
		f.address("mqtt.listen", m.Listen)
	}
	for _, n := range m.AlertReaders {
		f.name("mqtt.alert_readers", n)
	}
	f.number("mqtt.max_gateways", m.MaxGateways, 1, 10000)
}

func (h *HTTP) validate(f *faults) {
	if (h.TLSCert == "") != (h.TLSKey == "") {
		f.add("http.tls_cert", "and http.tls_key belong together: one of them is missing")
	}
	if f.address("http.listen", h.Listen) && h.TLSCert == "" && !loopback(h.Listen) {
		// D30: passwords and names in plaintext on a network are not a setting.
		f.add("http.listen", "%q is not a loopback address: set http.tls_cert and http.tls_key, or listen on 127.0.0.1", h.Listen)
	}
	if h.PublicURL != "" {
		h.validatePublicURL(f)
	}
}

// validatePublicURL: browsers give passkeys to HTTPS and to localhost only, and the pages are what they say.
func (h *HTTP) validatePublicURL(f *faults) {
	u, err := url.Parse(h.PublicURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "":
		f.add("http.public_url", "%q is not https://name[:port]", h.PublicURL)
	case u.Scheme == "https" && h.TLSCert == "":
		f.add("http.public_url", "begins with https, but http.tls_cert is missing")
	case u.Scheme == "http" && (h.TLSCert != "" || u.Hostname() != "localhost"):
		f.add("http.public_url", "%q must begin with https; http is for localhost without http.tls_cert only", h.PublicURL)
	case u.Scheme != "https" && u.Scheme != "http":
		f.add("http.public_url", "%q must begin with https", h.PublicURL)
	case !hostName(u.Hostname()) || net.ParseIP(u.Hostname()) != nil:
		f.add("http.public_url", "%q has no host name; an address is none: passkeys need a name", h.PublicURL)
	}
}

func (s *Signer) validate(f *faults, dataDir string) {
	if len(s.Socket) > 100 { // sun_path of unix(7) holds 107 bytes and a zero
		f.add("signer.socket", "is longer than the 100 bytes of a Unix socket's path")
	}
	for _, d := range s.OnePersonDoors {
		f.name("signer.one_person_doors", d)
	}
	rel, err := filepath.Rel(dataDir, s.KeysDir)
	if s.KeysDir != "" && err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		// D18: a signer whose keys the server can read is none.
		f.add("signer.keys_dir", "lies in data_dir, where the server can read it: %q", s.KeysDir)
	}
}

func (a *CA) validate(f *faults) {
	f.between("ca.device_validity", a.DeviceValidity, time.Hour, 365*24*time.Hour)
	for _, n := range a.Names {
		if _, err := netip.ParseAddr(n); err == nil {
			continue
		}
		if !hostName(n) {
			f.add("ca.names", "%q is neither a host name nor an IP address", n)
		}
	}
}

// faults collects what is wrong, each with its key.
type faults []error

func (f *faults) add(key, format string, args ...any) { //nolint:goprintffuncname // reads as a list entry
	*f = append(*f, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
}

func (f *faults) name(key, s string) {
	if s == "" {
		f.add(key, "is missing")
		return
	}
	if len(s) > 32 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		f.add(key, "%q must be 1 to 32 characters of a-z, 0-9 and -", s)
	}
}

func (f *faults) zone(key, s string) {
	if s == "" {
		f.add(key, "is missing, for example \"Asia/Tokyo\"")
		return
	}
	// "Local" would make the days of the log depend on the machine.
	if _, err := time.LoadLocation(s); err != nil || s == "Local" {
		f.add(key, "%q is no time zone name, for example \"Asia/Tokyo\"", s)
	}
}

func (f *faults) between(key string, d Duration, low, high time.Duration) {
	if d.Std() < low || d.Std() > high {
		f.add(key, "%v is outside %v to %v", d.Std(), low, high)
	}
}

func (f *faults) number(key string, n, low, high int) {
	if n < low || n > high {
		f.add(key, "%d is outside %d to %d", n, low, high)
	}
}

func (f *faults) oneOf(key, s string, allowed ...string) {
	for _, a := range allowed {
		if s == a {
			return
		}
	}
	f.add(key, "%q is none of %s", s, strings.Join(allowed, ", "))
}

// address reports whether s is host:port with a host and a numeric port.
func (f *faults) address(key, s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		f.add(key, "%q is not host:port", s)
		return false
	}
	if p, err := strconv.ParseUint(port, 10, 16); err != nil || p == 0 && key == "mqtt.broker_url" {
		f.add(key, "%q has no port number between 0 and 65535", s)
		return false
	}
	if _, err := netip.ParseAddr(host); err != nil && !hostName(host) {
		// An empty host would mean every interface; whoever wants that writes 0.0.0.0.
		f.add(key, "%q has no host: write 127.0.0.1 for this machine only", s)
		return false
	}
	return true
}

// loopback reports whether only this machine can reach the address.
func loopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// hostName reports whether s is a DNS name of letters, digits, dots and inner hyphens.
func hostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
			return false
		}
	}
	return true
}

// prefixed puts name before each joined fault.
func prefixed(name string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // errors.Join's own value, made just above
	if !ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, fmt.Errorf("%s: %w", name, e))
	}
	return errors.Join(all...)
}

func dotted(key []string) string { return strings.Join(key, ".") }

// trimmed makes one line of the library's message, without its prefix.
func trimmed(s string) string {
	s = strings.TrimPrefix(s, "toml: ")
	return strings.Join(strings.Fields(s), " ")
}
