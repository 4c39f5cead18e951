package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// ThreatsKey is the setting under which a site keeps its catalogue of threats.
const ThreatsKey = "threats"

// Threats lists the threats to which the program assigns its findings, in the order of the catalogue.
func Threats() []Threat {
	return []Threat{Spoofing, Tampering, Repudiation, Denial, Elevation, DeviceFault, Habit}
}

// ThreatName is what the site's own rules call a threat. Several threats may be one in them and then have the same name.
type ThreatName struct {
	JA string `json:"ja"`           // 1–60 characters
	EN string `json:"en,omitempty"` // at most 60 characters; "" = as in Japanese
}

// In gives the name in a language, ja or en.
func (n ThreatName) In(lang string) string {
	if lang == "en" && n.EN != "" {
		return n.EN
	}
	return n.JA
}

// ThreatVersion is the catalogue from a moment on.
type ThreatVersion struct {
	Number int                   `json:"number"` // from 1 on; 0 = the program's own words
	FromMS int64                 `json:"from_ms"`
	Names  map[Threat]ThreatName `json:"names"` // all of Threats
}

// ThreatCatalogue is what the site's rules call the threats (A10), with all versions that there were: a finding keeps the name
// that its threat had when it was made. The zero value has the program's own words.
type ThreatCatalogue struct {
	Versions []ThreatVersion `json:"versions"` // oldest first
}

const (
	threatNameMost = 60  // characters
	versionsMost   = 200 // a site that changes its rules once a month has sixteen years
)

// ErrThreats refuses a change of the catalogue.
var ErrThreats = errors.New("not a catalogue of threats")

// At is the version in force at a moment (ms since 1970); Number is 0 before the first one.
func (c *ThreatCatalogue) At(ms int64) ThreatVersion {
	for _, v := range slices.Backward(c.Versions) {
		if v.FromMS <= ms {
			return v
		}
	}
	return ThreatVersion{}
}

// Newest is the version in force now.
func (c *ThreatCatalogue) Newest() ThreatVersion {
	if len(c.Versions) == 0 {
		return ThreatVersion{}
	}
	return c.Versions[len(c.Versions)-1]
}

// Changed gives the catalogue with a new version from nowMS on; versions that were stay as they are. changed is false when it would say what the
// newest says. ErrThreats for names that are missing, too long or not of a threat.
func (c *ThreatCatalogue) Changed(names map[Threat]ThreatName, nowMS int64) (next ThreatCatalogue, changed bool, err error) {
	last := c.Newest()
	if maps.Equal(last.Names, names) {
		return *c, false, nil
	}
	if len(c.Versions) >= versionsMost {
		return *c, false, fmt.Errorf("%w: %d versions are kept already", ErrThreats, versionsMost)
	}
	// A clock that went back does not put a version before the one that it replaces.
	next = ThreatCatalogue{append(slices.Clone(c.Versions), ThreatVersion{last.Number + 1, max(nowMS, last.FromMS), maps.Clone(names)})}
	return next, true, next.validate()
}

func (c *ThreatCatalogue) validate() error {
	for i, v := range c.Versions {
		if v.Number != i+1 || i > 0 && v.FromMS < c.Versions[i-1].FromMS {
			return fmt.Errorf("%w: version %d is out of order", ErrThreats, v.Number)
		}
		for _, t := range Threats() {
			n := v.Names[t]
			if n.JA == "" || strings.TrimSpace(n.JA) != n.JA || utf8.RuneCountInString(n.JA) > threatNameMost || utf8.RuneCountInString(n.EN) > threatNameMost {
				return fmt.Errorf("%w: version %d has no usable name for %s", ErrThreats, v.Number, t)
			}
		}
		if len(v.Names) != len(Threats()) {
			return fmt.Errorf("%w: version %d names what is no threat", ErrThreats, v.Number)
		}
	}
	return nil
}

// Text is the setting.
func (c *ThreatCatalogue) Text() (string, error) {
	b, err := json.Marshal(c)
	return string(b), err
}

// ParseThreats reads the setting; "" is the zero value.
func ParseThreats(text string) (c ThreatCatalogue, err error) {
	if text == "" {
		return c, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return ThreatCatalogue{}, fmt.Errorf("setting %s: %w", ThreatsKey, err)
	}
	if err := c.validate(); err != nil {
		return ThreatCatalogue{}, fmt.Errorf("setting %s: %w", ThreatsKey, err)
	}
	return c, nil
}
