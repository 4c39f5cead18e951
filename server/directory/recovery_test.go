package directory

import (
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

// AD-18: the file's list is the door's whole list, in any order; an empty cell keeps it, "none" empties
// it, and what cannot work is refused with what to do.
func TestImportRecoveryCards(t *testing.T) {
	const head = "door_id,name,gateway_id,enter_zone,kind,exit,guards_server,recovery_cards,offline\n"
	row := func(guards, cards, offline string) string {
		return head + "server-room-1,Front,gw-1,server-room,controlled,reader," + guards + "," + cards + "," + offline + "\n"
	}
	for _, c := range []struct{ guards, cards, offline, want, problem string }{
		{"", "", "", "C-001 C-003", ""},
		{"yes", "C-010;C-002、C-001", "", "C-001 C-002 C-010", ""},
		{"no", "none", "", "", ""},
		{"no", "なし", "deny", "", ""},
		{"yes", "none", "", "", "guards the server and has no recovery cards; name 2–4"},
		{"yes", "C-001", "", "", "has 1 recovery card; name 2–4"},
		{"yes", "C-001 C-002 C-003 C-004 C-005", "", "", "names 5 recovery cards, at most 4"},
		{"yes", "C-001 C-001", "", "", "names a recovery card twice"},
		{"yes", "C-001 C-099", "", "", "is not in the directory"},
		{"yes", "C-001 C-009", "", "", "names a card without a PIN"},
		{"yes", "C-001 C-002", "deny", "", "denies everybody while it is away"},
	} {
		file := File{Name: "doors.csv", Kind: KindDoors, Data: []byte(row(c.guards, c.cards, c.offline))}
		next, _, err := Import(sampleSite(t), []File{file}, testConfig())
		if c.problem != "" {
			if err == nil || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%q %q: %v, want %q", c.guards, c.cards, err, c.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q %q: %v", c.guards, c.cards, err)
			continue
		}
		if got := doorNamed(&next, "server-room-1").Recovery.String(); got != c.want {
			t.Errorf("%q %q: cards %q, want %q", c.guards, c.cards, got, c.want)
		}
	}
	gateways := File{Name: "gateways.csv", Kind: KindGateways, Data: []byte("gateway_id,name,key_mode\ngw-1,Server room,D\n")}
	if _, _, err := Import(sampleSite(t), []File{gateways}, testConfig()); err == nil || !strings.Contains(err.Error(), "key_mode D") {
		t.Errorf("key mode D at the door that guards the server: %v", err)
	}
	gateways.Data = []byte("gateway_id,name,key_mode\ngw-2,Store,D\n")
	if next, _, err := Import(sampleSite(t), []File{gateways}, testConfig()); err != nil || next.Gateways[1].KeyMode != KeyServer {
		t.Errorf("key mode D elsewhere: %v", err)
	}
}

func doorNamed(s *Snapshot, id access.DoorID) *Door {
	for i := range s.Doors {
		if s.Doors[i].ID == id {
			return &s.Doors[i]
		}
	}
	return &Door{}
}

// AD-18: a lost recovery card is stopped at once whatever it was for; afterwards the doctor says that the
// server's door can lock everybody out.
func TestLockout(t *testing.T) {
	today := Date{2026, time.November, 24}
	for name, c := range map[string]struct {
		spoil func(s *Snapshot)
		want  string
	}{
		"all well":      {func(*Snapshot) {}, ""},
		"one card lost": {func(s *Snapshot) { s.Credentials[0].Status = access.CredentialLost }, "1 of its 2 recovery cards can be used"},
		"one card over": {func(s *Snapshot) { s.Credentials[2].ValidUntil = today.AddDays(-1) }, "1 of its 2"},
		"one not yet":   {func(s *Snapshot) { s.Credentials[2].ValidFrom = today.AddDays(1) }, "1 of its 2"},
		"last day":      {func(s *Snapshot) { s.Credentials[2].ValidUntil = today }, ""},
		"person left":   {func(s *Snapshot) { s.People[0].Active = false }, "1 of its 2"},
		"person over":   {func(s *Snapshot) { s.People[0].ValidUntil = today.AddDays(-1) }, "1 of its 2"},
		"contract over": {func(s *Snapshot) { s.People[0].ContractUntil = today.AddDays(-1) }, "1 of its 2"},
		"without PIN":   {func(s *Snapshot) { s.Credentials[0].PIN = card.PINRef{} }, "1 of its 2"},
		"one holder":    {func(s *Snapshot) { s.Credentials[2].Person = s.Credentials[0].Person }, "are one person's"},
		"lockdown":      {func(s *Snapshot) { doorNamed(s, "server-room-1").Mode = access.ModeLockdown }, "in mode lockdown"},
		"observed": {func(s *Snapshot) {
			d := doorNamed(s, "server-room-1")
			d.Kind, d.Recovery = door.KindObserve, RecoveryCards{}
		}, ""},
		"guards nothing": {func(s *Snapshot) {
			d := doorNamed(s, "server-room-1")
			d.GuardsServer, d.Recovery = false, RecoveryCards{}
		}, ""},
		"no cards at all": {func(s *Snapshot) { doorNamed(s, "server-room-1").Recovery = RecoveryCards{} }, "0 of its 0"},
	} {
		s := sampleSite(t)
		c.spoil(&s)
		got := s.Lockout(today).Error()
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	s := sampleSite(t)
	s.Credentials[0].Status, s.Credentials[2].Status = access.CredentialLost, access.CredentialRevoked
	if probs := s.Validate(); len(probs) > 0 {
		t.Errorf("stopping recovery cards is refused: %v", probs)
	}
}
