// Package config reads the server's one TOML file into a checked Config.
//
// It must never guess: an unknown key, a value of the wrong type or a value out of range is an
// error that names the file, the line or the key. It opens nothing but the file itself and is used
// by every subcommand of monban-server. Secrets are never in this file; it only names directories.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// Config is the whole file. Relative paths are relative to the working directory of the process.
type Config struct {
	// Site is the site's name in topics and key names; [a-z0-9-], 1–32 characters.
	Site string `toml:"site"`
	// TimeZone is an IANA name; days, schedules and reports are those of this zone.
	TimeZone string `toml:"time_zone"`
	// DataDir holds the database, keys and certificates, all of it 0600/0700.
	DataDir string  `toml:"data_dir"`
	MQTT    MQTT    `toml:"mqtt"`
	HTTP    HTTP    `toml:"http"`
	CA      CA      `toml:"ca"`
	Signer  Signer  `toml:"signer"`
	Enrol   Enrol   `toml:"enrol"`
	Ask     Ask     `toml:"ask"`
	Login   Login   `toml:"login"`
	Session Session `toml:"session"`
	OIDC    OIDC    `toml:"oidc"`
	LDAP    LDAP    `toml:"ldap"`
	Review  Review  `toml:"review"`
	Rights  Rights  `toml:"rights"`
	Log     Log     `toml:"log"`
	Metrics Metrics `toml:"metrics"`
	Backup  Backup  `toml:"backup"`
	Report  Report  `toml:"report"`
	Alerts  Alerts  `toml:"alerts"`
	Muster  Muster  `toml:"muster"`
	Updates Updates `toml:"updates"`
	// KeyCopies are further files that hold the same year keys as the data directory's keystore.json, each on another disk or share; at most 4.
	KeyCopies []string `toml:"key_copies"`
	// Witness is a table for each witness of another house.
	Witness []Witness `toml:"witness"`
	// Timestamp is whose time stamps on checkpoints are believed.
	Timestamp Timestamp `toml:"timestamp"`
}

// Muster is the sealed copy of who is inside that reception keeps for the case that this server is gone (OP-7).
type Muster struct {
	// Dir is the folder that the copy is written to, which reception's machine sees too; empty: no copy is made.
	Dir string `toml:"dir"`
	// Every is how often it is written; 10 s – 1 h.
	Every Duration `toml:"every"`
	// Keep is how long a copy opens after it was written; Every – 24 h.
	Keep Duration `toml:"keep"`
}

// MQTT says which broker carries the messages: the embedded one (Listen) or an external one
// (BrokerURL). Exactly one of the two is set after Load.
type MQTT struct {
	// Listen is host:port of the embedded broker. Mutual TLS 1.3 always, so any address is allowed.
	Listen string `toml:"listen"`
	// BrokerURL is tls://host:port of an external broker; there is no plaintext form.
	BrokerURL string `toml:"broker_url"`
	// MaxGateways sizes the embedded broker's connection limit (twice this number); 1–10000.
	MaxGateways int `toml:"max_gateways"`
	// AlertReaders are the names of client certificates that may read the topic of alerts, and nothing else.
	AlertReaders []string `toml:"alert_readers"`
	// RuntimeDir is where the embedded broker makes a fresh directory at each start. Nothing of
	// value is in it.
	RuntimeDir string `toml:"runtime_dir"`
}

// HTTP is the listener of the pages.
type HTTP struct {
	// Listen is host:port; without TLS only a loopback address is accepted (D30).
	Listen string `toml:"listen"`
	// TLSCert and TLSKey are PEM files; both or neither.
	TLSCert string `toml:"tls_cert"`
	TLSKey  string `toml:"tls_key"`
	// PublicURL is how browsers reach the pages, "https://name[:port]" without a path. Passkeys are bound to its host
	// name: another one ends them. Empty means localhost without TLS, and no passkeys with TLS.
	PublicURL string `toml:"public_url"`
}

// CA says where the site's certificates are.
type CA struct {
	// Dir is the directory of root.crt, issuing.crt, server.crt and their keys.
	Dir string `toml:"dir"`
	// Names are further host names and IP addresses of the server's certificate, beside localhost
	// and the loopback addresses.
	Names []string `toml:"names"`
	// DeviceValidity is the life of a gateway's certificate; 1 h – 1 year.
	DeviceValidity Duration `toml:"device_validity"`
}

// Enrol is the HTTPS port on which gateways get and renew their identity (D23).
type Enrol struct {
	// Listen is host:port; TLS 1.3 always, so any address is allowed. Empty means that there is none:
	// identities are carried by hand (`gateway add`) and end with their certificates.
	Listen string `toml:"listen"`
}

// Signer says where the keys of log, policy and command are (D18).
type Signer struct {
	// Socket is the Unix socket of `monban-server signer`, at most 100 bytes; empty means that the
	// keys are in the data directory and this process signs.
	Socket string `toml:"socket"`
	// KeysDir is where `monban-server signer` has its keys, apart from the data directory.
	KeysDir string `toml:"keys_dir"`
	// OnePersonDoors are the doors at which that process signs an unlock which one account has asked for and ordered;
	// everywhere else it takes two, whatever the directory says.
	OnePersonDoors []string `toml:"one_person_doors"`
}

// Ask bounds the online decision.
type Ask struct {
	// Timeout is how long an ask may wait for its decision at the server; 50 ms – 2 s. An answer
	// later than the gateway's own budget is ignored there, so working on it longer is waste.
	Timeout Duration `toml:"timeout"`
	// Workers is how many asks are opened and decided at the same time; 0 = 256: nearly all of
	// them wait for the same commit.
	Workers int `toml:"workers"`
}

// Login limits guessing of passwords.
type Login struct {
	// Tries is how many wrong passwords one account may give within Window; 3–20.
	Tries int `toml:"tries"`
	// Window is the time over which tries are counted; 1 min – 24 h.
	Window Duration `toml:"window"`
	// Lockout is how long an account rests after that; 1 min – 24 h.
	Lockout Duration `toml:"lockout"`
	// SecondFactorRoles are the roles whose accounts must have a passkey or one-time codes; until one is set up,
	// nothing else is open to them (RA-3). Names of RA-1's roles. An empty list asks nobody.
	SecondFactorRoles []string `toml:"second_factor_roles"`
	// PasswordStepUp lets the password alone be the fresh check that doors, accounts and rights need, for accounts
	// without a second factor (D28 does not). For demos.
	PasswordStepUp bool `toml:"password_step_up"`
	// DeskAssurance is what a staff card has to prove at a desk reader: uid_only, card_auth or mutual_auth. A card that only
	// tells its serial number can be copied.
	DeskAssurance string `toml:"desk_assurance"`
}

// roles are the names of RA-1's roles, as in the pages and the log.
var roles = []string{
	"ciso", "chief_security_officer", "zone_manager", "section_manager", "applicant", "reception", "reviewer", "auditor",
	"facility_section", "system_administrator", "csirt",
}

// OIDC is a provider that signs people in (OpenID Connect). Accounts choose it one by one; it makes none and gives no
// right. It needs http.public_url, or localhost without TLS.
type OIDC struct {
	// Issuer is its address exactly as in its tokens, "https://…"; empty means that there is none.
	Issuer string `toml:"issuer"`
	// ClientID is our name there.
	ClientID string `toml:"client_id"`
	// SecretFile holds our secret there on its first line; empty for a public client.
	SecretFile string `toml:"secret_file"`
	// CAFile is a PEM file of the certificate authority that signs its pages; empty means the system's.
	CAFile string `toml:"ca_file"`
	// Claim holds the login name of the account; used once, then the subject counts.
	Claim string `toml:"claim"`
	// Label names it on the login page.
	Label string `toml:"label"`
	// StrongAMR are values of the claim amr that mean a second factor; none means that accounts need one here.
	StrongAMR []string `toml:"strong_amr"`
}

// LDAP is the city's directory (LDAP, Active Directory). Accounts choose it one by one.
type LDAP struct {
	// URL is ldaps://host[:port], or ldap://host[:port], which begins with StartTLS always; empty means none.
	URL string `toml:"url"`
	// CAFile is a PEM file of the certificate authority that signs its certificate; empty means the system's.
	CAFile string `toml:"ca_file"`
	// BindDN is the account that searches; PasswordFile holds its password on its first line.
	BindDN       string `toml:"bind_dn"`
	PasswordFile string `toml:"password_file"`
	// Base is where people are looked for, Filter how, with {name} once.
	Base   string `toml:"base"`
	Filter string `toml:"filter"`
	// Nested lets groups in groups count, by Active Directory's matching rule.
	Nested bool `toml:"nested"`
	// SyncEvery is how often accounts that are disabled or gone there are suspended here; 0 = never, else 5 min – 24 h.
	SyncEvery Duration `toml:"sync_every"`
	// Group is a table for each group whose members should have a role. It is compared and listed; roles are given by
	// two persons all the same (RA-2).
	Group []LDAPGroup `toml:"group"`
}

// LDAPGroup is one line of that table.
type LDAPGroup struct {
	// DN is the group's name in the directory.
	DN string `toml:"dn"`
	// Role is one of RA-1's roles.
	Role string `toml:"role"`
}

// Session limits how long a signed-in browser stays signed in.
type Session struct {
	// Idle ends a session without requests; 1 min – 12 h.
	Idle Duration `toml:"idle"`
	// Absolute ends any session; 10 min – 24 h, not shorter than Idle.
	Absolute Duration `toml:"absolute"`
	// StepUp is how long a fresh check of identity holds (D28); 1 min – 4 h, not longer than Absolute.
	StepUp Duration `toml:"step_up"`
}

// Log sets the journal.
type Log struct {
	// Level is debug, info, warn or error.
	Level string `toml:"level"`
	// Format is json (for the journal) or text (for a terminal).
	Format string `toml:"format"`
}

// Metrics sets the measuring page.
type Metrics struct {
	// Listen is host:port on loopback of /metrics; empty means that there is none.
	Listen string `toml:"listen"`
}

// Backup is the copy that the server makes of itself each night.
type Backup struct {
	// Dir is a folder on another disk, a share or a stick, made ready by `monban-server backup place`; empty means none is made.
	Dir string `toml:"dir"`
	// Recipients is a file of public keys (age1…), one a line, whose private halves can read the copies.
	Recipients string `toml:"recipients"`
	// At is when, HH:MM in the site's zone.
	At string `toml:"at"`
	// Keep is how many copies stay in Dir; 2–400.
	Keep int `toml:"keep"`
}

func (b *Backup) validate(f *faults) {
	if (b.Dir == "") != (b.Recipients == "") {
		f.add("backup.dir", "and backup.recipients belong together: one of them is missing")
	}
	if at, ok := TimeOfDay(b.At); !ok || at >= 24*3600 {
		f.add("backup.at", "%q is no HH:MM", b.At)
	}
	f.number("backup.keep", b.Keep, 2, 400)
}

// Report is about papers that are made unasked.
type Report struct {
	// DayAt is when the papers of the day before are made, HH:MM in the site's zone; "" = none are made.
	DayAt string `toml:"day_at"`
}

func (r *Report) validate(f *faults) {
	if at, ok := TimeOfDay(r.DayAt); r.DayAt != "" && (!ok || at >= 24*3600) {
		f.add("report.day_at", "%q is no HH:MM", r.DayAt)
	}
}

// Duration is a time written as "400ms", "14h" in the file. It is a struct because the TOML library
// would read a bare number, which has no unit, into any integer type.
type Duration struct{ d time.Duration }

// D makes a Duration.
func D(d time.Duration) Duration { return Duration{d} }

// UnmarshalText reads Go's duration syntax.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is no duration such as \"400ms\", \"5s\" or \"12h\"", text)
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

// Default is what holds when the file says nothing. Site, time zone and data directory have no
// default: a wrong guess there would put records into the wrong place.
func Default() Config {
	return Config{
		// 200 doors is a large city hall; four times that leaves room, and the limit that follows
		// from it (800 connections of about 70 KB) is still small.
		MQTT: MQTT{MaxGateways: 400},
		// Loopback: a first start must not open a page to the network.
		HTTP: HTTP{Listen: "127.0.0.1:8080"},
		// 14 days: a stolen device's certificate dies soon even where the deny list is forgotten,
		// and a gateway still survives the year-end closure, as it renews from half of it on.
		CA: CA{DeviceValidity: D(14 * 24 * time.Hour)},
		// 400 ms is the gateway's budget; a person at a door feels more than half a second.
		Ask: Ask{Timeout: D(400 * time.Millisecond)},
		// 5 tries in 15 minutes, then 15 minutes of rest: a guesser gets 480 a day, a person who
		// mistypes loses a coffee break.
		Login: Login{
			DeskAssurance: "card_auth",
			Tries:         5, Window: D(15 * time.Minute), Lockout: D(15 * time.Minute),
			// Who can open doors, give rights, run the machines or read every name.
			SecondFactorRoles: []string{"ciso", "chief_security_officer", "zone_manager", "auditor", "system_administrator", "csirt"},
		},
		// 15 minutes idle suits a shared counter PC; 12 hours covers a long working day and no night. A fresh check holds
		// for one review session, and no longer than an idle session lives.
		Session: Session{Idle: D(15 * time.Minute), Absolute: D(12 * time.Hour), StepUp: D(15 * time.Minute)},
		// preferred_username is what most providers call a login name.
		OIDC: OIDC{Claim: "preferred_username"},
		// Active Directory's; an hour is how long somebody who left may keep a session's account.
		LDAP: LDAP{Filter: "(&(objectClass=user)(sAMAccountName={name}))", SyncEvery: D(time.Hour)},
		// The hours of a city's point of contact; ten minutes is what an officer in a meeting may need.
		Alerts: Alerts{Open: "08:30", Close: "17:15", DigestAt: "08:30", CanaryAt: "07:00", CanaryBy: "08:15", Group: D(5 * time.Minute), Acknowledge: D(10 * time.Minute), Burst: 20},
		// A minute is what people need to leave a building; four hours, how long after the server's end the list is of use.
		Updates: defaultUpdates(),
		Muster:  Muster{Every: D(time.Minute), Keep: D(4 * time.Hour)},
		// Each is reasoned about where it is: review.DefaultSettings.
		Review: defaultReview(),
		// Half a year is what cities publish; five tries give a guesser of four digits one chance in 2,000; UIDs are what most cards at hand
		// can show, so that asking for more is the site's own step.
		Rights: Rights{RecertifyMonths: 6, RecertifyDays: 30, RecertifyLapse: LapseSuspend, PINTries: 5, AssuranceLevel1: "uid_only", AssuranceLevel2: "uid_only", AssuranceLevel3: "uid_only"},
		// Before people come, after the self-test.
		Report: Report{DayAt: "06:30"},
		// Long before the self-test at 06:00, which asks for it. Two weeks: a fault is often found after some days.
		Backup: Backup{At: "02:30", Keep: 14},
		// Info and JSON: for the journal of a machine nobody watches.
		Log: Log{Level: "info", Format: "json"},
	}
}

// Load reads and checks the file at path. Its error is one line per fault, each beginning with the
// file's name (and line, where there is one).
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads and checks data; name stands for the file in errors.
func Parse(name string, data []byte) (*Config, error) {
	c := Default()
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return nil, decodeError(name, err)
	}
	c.fill()
	if err := c.Validate(); err != nil {
		return nil, prefixed(name, err)
	}
	return &c, nil
}

// fill sets the defaults that follow from other settings.
func (c *Config) fill() {
	if c.MQTT.Listen == "" && c.MQTT.BrokerURL == "" {
		// Loopback, as for the pages; 8883 is the port registered for MQTT over TLS.
		c.MQTT.Listen = "127.0.0.1:8883"
	}
	if c.DataDir == "" {
		return // Validate says so
	}
	if c.CA.Dir == "" {
		c.CA.Dir = filepath.Join(c.DataDir, "ca")
	}
	if c.MQTT.RuntimeDir == "" {
		// Beside the data and not in /tmp: other users must not be able to prepare the place.
		c.MQTT.RuntimeDir = filepath.Join(c.DataDir, "run")
	}
}

// Location is the site's time zone. Validate has proved that it loads.
func (c *Config) Location() *time.Location {
	loc, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		panic("BUG: time zone of a validated configuration does not load: " + err.Error())
	}
	return loc
}

// Level is the journal's level.
func (c *Config) Level() slog.Level {
	var l slog.Level
	if err := l.UnmarshalText([]byte(c.Log.Level)); err != nil {
		return slog.LevelInfo
	}
	return l
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
			all = append(all, fmt.Errorf("%s:%d: unknown key %q", name, line, dotted(e.Key())))
		}
		return errors.Join(all...)
	}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		line, _ := de.Position()
		if key := dotted(de.Key()); key != "" {
			return fmt.Errorf("%s:%d: %s: %s", name, line, key, trimmed(de.Error()))
		}
		return fmt.Errorf("%s:%d: %s", name, line, trimmed(de.Error()))
	}
	return fmt.Errorf("%s: %w", name, err)
}
