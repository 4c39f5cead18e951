package visit

import (
	"monban/firmware/card"
)

// BadgeKind is what a badge is for.
type BadgeKind string

// Kinds of badges.
const (
	VisitorBadge  BadgeKind = "visitor"   // 名札, lent with a visit
	TemporaryKind BadgeKind = "temporary" // 仮カード, lent to somebody of one's own (AD-16)
)

// BadgeStatus is whether a badge may be lent.
type BadgeStatus string

// Statuses.
const (
	BadgeActive  BadgeStatus = "active"
	BadgeLost    BadgeStatus = "lost"
	BadgeRetired BadgeStatus = "retired"
)

// Badge is one badge of the inventory: a name plate, or a card that opens doors while it is lent.
type Badge struct {
	ID         string // inventory number: 1–32 characters of [A-Za-z0-9._-]
	Label      string // number printed on it
	Kind       BadgeKind
	Look       string   // colour or form: must differ from a staff card (VE-3)
	Ref        card.Ref // zero = a plain badge without a card
	KeyVersion uint32
	Masked     string
	Format     string
	Assurance  card.Assurance
	Status     BadgeStatus
	PIN        card.PINRef // for as long as it is lent, for zones that ask for one; zero = none
}

// HasCard reports whether the badge can open a door.
func (b *Badge) HasCard() bool { return b.Ref != card.Ref{} }

// Check says the first thing that is wrong with a badge.
func (b *Badge) Check() error {
	switch {
	case !identifier(b.ID, 32):
		return ErrText.at("id")
	case b.Kind != VisitorBadge && b.Kind != TemporaryKind:
		return ErrMissing.at("kind")
	case b.Status != BadgeActive && b.Status != BadgeLost && b.Status != BadgeRetired:
		return ErrMissing.at("status")
	case b.Kind == TemporaryKind && !b.HasCard():
		return ErrBadge.at("card")
	case b.HasCard() && (b.KeyVersion == 0 || b.Masked == ""):
		return ErrBadge.at("card")
	}
	return firstErr(free("label", b.Label, 32, true), free("look", b.Look, maxName, b.Kind == VisitorBadge))
}

func identifier(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}
