// Package privacy says what the personal data of a site may be used for (PR-1).
//
// The law has the city fix the purpose of a file of personal data and keep to it. So every use beside the running of the
// doors names a registered purpose: an export without one is refused, and one for attendance or performance is refused
// until the city has registered that purpose, with its basis. It is pure: the register is data, the store keeps it.
package privacy

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Use names a purpose: 1–32 characters of [a-z0-9_].
type Use string

// Uses that every site has from the start, and two that none has until it registers them.
const (
	EntryControl Use = "entry_control" // 入退室の管理
	Incident     Use = "incident"      // 違反・事故の調査
	Audit        Use = "audit"         // 監査・自己点検
	Disclosure   Use = "disclosure"    // 本人からの開示・訂正の請求
	Attendance   Use = "attendance"    // 勤怠の管理; not registered by default
	Performance  Use = "performance"   // 人事評価; not registered by default
)

// Errors of Check.
var (
	ErrNoPurpose     = errors.New("a use of personal data needs a purpose")
	ErrNotRegistered = errors.New("this purpose of use is not registered at this site")
)

// Purpose is one registered purpose of use.
type Purpose struct {
	Use    Use    `json:"use"`
	Name   string `json:"name"`    // as published, 1–200 characters
	NameEN string `json:"name_en"` // "" = Name
	Basis  string `json:"basis"`   // ordinance, decision or rule; 1–200 characters
	Day    string `json:"day"`     // since when, YYYY-MM-DD; "" = from the beginning
}

// Register is all that a site's data may be used for, by Use.
type Register struct {
	Purposes []Purpose `json:"purposes"`
}

// Default is what a new site begins with.
func Default() Register {
	const basis = "入退室管理規程"
	return Register{[]Purpose{
		{Use: Audit, Name: "監査及び自己点検のため", NameEN: "Audit and self-inspection", Basis: basis},
		{Use: Disclosure, Name: "本人からの開示、訂正及び利用停止の請求に応じるため", NameEN: "Requests of the person concerned", Basis: "個人情報の保護に関する法律"},
		{Use: EntryControl, Name: "管理区域への入退室を管理するため", NameEN: "Controlling entry to controlled zones", Basis: basis},
		{Use: Incident, Name: "情報セキュリティ上の違反及び事故を調査するため", NameEN: "Investigating violations and incidents", Basis: basis},
	}}
}

// Has reports whether a use is registered.
func (r Register) Has(u Use) bool { return r.find(u) != nil }

func (r Register) find(u Use) *Purpose {
	for i := range r.Purposes {
		if r.Purposes[i].Use == u {
			return &r.Purposes[i]
		}
	}
	return nil
}

// Check refuses a use without a purpose, or with one that is not registered.
func (r Register) Check(u Use) error {
	switch {
	case u == "":
		return ErrNoPurpose
	case !r.Has(u):
		return fmt.Errorf("purpose %q: %w", u, ErrNotRegistered)
	}
	return nil
}

// With adds or changes a purpose.
func (r Register) With(p Purpose) (Register, error) {
	out := Register{slices.Clone(r.Purposes)}
	if old := out.find(p.Use); old != nil {
		*old = p
	} else {
		out.Purposes = append(out.Purposes, p)
	}
	slices.SortFunc(out.Purposes, func(a, b Purpose) int { return cmp.Compare(a.Use, b.Use) })
	return out, out.Validate()
}

// Without takes a purpose away. Entry control stays: without it there would be nothing to run.
func (r Register) Without(u Use) (Register, error) {
	if u == EntryControl {
		return r, errors.New("purpose entry_control: is what the doors run by and cannot be taken away")
	}
	if !r.Has(u) {
		return r, fmt.Errorf("purpose %q: %w", u, ErrNotRegistered)
	}
	return Register{slices.DeleteFunc(slices.Clone(r.Purposes), func(p Purpose) bool { return p.Use == u })}, nil
}

var validUse = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// Validate reports every fault.
func (r Register) Validate() error {
	var errs []error
	for i, p := range r.Purposes {
		if !validUse.MatchString(string(p.Use)) {
			errs = append(errs, fmt.Errorf("purpose %d: %q is not 1–32 characters of [a-z0-9_]", i+1, p.Use))
		}
		if i > 0 && r.Purposes[i-1].Use >= p.Use {
			errs = append(errs, fmt.Errorf("purpose %d: %q stands twice or out of order", i+1, p.Use))
		}
		for name, text := range map[string]string{"name": p.Name, "basis": p.Basis} {
			if strings.TrimSpace(text) == "" {
				errs = append(errs, fmt.Errorf("purpose %s: no %s", p.Use, name))
			}
		}
		for _, text := range []string{p.Name, p.NameEN, p.Basis} {
			if utf8.RuneCountInString(text) > 200 || strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == 0x7F }) {
				errs = append(errs, fmt.Errorf("purpose %s: a text is longer than 200 characters or holds a control character", p.Use))
			}
		}
	}
	if !r.Has(EntryControl) {
		errs = append(errs, errors.New("purpose entry_control is missing"))
	}
	return errors.Join(errs...)
}

// SettingsKey is the setting of the store that holds the register, as JSON; without it Default counts.
const SettingsKey = "purposes"

// Parse reads a stored register; "" is Default.
func Parse(text string) (Register, error) {
	if text == "" {
		return Default(), nil
	}
	var r Register
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return Register{}, fmt.Errorf("setting %s: %w", SettingsKey, err)
	}
	if err := r.Validate(); err != nil {
		return Register{}, fmt.Errorf("setting %s: %w", SettingsKey, err)
	}
	return r, nil
}

// Text is the inverse of Parse.
func (r Register) Text() (string, error) {
	if err := r.Validate(); err != nil {
		return "", err
	}
	b, err := json.Marshal(r)
	return string(b), err
}
