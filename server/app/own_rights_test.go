package app

import (
	"testing"

	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// VR-1: a right that an account writes for its own person is remembered, one for somebody else is not.
func TestOwnRightsAreRemembered(t *testing.T) {
	at := sitetest.Now()
	reg, s := registryAt(t, &at, true)
	own := func(person string) (out []store.OwnRight) {
		if err := s.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
			out, err = r.OwnRights(person)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	var mine, theirs string
	if err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		list, err := r.Accounts()
		for _, a := range list {
			if a.ID == first.Account {
				mine = a.Person
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if mine == "" {
		t.Fatal("the account has no person")
	}
	if theirs = "1009"; mine == theirs {
		theirs = "1008"
	}
	_, err := reg.Change(t.Context(), first, "試験", func(d *directory.Snapshot) error {
		for _, p := range []string{mine, theirs} {
			g := directory.Grant{Person: directory.PersonID(p), Zone: "floor-3", Schedule: "office", ValidUntil: directory.DateOf(at.AddDate(0, 1, 0))}
			if err := d.PutGrant(reg.Today(), g); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := own(mine); len(got) != 1 || got[0].Noun != "grant" {
		t.Errorf("own rights %v, want the grant", got)
	}
	if got := own(theirs); len(got) != 0 {
		t.Errorf("somebody else's: %v", got)
	}
}
