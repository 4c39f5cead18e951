package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// FormsKey is the setting under which a site keeps how its papers look.
const FormsKey = "report_forms"

// Form is how one kind of report of one zone looks. The zero value is the built-in form.
type Form struct {
	Name    string   `json:"name,omitempty"`    // what the city's rules call it, ≤ 60 characters; "" = the built-in word
	Number  string   `json:"number,omitempty"`  // 様式第2号, ≤ 30 characters
	Columns []string `json:"columns,omitempty"` // words of columns in their order; none = all
	Seals   []string `json:"seals,omitempty"`   // 担当 係長 課長: at most 6 of at most 12 characters; none = the built-in ones
}

// Forms are the forms of a site by kind and zone; zone "" stands for every zone without one of its own.
type Forms map[string]map[string]Form

// Of gives the form of a kind for a zone.
func (f Forms) Of(kind, zone string) Form {
	if x, ok := f[kind][zone]; ok {
		return x
	}
	return f[kind][""]
}

// With gives the forms with one more; f is not changed.
func (f Forms) With(kind, zone string, form Form) Forms {
	out := Forms{}
	for k, zones := range f {
		out[k] = map[string]Form{}
		for z, x := range zones {
			out[k][z] = x
		}
	}
	if out[kind] == nil {
		out[kind] = map[string]Form{}
	}
	out[kind][zone] = form
	return out
}

// Validate refuses what would not fit on the paper. known are the words of columns that the kind has.
func (f Form) Validate(known []string) error {
	switch {
	case !shortLine(f.Name, 60):
		return fmt.Errorf("name %w", errForm)
	case !shortLine(f.Number, 30):
		return fmt.Errorf("number %w", errForm)
	case len(f.Seals) > 6 || slices.ContainsFunc(f.Seals, func(s string) bool { return s == "" || !shortLine(s, 12) }):
		return fmt.Errorf("seals %w", errForm)
	}
	for i, c := range f.Columns {
		if !slices.Contains(known, c) || slices.Contains(f.Columns[:i], c) {
			return fmt.Errorf("columns %w", errForm)
		}
	}
	return nil
}

var errForm = fmt.Errorf("cannot be used")

func shortLine(s string, most int) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// ParseForms reads the setting; "" is none.
func ParseForms(text string) (Forms, error) {
	f := Forms{}
	if text == "" {
		return f, nil
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		return nil, fmt.Errorf("forms of reports: %w", err)
	}
	return f, nil
}

// Text writes the setting.
func (f Forms) Text() (string, error) {
	b, err := json.Marshal(f)
	return string(b), err
}
