package e2e

import (
	"bytes"
	"os"
	"testing"
	"time"
)

// AD-8, AD-11, D7, D12: a room that two persons enter, with the server and, when it is killed, without: what the state part
// last said of who is inside and what the gateway recorded itself go on counting, also over a restart of the gateway,
// which knows the time as before: a process that starts again is no boot.
func TestTwoPersonsWithTheServerAway(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and waits for a state part")
	}
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "reader"}}
	csv := officeCSV(t, 3, 123, 1, doors)
	csv["zones.csv"] = "zone_id,name,level,min_assurance,pin_always,two_person_within\nroom,サーバ室,1,uid_only,no,60s\n"
	s := newSite(t, csv, gatewaysOf(doors))
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	edges := 0
	badge := func(side, card string) {
		t.Helper()
		if _, err := s.tell("gw-1", "badge d1 "+side+" H10301 123 "+card); err != nil {
			t.Fatal(err)
		}
		pause(t)
	}
	passes := func(what, side, card string) { // one more edge, however many go in by it
		t.Helper()
		badge(side, card)
		edges++
		s.until(time.Minute, what, func() bool { return s.released("gw-1", "d1") >= edges })
		s.pass("gw-1", "d1")
		if got := s.released("gw-1", "d1"); got != edges {
			t.Fatalf("%s: %d unlock edges, want %d", what, got, edges)
		}
	}
	waits := func(what, card string) {
		t.Helper()
		badge("enter", card)
		if got := s.released("gw-1", "d1"); got != edges {
			t.Fatalf("%s: %d unlock edges, want %d", what, got, edges)
		}
	}
	pair := func(what string) {
		t.Helper()
		waits(what+": the first alone", "1")
		passes(what+": the second", "enter", "2")
	}
	oneMore := func(what string) { // person 1 is inside
		t.Helper()
		passes(what+": another one, while somebody is inside", "enter", "2")
		passes(what+": leaves again", "exit", "2")
	}
	pair("linked")
	passes("linked: one leaves, one stays", "exit", "2")
	s.drained("gw-1")
	s.until(time.Minute, "a state part says who is inside", func() bool {
		b, err := os.ReadFile(s.path("gw-1/policy.state"))
		return err == nil && bytes.Contains(b, []byte(`"zone":"room"`))
	})
	s.server.kill()
	s.until(time.Minute, "the gateway is alone", func() bool { up, _ := s.status("gw-1"); return !up })
	oneMore("alone")
	for _, what := range []string{"alone after a restart", "alone after another restart"} {
		s.gateways["gw-1"].kill()
		s.startGateway("gw-1")
		oneMore(what)
	}
	passes("alone: the last one leaves", "exit", "1")
	pair("alone")
}
