package card

import "fmt"

// Assurance is what a card has proved of itself (AD-4). The zero value is unknown, below every
// minimum.
type Assurance uint8

// Assurance classes, weakest first.
const (
	AssuranceUnknown Assurance = iota
	UIDOnly                    // a number that can be copied
	CardAuth                   // the card proved that it is itself
	MutualAuth                 // card and reader proved themselves to each other
)

// String gives the stable name; an unknown number reads "unknown".
func (a Assurance) String() string {
	switch a {
	case UIDOnly:
		return "uid_only"
	case CardAuth:
		return "card_auth"
	case MutualAuth:
		return "mutual_auth"
	default:
		return "unknown"
	}
}

// ParseAssurance finds a class by its stable name.
func ParseAssurance(name string) (Assurance, error) {
	for _, a := range []Assurance{AssuranceUnknown, UIDOnly, CardAuth, MutualAuth} {
		if a.String() == name {
			return a, nil
		}
	}
	return AssuranceUnknown, fmt.Errorf("unknown assurance class %q: want uid_only, card_auth or mutual_auth", name)
}

// MarshalText gives the stable name.
func (a Assurance) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the stable name; anything else is an error and leaves AssuranceUnknown.
func (a *Assurance) UnmarshalText(b []byte) (err error) { *a, err = ParseAssurance(string(b)); return err }
