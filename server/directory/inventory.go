package directory

import (
	"slices"

	"monban/firmware/access"
)

// endItemCards takes the rights from cards whose item is missing or out of use since before (EQ-4): whoever holds a card that a count did not
// find opens nothing with it from then on, and one that was disposed of does not come back by mistake. It does not undo: a card
// that is found again is given back by name.
func (s *Snapshot) endItemCards(before *Snapshot) {
	was := map[ItemID]string{}
	for i := range before.Items {
		was[before.Items[i].ID] = before.Items[i].State
	}
	for i := range s.Items {
		x := &s.Items[i]
		if x.Kind != ItemCard || was[x.ID] == x.State {
			continue
		}
		switch x.State {
		case ItemMissing:
			s.endCard(x, access.CredentialLost)
		case ItemDisposed:
			s.endCard(x, access.CredentialRevoked)
		}
	}
}

// endCard takes the rights from the card that an item is.
func (s *Snapshot) endCard(x *Item, status access.CredentialStatus) {
	for i := range s.Credentials {
		if c := &s.Credentials[i]; string(c.ID) == x.Refers && c.Status != access.CredentialRevoked {
			c.Status = status
		}
	}
}

// ItemsDue lists the items whose next count is due by a day, never counted ones first, and the missing ones.
func (s *Snapshot) ItemsDue(today Date) []Item {
	var out []Item
	for _, x := range s.Items {
		due := x.Every > 0 && (x.Counted.IsZero() || !today.Before(x.Counted.AddDays(x.Every)))
		if x.State == ItemMissing || x.State == ItemPresent && due {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(a, b Item) int {
		switch {
		case a.Counted == b.Counted:
			return 0
		case a.Counted.IsZero() || !b.Counted.IsZero() && a.Counted.Before(b.Counted):
			return -1
		}
		return 1
	})
	return out
}
