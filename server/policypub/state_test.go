package policypub_test

import (
	"bytes"
	"errors"
	"testing"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// state gives a gateway's state part as it would pull it.
func state(t *testing.T, s *sitetest.Site, gw access.GatewayID) (wire.Manifest, access.StatePart, []byte) {
	t.Helper()
	m, _ := pull(t, s, gw)
	var whole []byte
	for _, h := range m.Parts[2].Chunks {
		chunk, _ := s.Chunk(gw, h)
		whole = append(whole, chunk...)
	}
	part, err := access.DecodeState(whole)
	if err != nil {
		t.Fatal(err)
	}
	return m, part, whole
}

// D7: who is inside is published by itself, for one gateway, under its own ids and version; it stays over
// changes and restarts, and the same again is no news.
func TestPublishState(t *testing.T) {
	s := sitetest.New(t)
	_, first, _ := state(t, s, "gw-1")
	if first.Version != 1 || len(first.Inside) != 0 {
		t.Fatalf("at first: %+v", first)
	}
	before, _ := s.Versions("gw-1")
	w := policypub.Whereabouts{Epoch: wire.Epoch{7}, Through: 12, Inside: []access.Placed{{Person: "1001", Zone: "server-room", LastMS: 5}, {Person: "1002", Zone: "server-room", LastMS: 6, Party: 4}}}
	if changed, err := s.PublishState(t.Context(), "gw-1", w); err != nil || !changed {
		t.Fatalf("%v, %v", changed, err)
	}
	after, _ := s.Versions("gw-1")
	if after.Rules != before.Rules || after.Modes != before.Modes || after.State <= before.State {
		t.Errorf("versions %+v, then %+v", before, after)
	}
	if other, _ := s.Versions("gw-2"); other != before {
		t.Errorf("the other gateway's versions moved: %+v", other)
	}
	m, part, raw := state(t, s, "gw-1")
	_, rules := pull(t, s, "gw-1")
	if m.Version != after.Rules+after.Modes+after.State || part.Version != after.State || part.Through != 12 || len(part.Inside) != 2 || bytes.Contains(raw, []byte(`"1001"`)) {
		t.Errorf("manifest %d, part %s", m.Version, raw)
	}
	known := 0
	for _, p := range rules.Persons {
		for _, x := range part.Inside {
			if x.Person == p.ID {
				known++
			}
		}
	}
	if known != 2 {
		t.Errorf("%d of 2 people are the gateway's own", known)
	}
	if changed, err := s.PublishState(t.Context(), "gw-1", w); err != nil || changed {
		t.Errorf("the same again: %v, %v", changed, err)
	}
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	s.Publisher = policypub.New(s.Config) // a restart
	if err := s.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if m, again, _ := state(t, s, "gw-1"); again.Version != part.Version || len(again.Inside) != 2 || m.Parts[0].Version != before.Rules+1 {
		t.Errorf("after a change and a restart: %+v", again)
	}
	if _, err := s.PublishState(t.Context(), "gw-9", w); !errors.Is(err, policypub.ErrNoGateway) {
		t.Errorf("no such gateway: %v", err)
	}
}

// AD-13: a PIN reset reaches a gateway under its own token, also where nothing is said of who is inside, and a change of
// the rules does not lose it.
func TestStateTellsOfPINResets(t *testing.T) {
	s := sitetest.New(t)
	ref := access.Key(s.Ref(4569))
	w := policypub.Whereabouts{Untold: true, Lifted: []access.Lifted{{Key: ref, AtMS: 99}}}
	for n, want := range []bool{true, false} {
		if changed, err := s.PublishState(t.Context(), "gw-1", w); err != nil || changed != want {
			t.Fatalf("time %d: %v, %v", n, changed, err)
		}
	}
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	_, part, raw := state(t, s, "gw-1")
	_, rules := pull(t, s, "gw-1")
	known := false
	for _, c := range rules.Credentials {
		known = known || len(part.Lifted) == 1 && c.Key == part.Lifted[0].Key
	}
	if !part.Untold || !known || part.Lifted[0].AtMS != 99 || part.Lifted[0].Key == ref {
		t.Errorf("%s", raw)
	}
	if st := part.State(); st.Knows() != 0 {
		t.Errorf("knows %s", st.Knows())
	}
	w.Lifted[0].AtMS = 100
	if changed, err := s.PublishState(t.Context(), "gw-1", w); err != nil || !changed {
		t.Errorf("another reset of the card: %v, %v", changed, err)
	}
}

// I5: a state part never brings back rules that a change in the same commit has replaced.
func TestStateGivesWayToAChange(t *testing.T) {
	s := sitetest.New(t)
	old := s.Site()
	if err := s.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := policypub.PublishState(tx, old, "gw-1", policypub.Whereabouts{}, sitetest.Now().UnixMilli())
		return err
	})
	if !errors.Is(err, policypub.ErrMoved) {
		t.Errorf("%v", err)
	}
}

// D22: after a restore the gateways may hold newer state parts than the database knows: each begins anew,
// above them, and says nothing until the server tells again.
func TestStateAfterRestore(t *testing.T) {
	s := sitetest.New(t)
	w := policypub.Whereabouts{Epoch: wire.Epoch{7}, Through: 12, Inside: []access.Placed{{Person: "1001", Zone: "server-room", LastMS: 5}}}
	if _, err := s.PublishState(t.Context(), "gw-1", w); err != nil {
		t.Fatal(err)
	}
	_, held, _ := state(t, s, "gw-1")
	err := s.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting(policypub.FloorSetting, "1000") })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once, not at every start
		s.Publisher = policypub.New(s.Config)
		if err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, part, _ := state(t, s, "gw-1"); part.Version != held.Version+1 || len(part.Inside) != 0 || part.Epoch != "" {
			t.Errorf("after the restore: %+v, before %d", part, held.Version)
		}
	}
}
