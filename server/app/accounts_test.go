package app

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/store"
	"monban/server/web"
	"monban/server/web/webtest"
)

// emptyStore is a database without a directory.
func emptyStore(t *testing.T) *store.Store {
	t.Helper()
	dir := t.TempDir()
	path, master := filepath.Join(dir, "keystore.json"), filepath.Join(dir, "master.key")
	if err := keystore.Create(path, master, rand.Reader); err != nil {
		t.Fatal(err)
	}
	keys, err := keystore.Open(path, master, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(filepath.Join(dir, "monban.db"), store.Options{Zone: time.FixedZone("Asia/Tokyo", 9*3600), Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// actions lists the action leaves of a database, oldest first.
func actions(t testing.TB, s *store.Store) (out []entrylog.Action) {
	t.Helper()
	err := s.Read(t.Context(), func(r *store.ReadTx) error {
		leaves, err := r.Leaves(0, 10_000)
		for _, l := range leaves {
			if l.Kind != entrylog.KindAction {
				continue
			}
			a, err := entrylog.ParseAction(l.Body)
			if err != nil {
				return err
			}
			out = append(out, a)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The sources over the real database keep the same promises as those in memory (RA-3, RA-4).
func TestAccountsConform(t *testing.T) {
	type stores struct {
		accounts
		web.Live
		factors
	}
	for name, check := range webtest.Conformance() {
		t.Run(name, func(t *testing.T) {
			s := emptyStore(t)
			check(t, webtest.Fresh{
				Stores: stores{accounts{s}, &pages{store: s}, factors{store: s, key: [32]byte{1}}},
				Code: func(hash [32]byte, made time.Time) {
					err := s.Write(context.Background(), func(tx *store.Tx) error {
						return tx.InsertSetupCode(hash, made.Add(web.SetupCodeLife))
					})
					if err != nil {
						t.Fatal(err)
					}
				},
				Leaves: func() int { return len(actions(t, s)) },
			})
		})
	}
}

// PR-2, RA-4: address, reason and filter may concern a person; they stand in the opening and not in
// the leaf.
func TestActionLeafNamesNobody(t *testing.T) {
	s := emptyStore(t)
	act := web.Action{
		At: time.Now(), Kind: web.ActionViewLog, Actor: "ACCOUNT", Target: "2026-11-24", Address: "192.0.2.77", Filter: "q=葛󠄀城", Reason: "照会",
	}
	if err := (accounts{s}).RecordAction(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	got := actions(t, s)
	if len(got) != 1 || got[0].Verb != "view_log" || got[0].Target != "day" || got[0].ID != "2026-11-24" || !got[0].Reason {
		t.Fatalf("leaves %+v", got)
	}
	err := s.Read(t.Context(), func(r *store.ReadTx) error {
		leaf, err := r.Leaf(1)
		if err != nil {
			return err
		}
		for _, private := range []string{"192.0.2.77", "葛", "照会"} {
			if contains(leaf.Body, private) {
				t.Errorf("the leaf holds %q: %s", private, leaf.Body)
			}
		}
		o, err := r.Opening(1)
		if err != nil {
			return err
		}
		if o.Address != "192.0.2.77" || o.Text != "照会\nq=葛󠄀城" {
			t.Errorf("opening %+v", o)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A role that this program does not know, from a newer database, gives no rights.
func TestUnknownRoleGivesNothing(t *testing.T) {
	a := toWeb(store.Account{Roles: []store.RoleAssignment{{Role: "emperor"}, {Role: web.RoleAuditor.String()}}})
	if len(a.Roles) != 1 || a.Roles[0].Role != web.RoleAuditor {
		t.Errorf("roles %v", a.Roles)
	}
}
