package store_test

import (
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// What was imported is read back as it was typed, and importing it again changes nothing: no row, no
// leaf. EV-1, RA-4: each row that changed was one leaf.
func TestDirectoryRoundTrip(t *testing.T) {
	s := sitetest.New(t)
	files, err := directory.SampleFiles()
	if err != nil {
		t.Fatal(err)
	}
	cfg := directory.ImportConfig{Now: sitetest.Now(), Zone: s.Zone, Cards: s.Keys, Relative: true}
	want, changes, err := directory.Import(directory.Snapshot{}, files, cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Read(func(r *store.ReadTx) error {
		got, err := r.Directory()
		if err != nil {
			return err
		}
		if diff := directory.Diff(want, got); len(diff) > 0 {
			t.Errorf("read back: %v", diff)
		}
		leaves, err := r.Leaves(0, 1000)
		actions := 0
		for _, l := range leaves {
			if l.Kind == "action" {
				actions++
			}
		}
		if actions != len(changes) {
			t.Errorf("%d leaves for %d changes", actions, len(changes))
		}
		return err
	})
	size := s.Store.Size()
	err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
		again, err := directory.ImportFiles(tx, directory.Actor{From: "cli"}, "again", files, cfg)
		if len(again) > 0 {
			t.Errorf("again: %v", again)
		}
		return err
	})
	if err != nil || s.Store.Size() != size {
		t.Errorf("%d new leaves, err %v", s.Store.Size()-size, err)
	}
}

// Changes, removals and refusals, in the store as in memory.
func TestDirectoryChanges(t *testing.T) {
	s := sitetest.New(t)
	actor := directory.Actor{Account: "acc-1", From: "local"}
	change := func(fn func(tx *store.Tx) error) error { return s.Store.Write(t.Context(), fn) }
	err := change(func(tx *store.Tx) error {
		_, err := directory.Update(tx, actor, "clean-up", sitetest.Now().UnixMilli(), func(d *directory.Snapshot) error {
			d.Grants, d.Credentials, d.ClosedDays = nil, nil, d.ClosedDays[:1]
			d.People[0].Name = "𠮷田\u3000葛\U000e0100城"
			d.Doors[0].Mode = access.ModeLocked
			d.Schedules[0].Windows = nil
			d.Schedules = d.Schedules[:1]
			d.Gateways[1].KeyMode = directory.KeyServer
			for i := range d.Doors { // AD-18: no cards, no door that needs them
				d.Doors[i].GuardsServer, d.Doors[i].Recovery = false, directory.RecoveryCards{}
			}
			return nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Read(func(r *store.ReadTx) error {
		d, err := r.Directory()
		if err == nil && (len(d.Grants)+len(d.Credentials) != 0 || len(d.ClosedDays) != 1 || d.People[0].Name != "𠮷田\u3000葛\U000e0100城" ||
			d.Doors[0].Mode != access.ModeLocked || d.Gateways[1].KeyMode != directory.KeyServer || len(d.Schedules) != 1 || d.Schedules[0].Windows != nil) {
			t.Errorf("%+v", d)
		}
		return err
	})
	size := s.Store.Size()
	for name, edit := range map[string]func(*directory.Snapshot) error{
		"a zone that a door needs": func(d *directory.Snapshot) error { d.Zones = nil; return nil },
		"a person without a name":  func(d *directory.Snapshot) error { d.People[0].Name = ""; return nil },
	} {
		if err := change(func(tx *store.Tx) error {
			_, err := directory.Update(tx, actor, "wrong", sitetest.Now().UnixMilli(), edit)
			return err
		}); err == nil || s.Store.Size() != size {
			t.Errorf("%s: err %v, %d leaves", name, err, s.Store.Size()-size)
		}
	}
}

// Text that a database might take for a command is text: it is stored, searched for and read back as it was typed, in names as in
// reasons, and nothing else changes (threat model).
func TestHostileTextIsText(t *testing.T) {
	s := sitetest.New(t)
	for _, name := range []string{"'); DROP TABLE person;--", `x" OR "1"="1`, "髙橋%_' UNION SELECT * FROM account --", "?1 :name @x $y", `\'; PRAGMA writable_schema=1;`} {
		var before, after directory.Snapshot
		err := s.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
			if before, err = tx.Directory(); err != nil {
				return err
			}
			_, err = directory.Update(tx, directory.Actor{Account: "acc-1", From: "local"}, name, sitetest.Now().UnixMilli(), func(d *directory.Snapshot) error {
				d.People[0].Name, d.People[0].Section = name, name
				return nil
			})
			return err
		})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		s.Read(func(r *store.ReadTx) (err error) {
			after, err = r.Directory()
			return err
		})
		if after.People[0].Name != name || after.People[0].Section != name {
			t.Errorf("%q is read back as %q, %q", name, after.People[0].Name, after.People[0].Section)
		}
		if diff := directory.Diff(before, after); len(diff) != 1 {
			t.Errorf("%q: %d rows changed, want one: %v", name, len(diff), diff)
		}
	}
	if err := s.Store.QuickCheck(t.Context()); err != nil {
		t.Error(err)
	}
}
