package signoff

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// SettingsKey is the setting of the store that holds Settings, as JSON.
const SettingsKey = "signoff"

// Settings are what a site decides about its daily review. The zero value asks one signature of a day.
type Settings struct {
	Second []string `json:"second,omitempty"` // zones whose days take two persons, also where the signer has no row
}

// ParseSettings reads what SettingsKey holds; "" gives the zero value.
func ParseSettings(text string) (s Settings, err error) {
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("setting %s: %w", SettingsKey, err)
	}
	return s, nil
}

// TwoSign reports whether a zone's days take two persons.
func (s *Settings) TwoSign(zone string) bool { return slices.Contains(s.Second, zone) }

// SetTwoSign asks for two persons in a zone, or for one again.
func (s *Settings) SetTwoSign(zone string, two bool) {
	s.Second = slices.DeleteFunc(slices.Clone(s.Second), func(z string) bool { return z == zone })
	if two {
		s.Second = append(s.Second, zone)
		slices.Sort(s.Second)
	}
}

// ErrTooFew refuses a rule that the present people cannot satisfy (VR-10).
var ErrTooFew = errors.New("fewer than two persons may sign: name a deputy first")

// Persons counts the human beings among accounts that may sign: two accounts of one person are one.
func Persons(signers []Actor) (n int) {
	for i, a := range signers {
		if !slices.ContainsFunc(signers[:i], a.same) {
			n++
		}
	}
	return n
}

// Satisfiable refuses two signatures where fewer than two persons may sign.
func Satisfiable(two bool, signers []Actor) error {
	if two && Persons(signers) < 2 {
		return ErrTooFew
	}
	return nil
}
