package config

import (
	"encoding/hex"
	"strings"

	"monban/firmware/witness"
	"monban/server/timestamp"
)

// Witness is a witness of another house that cosigns the log's checkpoints (EV-4).
type Witness struct {
	// VKey is its verifier key as its operator gives it: name+hash+base64, of kind cosignature/v1.
	VKey string `toml:"vkey"`
	// URL is its submission prefix, "https://…"; empty means that it is reached by files.
	URL string `toml:"url"`
	// CAFile is a PEM file of the certificate authority of its server; empty means the system's.
	CAFile string `toml:"ca_file"`
	// Pin is the SHA-256 of its certificate's public key, 64 hex digits; empty means any that the authority signed.
	Pin string `toml:"pin"`
}

func (c *Config) validateWitnesses(f *faults) {
	names := map[string]bool{}
	for _, w := range c.Witness {
		v, err := witness.NewVerifier(w.VKey)
		if err != nil {
			f.add("witness.vkey", "%q is no verifier key of a cosignature/v1 witness", w.VKey)
			continue
		}
		switch name := v.Name(); {
		case names[name]:
			f.add("witness.vkey", "%s stands twice", name)
		case strings.HasPrefix(name, "monban/"):
			f.add("witness.vkey", "%s is a name that only this site's own gateways have", name)
		case len(name) > 200 || !word(name):
			f.add("witness.vkey", "the name %q holds more than letters, digits and _ . : / -", name)
		default:
			names[name] = true
		}
		if w.URL != "" && !webURL(w.URL) {
			f.add("witness.url", "is neither https://… nor an address of this machine: %q", w.URL)
		}
		if b, err := hex.DecodeString(w.Pin); w.Pin != "" && (err != nil || len(b) != 32) {
			f.add("witness.pin", "%q is not 64 hex digits", w.Pin)
		}
	}
}

// word reports whether s can stand in a leaf.
func word(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/-") == ""
}

// Timestamp says which authorities' time stamps (RFC 3161) are taken (EV-10).
type Timestamp struct {
	// CAFile is a PEM file of their certificates, or of those who sign theirs; empty means that none is taken.
	CAFile string `toml:"ca_file"`
	// Policies are the policies under which a stamp may be made, as dotted numbers; empty means any.
	Policies []string `toml:"policies"`
}

func (t *Timestamp) validate(f *faults) {
	for _, p := range t.Policies {
		if _, err := timestamp.ParsePolicy(p); err != nil {
			f.add("timestamp.policies", "%v", err)
		}
	}
	if len(t.Policies) > 0 && t.CAFile == "" {
		f.add("timestamp.ca_file", "is missing: policies of no authority mean nothing")
	}
}
