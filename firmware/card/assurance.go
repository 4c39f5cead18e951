package card

import "fmt"

// Assurance is what a read proves about the card (AD-4, D25). The order is
// the order of strength. The zero value proves nothing and satisfies no demand.
type Assurance uint8

// The grades. A Wiegand reader never gives more than UIDOnly.
const (
	AssuranceUnknown Assurance = iota // nothing known
	UIDOnly                           // a number that any tool can copy
	CardAuth                          // the card proved that it knows a key
	MutualAuth                        // card and reader proved themselves to each other
)

var assuranceNames = [...]string{"unknown", "uid_only", "card_auth", "mutual_auth"}

// String is the stable name: unknown, uid_only, card_auth, mutual_auth.
func (a Assurance) String() string {
	if int(a) < len(assuranceNames) {
		return assuranceNames[a]
	}
	return fmt.Sprintf("assurance(%d)", uint8(a))
}

// Known reports whether a is one of the defined grades, AssuranceUnknown among them.
func (a Assurance) Known() bool { return int(a) < len(assuranceNames) }

// Satisfies reports whether a read of grade a meets the demand least. AssuranceUnknown meets none, not
// even itself; a value outside the enum meets none and is met by none.
func (a Assurance) Satisfies(least Assurance) bool {
	return a != AssuranceUnknown && a.Known() && a >= least
}

// ParseAssurance reads a stable name.
func ParseAssurance(s string) (Assurance, error) {
	for i, name := range assuranceNames {
		if s == name {
			return Assurance(i), nil
		}
	}
	return AssuranceUnknown, fmt.Errorf("unknown assurance %q", s)
}

// MarshalText is the stable name; a value outside the enum is an error.
func (a Assurance) MarshalText() ([]byte, error) {
	if !a.Known() {
		return nil, fmt.Errorf("unknown assurance %d", uint8(a))
	}
	return []byte(a.String()), nil
}

// UnmarshalText reads a stable name; on an error a is AssuranceUnknown.
func (a *Assurance) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAssurance(string(text))
	return err
}
