package app

import (
	"errors"
	"testing"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// AD-9, AD-10, AD-13, RA-4: forgiveness, zone reset and PIN reset need a reason, are one leaf each with who and why,
// name no person outside the opening (PR-2), and count at once.
func TestZoneDesk(t *testing.T) {
	s := sitetest.New(t)
	places := authority.New(s.Publisher).Places()
	desk := ZoneDesk{Store: s.Store, Places: places, Site: s.Site, Now: sitetest.Now}
	now := sitetest.Now().UnixMilli()
	for i, person := range []string{"1001", "1002"} {
		places.Follow(review.Fact{AtMS: now - 1000, Gateway: "gw-1", Door: "server-room-1", Event: door.EventEntry, Attempt: door.Attempt{byte(i + 1)}}, person, wire.Epoch{1}, uint64(i+1))
	}
	officer := Officer{Account: "a-7", From: "lan", Address: "10.0.0.7", Reason: "left by the fire door at 17:10"}
	mute := officer
	mute.Reason = "  "
	if err := desk.Forgive(t.Context(), mute, "1001"); !errors.Is(err, directory.ErrNoReason) {
		t.Errorf("without a reason: %v", err)
	}
	for name, err := range map[string]error{
		"person": desk.Forgive(t.Context(), officer, "9999"), "zone": desk.ResetZone(t.Context(), officer, "moon"), "card": desk.ResetPIN(t.Context(), officer, "C-999"),
	} {
		if !errors.Is(err, directory.ErrNoSuch) {
			t.Errorf("unknown %s: %v", name, err)
		}
	}
	if got := places.Inside("server-room"); len(got) != 2 {
		t.Fatalf("refused acts moved somebody: %v", got)
	}
	before := s.Store.Size()
	if err := desk.Forgive(t.Context(), officer, "1001"); err != nil {
		t.Fatal(err)
	}
	if at, _ := places.PlaceOf("1001"); at != "" || len(places.Inside("server-room")) != 1 {
		t.Errorf("forgiven, and in %q", at)
	}
	if err := desk.ResetZone(t.Context(), officer, "server-room"); err != nil {
		t.Fatal(err)
	}
	if got := places.Inside("server-room"); len(got) != 0 {
		t.Errorf("emptied, and %v are inside", got)
	}
	if err := desk.ResetPIN(t.Context(), officer, "C-001"); err != nil {
		t.Fatal(err)
	}
	if n := s.Store.Size() - before; n != 3 {
		t.Errorf("%d leaves, want one an act", n)
	}
	s.Read(func(r *store.ReadTx) error {
		for i, want := range []entrylog.Action{
			{Verb: store.ActForgiven, Target: "person"}, {Verb: store.ActZoneReset, Target: "zone", ID: "server-room"}, {Verb: store.ActPINReset, Target: "card"},
		} {
			leaf, err := r.Leaf(before + int64(i))
			if err != nil {
				return err
			}
			a, err := entrylog.ParseAction(leaf.Body)
			if err != nil {
				return err
			}
			o, err := r.Opening(before + int64(i))
			if err != nil {
				return err
			}
			if a.Verb != want.Verb || a.Target != want.Target || a.ID != want.ID || a.Account != "a-7" || !a.Reason || o.Text != officer.Reason || o.Address != "10.0.0.7" {
				t.Errorf("leaf %+v, opening %+v", a, o)
			}
			if want.ID == "" && o.Target == "" {
				t.Errorf("%s: the opening does not say whom", a.Verb)
			}
		}
		acts, err := r.ZoneActs(0)
		if len(acts) != 3 || acts[0].Subject != "1001" || acts[1].Subject != "server-room" || acts[2].Subject != "C-001" {
			t.Errorf("acts %+v", acts)
		}
		return err
	})
}
