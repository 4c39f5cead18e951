package report

import (
	"encoding/json"
	"fmt"
	"strings"
)

// OrganisationKey is the setting under which a site keeps who it is; PrintedKey is set once a first paper was made.
const (
	OrganisationKey = "organisation"
	PrintedKey      = "first_paper"
)

// Organisation is whose papers these are and whom to ask: it stands on each paper, in each alert and on the stickers (A33). It names no person.
// The zero value is "not said yet".
type Organisation struct {
	Name    string `json:"name,omitempty"`    // 多賀城市, ≤ 60 characters
	NameEN  string `json:"name_en,omitempty"` // the same on English papers; "" = Name
	Section string `json:"section,omitempty"` // whom to ask: a section, ≤ 60 characters
	Phone   string `json:"phone,omitempty"`   // its telephone, ≤ 40 characters
	Address string `json:"address,omitempty"` // ≤ 100 characters
}

// In gives the name in a language, "ja" or "en"; "" when it was not said yet.
func (o *Organisation) In(lang string) string {
	if lang == "en" && o.NameEN != "" {
		return o.NameEN
	}
	return o.Name
}

// Contact is whom to ask in one line; "" when nothing is known.
func (o *Organisation) Contact() string {
	return strings.Join(strings.Fields(o.Section+" "+o.Phone), " ")
}

// Validate refuses what does not fit into a line of a paper.
func (o *Organisation) Validate() error {
	for _, x := range []struct {
		name, text string
		most       int
	}{{"name", o.Name, 60}, {"name_en", o.NameEN, 60}, {"section", o.Section, 60}, {"phone", o.Phone, 40}, {"address", o.Address, 100}} {
		if !shortLine(x.text, x.most) {
			return fmt.Errorf("organisation: %s is no line of at most %d characters", x.name, x.most)
		}
	}
	return nil
}

// ParseOrganisation reads the setting; "" is the zero value.
func ParseOrganisation(text string) (o Organisation, err error) {
	if text == "" {
		return o, nil
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return o, fmt.Errorf("setting %s: %w", OrganisationKey, err)
	}
	return o, nil
}

// Text writes the setting.
func (o *Organisation) Text() (string, error) {
	b, err := json.Marshal(o)
	return string(b), err
}
