package config

import (
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"monban/server/review"
)

// Alerts says who is told of findings, by what, and when (AL-1 to AL-6).
type Alerts struct {
	// Open and Close are the hours of the point of contact on business days, HH:MM; Close is excluded.
	Open  string `toml:"open"`
	Close string `toml:"close"`
	// DigestAt is when the morning digest is made, HH:MM, on business days.
	DigestAt string `toml:"digest_at"`
	// Group: findings of one kind at one place are told together for so long.
	Group Duration `toml:"group"`
	// Acknowledge is how long the next contact is waited with.
	Acknowledge Duration `toml:"acknowledge"`
	// Burst is how many alerts that are not severe are told at once within Group.
	Burst int `toml:"burst"`
	// The root route, by names of channels.
	Hours    []string `toml:"hours"`
	OffHours []string `toml:"off_hours"`
	Then     []string `toml:"then"`
	// Every is told of everything at once, at any hour: a log server.
	Every []string `toml:"every"`
	// Digest gets the morning digest.
	Digest []string `toml:"digest"`
	// Canary gets the daily test message; none = there is no daily test.
	Canary []string `toml:"canary"`
	// Checkpoint gets the log's checkpoint each day, to keep it outside; none = it is not sent.
	Checkpoint []string `toml:"checkpoint"`
	// CanaryAt is when the gateways are tested, CanaryBy when it must have arrived; HH:MM, every day.
	CanaryAt string         `toml:"canary_at"`
	CanaryBy string         `toml:"canary_by"`
	Channel  []AlertChannel `toml:"channel"`
	Route    []AlertRoute   `toml:"route"`
}

// AlertChannel is one way to tell somebody. Secrets are in files.
type AlertChannel struct {
	Name     string   `toml:"name"`
	Type     string   `toml:"type"`     // mail, webhook, syslog, mqtt
	Language string   `toml:"language"` // ja, en
	Duress   bool     `toml:"duress"`   // may be told of a PIN under duress
	Server   string   `toml:"server"`   // host:port
	Security string   `toml:"security"` // starttls, tls, none
	CAFile   string   `toml:"ca_file"`
	User     string   `toml:"user"`
	Password string   `toml:"password_file"`
	From     string   `toml:"from"`
	To       []string `toml:"to"`
	URL      string   `toml:"url"`           // of a webhook
	Secret   string   `toml:"secret_file"`   // of a webhook: whsec_…, first line
	Template string   `toml:"template_file"` // of a webhook: gives JSON
	Cert     string   `toml:"cert_file"`     // of a log server that asks who we are
	Key      string   `toml:"key_file"`
	Body     string   `toml:"body"` // of a log server: cef, ecs
}

// AlertRoute is one branch of the tree of routes; the first that takes a finding counts. What it does not set it inherits.
type AlertRoute struct {
	Name     string   `toml:"name"`
	Severity string   `toml:"severity"` // the least; "" = any
	Kinds    []string `toml:"kinds"`
	Zones    []string `toml:"zones"`
	Hours    []string `toml:"hours"`
	OffHours []string `toml:"off_hours"`
	Then     []string `toml:"then"`
}

// TimeOfDay reads HH:MM as seconds since midnight; ok is false for anything else. 24:00 is the end of a day.
func TimeOfDay(s string) (seconds int, ok bool) {
	if s == "24:00" {
		return 86400, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*3600 + t.Minute()*60, err == nil && len(s) == 5
}

func (a *Alerts) validate(f *faults) {
	open, ok1 := TimeOfDay(a.Open)
	end, ok2 := TimeOfDay(a.Close)
	digest, ok3 := TimeOfDay(a.DigestAt)
	for key, bad := range map[string]bool{"alerts.open": !ok1, "alerts.close": !ok2, "alerts.digest_at": !ok3 || digest == 86400} {
		if bad {
			f.add(key, "is no time of day such as 08:30")
		}
	}
	at, ok4 := TimeOfDay(a.CanaryAt)
	by, ok5 := TimeOfDay(a.CanaryBy)
	if !ok4 || !ok5 || by == 86400 {
		f.add("alerts.canary_at", "and alerts.canary_by must be times of day such as 07:00")
	} else if by < at+5*60 {
		f.add("alerts.canary_by", "%s is not five minutes after alerts.canary_at %s", a.CanaryBy, a.CanaryAt)
	}
	if ok1 && ok2 && open >= end {
		f.add("alerts.close", "%s is not after alerts.open %s", a.Close, a.Open)
	}
	f.between("alerts.group", a.Group, 10*time.Second, time.Hour)
	f.between("alerts.acknowledge", a.Acknowledge, time.Minute, 4*time.Hour)
	f.number("alerts.burst", a.Burst, 1, 1000)
	names := map[string]bool{}
	secret := false
	for i := range a.Channel {
		c := &a.Channel[i]
		f.name("alerts.channel.name", c.Name)
		if names[c.Name] {
			f.add("alerts.channel.name", "%q stands twice", c.Name)
		}
		names[c.Name] = true
		secret = secret || c.Duress
		c.validate(f)
	}
	if len(a.Channel) > 0 && !secret {
		f.add("alerts.channel.duress", "is true for none: nobody would be told of a PIN under duress; set it for the security officer's")
	}
	known := func(key string, list []string) {
		for _, n := range list {
			if !names[n] {
				f.add(key, "%q is the name of no [[alerts.channel]]", n)
			}
		}
	}
	known("alerts.hours", a.Hours)
	known("alerts.off_hours", a.OffHours)
	known("alerts.then", a.Then)
	known("alerts.every", a.Every)
	known("alerts.digest", a.Digest)
	known("alerts.canary", a.Canary)
	known("alerts.checkpoint", a.Checkpoint)
	routes := map[string]bool{}
	for i := range a.Route {
		r := &a.Route[i]
		f.name("alerts.route.name", r.Name)
		if routes[r.Name] {
			f.add("alerts.route.name", "%q stands twice", r.Name)
		}
		routes[r.Name] = true
		if r.Severity != "" {
			f.oneOf("alerts.route.severity", r.Severity, "low", "medium", "high")
		}
		for _, k := range r.Kinds {
			if !slices.ContainsFunc(review.Catalogue(), func(e review.Entry) bool { return string(e.Kind) == k }) {
				f.add("alerts.route.kinds", "%q is no kind of finding", k)
			}
		}
		for _, z := range r.Zones {
			f.name("alerts.route.zones", z)
		}
		known("alerts.route.hours", r.Hours)
		known("alerts.route.off_hours", r.OffHours)
		known("alerts.route.then", r.Then)
	}
}

func (c *AlertChannel) validate(f *faults) {
	f.oneOf("alerts.channel.language", c.Language, "", "ja", "en")
	switch c.Type {
	case "mail":
		c.mail(f)
	case "webhook":
		if !webURL(c.URL) {
			f.add("alerts.channel.url", "is neither https://… nor an address of this machine") // it is not shown: it may let one in
		}
		if c.Secret == "" {
			f.add("alerts.channel.secret_file", "is missing: the receiver could not tell our messages from others'")
		}
	case "syslog":
		f.address("alerts.channel.server", c.Server)
		f.oneOf("alerts.channel.body", c.Body, "", "cef", "ecs")
		if (c.Cert == "") != (c.Key == "") {
			f.add("alerts.channel.key_file", "and alerts.channel.cert_file belong together: one of them is missing")
		}
	case "mqtt":
		if c.Duress {
			f.add("alerts.channel.duress", "is true for mqtt, which any subscriber hears")
		}
	default:
		f.oneOf("alerts.channel.type", c.Type, "mail", "webhook", "syslog", "mqtt")
	}
	c.foreign(f)
}

// foreign refuses keys of another type of channel: who wrote them meant something.
func (c *AlertChannel) foreign(f *faults) {
	for _, x := range []struct {
		key   string
		set   bool
		types string
	}{
		{"server", c.Server != "", "mail syslog"}, {"security", c.Security != "", "mail"}, {"ca_file", c.CAFile != "", "mail webhook syslog"}, {"user", c.User != "", "mail"},
		{"password_file", c.Password != "", "mail"}, {"from", c.From != "", "mail"}, {"to", len(c.To) > 0, "mail"}, {"url", c.URL != "", "webhook"},
		{"secret_file", c.Secret != "", "webhook"}, {"template_file", c.Template != "", "webhook"}, {"cert_file", c.Cert != "", "syslog"}, {"key_file", c.Key != "", "syslog"}, {"body", c.Body != "", "syslog"},
	} {
		if x.set && !slices.Contains(strings.Fields(x.types), c.Type) {
			f.add("alerts.channel."+x.key, "is no key of a channel of type %s", c.Type)
		}
	}
}

func (c *AlertChannel) mail(f *faults) {
	if !f.address("alerts.channel.server", c.Server) {
		return
	}
	f.oneOf("alerts.channel.security", c.Security, "", "starttls", "tls", "none")
	if c.Security == "none" && !loopback(c.Server) {
		f.add("alerts.channel.security", "none is for a mail server on this machine; %q is not", c.Server)
	}
	if (c.User == "") != (c.Password == "") {
		f.add("alerts.channel.password_file", "and alerts.channel.user belong together: one of them is missing")
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		f.add("alerts.channel.from", "%q is no mail address", c.From)
	}
	if len(c.To) == 0 {
		f.add("alerts.channel.to", "is missing")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			f.add("alerts.channel.to", "%q is no mail address", to)
		}
	}
}

// webURL reports whether s is https://host/…, or http to this machine.
func webURL(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(net.JoinHostPort(u.Hostname(), "80"))
}
