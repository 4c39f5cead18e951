package directory

import (
	"fmt"
	"slices"

	"monban/firmware/access"
)

// CountItems notes the result of a count (EQ-4): each item named was found or is missing. A card that is
// missing is reported lost at once, and opens nothing from then on. Items that are disposed of are not counted.
func (s *Snapshot) CountItems(found, missing []ItemID, today Date) error {
	for state, ids := range map[string][]ItemID{ItemPresent: found, ItemMissing: missing} {
		for _, id := range ids {
			x, err := s.item(id)
			if err != nil {
				return err
			}
			if x.State == ItemDisposed {
				return fmt.Errorf("item %s was disposed of and is not counted", id)
			}
			x.State, x.Counted = state, today
			if state == ItemMissing {
				s.endCard(x, access.CredentialLost)
			}
		}
	}
	return nil
}

// DisposeItem takes an item out of use for good; proof says how it was erased or destroyed. Its card is revoked.
func (s *Snapshot) DisposeItem(id ItemID, proof string) error {
	x, err := s.item(id)
	if err != nil {
		return err
	}
	x.State, x.Proof = ItemDisposed, proof
	s.endCard(x, access.CredentialRevoked)
	return nil
}

func (s *Snapshot) item(id ItemID) (*Item, error) {
	for i := range s.Items {
		if s.Items[i].ID == id {
			return &s.Items[i], nil
		}
	}
	return nil, fmt.Errorf("item %s: %w", id, ErrNoSuch)
}

// endCard takes the rights from the card that an item is.
func (s *Snapshot) endCard(x *Item, status access.CredentialStatus) {
	if x.Kind != ItemCard {
		return
	}
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
