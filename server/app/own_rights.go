package app

import (
	"slices"

	"monban/server/directory"
	"monban/server/store"
)

// markOwn notes which of the changes gave a right, a group or a card to the person behind one of the accounts that made them (VR-1): when
// they enter by it, somebody else looks at it.
func markOwn(tx *store.Tx, changes []directory.Change, accounts ...string) error {
	list, err := tx.Accounts()
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.Person == "" || !slices.Contains(accounts, a.ID) {
			continue
		}
		for i := range changes {
			if x, ok := ownRight(&changes[i], directory.PersonID(a.Person)); ok {
				if err := tx.MarkOwn(a.Person, x); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// ownRight is what a change gives a person, if it does.
func ownRight(c *directory.Change, person directory.PersonID) (store.OwnRight, bool) {
	switch {
	case c.Op == directory.OpRemove:
	case c.Grant != nil && c.Grant.Person == person:
		return store.OwnRight{Noun: "grant", ID: string(c.Grant.ID)}, true
	case c.Group != nil && slices.Contains(c.Group.Members, person):
		return store.OwnRight{Noun: "group", ID: string(c.Group.ID)}, true
	case c.Credential != nil && c.Credential.Person == person:
		return store.OwnRight{Noun: "card", ID: string(c.Credential.ID)}, true
	}
	return store.OwnRight{}, false
}
