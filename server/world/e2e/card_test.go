package e2e

import (
	"strings"
	"testing"
	"time"
)

// refused counts how often a door's reader showed that a card was turned away.
func (s *site) refused(gateway, door string) int {
	n := 0
	for _, l := range s.trace(gateway) {
		if len(l.fields) == 4 && l.fields[0] == "show" && l.fields[1] == door && strings.HasPrefix(l.fields[3], "red,") {
			n++
		}
	}
	return n
}

// AD-7, I5, with the shipped programs: a card is reported lost on the command line beside a running server. Every badge
// after the command has returned is turned away, the first one within 5 s of the command's start; and 5 s after it the
// gateway knows by itself: with the server killed it turns the card away alone, and opens for another one.
func TestCardRevokedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "none"}}
	s := newSite(t, officeCSV(t, 2, 77, 1, doors), gatewaysOf(doors))
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	opens := func(card string) bool {
		t.Helper()
		released, refused := s.released("gw-1", "d1"), s.refused("gw-1", "d1")
		if _, err := s.tell("gw-1", "badge d1 enter H10301 77 "+card); err != nil {
			t.Fatal(err)
		}
		opened := false
		s.until(20*time.Second, "the door answers card "+card, func() bool {
			opened = s.released("gw-1", "d1") > released
			return opened || s.refused("gw-1", "d1") > refused
		})
		if opened {
			s.pass("gw-1", "d1")
		}
		pause(t)
		return opened
	}
	if !opens("1") || !opens("2") {
		t.Fatal("a good card does not open the door")
	}
	began := time.Now()
	s.run("card", "--config", s.path("server.toml"), "c0000", "lost", "--reason", "紛失届")
	told := time.Since(began)
	if opens("1") {
		t.Error("the lost card opened the door after the command had returned")
	}
	took := time.Since(began)
	t.Logf("%v from the command's start to its end, %v to the refusal at the door (with the test's pause of 0.5 s)", told, took)
	if took > 5*time.Second {
		t.Errorf("refused only after %v", took)
	}
	time.Sleep(time.Until(began.Add(5 * time.Second))) // the promise, not a guess
	s.server.kill()
	s.until(20*time.Second, "the lease runs out", func() bool { linked, _ := s.status("gw-1"); return !linked })
	if opens("1") {
		t.Error("5 s after the command the gateway, alone, still opens for the lost card")
	}
	if !opens("2") {
		t.Error("the gateway, alone, does not open for a good card")
	}
}
