package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// The published 26-bit vector (facility code 123, card number 4567), put on the lines of a simulated
// reader bit by bit, ends as one attempt of today's log: door, person, decision, reason, who decided
// and policy version (AD-1, AD-12, I1).
func TestPublishedVectorOpensADoor(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "reader"}}
	s := newSite(t, officeCSV(t, 1, 123, 4567, doors), gatewaysOf(doors))
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	if _, err := s.tell("gw-1", "bits d1 enter 10111101100010001110101110"); err != nil {
		t.Fatal(err)
	}
	s.until(10*time.Second, "the strike moves", func() bool { return s.released("gw-1", "d1") == 1 })
	s.pass("gw-1", "d1")
	s.drained("gw-1")
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)

	lines := s.attempts()
	if len(lines) != 1 {
		t.Fatalf("%d attempts in the log, want 1: %+v", len(lines), lines)
	}
	for _, a := range lines {
		if a.decision == nil || a.decision.Outcome != "granted" || a.decision.Door != "d1" || a.decision.Policy == 0 || a.decision.Reason != "granted" {
			t.Errorf("decision %+v", a.decision)
		}
		if a.person != "p0000" || a.name != "髙橋 0号" {
			t.Errorf("person %q %q", a.person, a.name)
		}
		want := []string{"granted", "entry", "closed"}
		if len(a.events) != len(want) {
			t.Fatalf("events %v, want %v", a.events, want)
		}
		for i := range want {
			if a.events[i] != want[i] {
				t.Errorf("events %v, want %v", a.events, want)
			}
		}
		if a.by != "server" {
			t.Errorf("decided by %q, want server", a.by)
		}
	}
	out := s.run("verify", "--openings", s.path("server/monban.db"))
	t.Log(out)
}

// attemptLine is what the log says about one attempt id.
type attemptLine struct {
	decision *decisionBody
	events   []string // of the gateway's records, in order
	seqs     []uint64
	by       string
	person   string
	name     string
	door     string
}

// wentIn says that the log has each step of one passage once and in order. A gateway that had to decide
// alone may also note that the server's answer came too late.
func (a *attemptLine) wentIn() bool {
	steps := slices.DeleteFunc(slices.Clone(a.events), func(e string) bool { return e == "late_ignored" })
	return slices.Equal(steps, []string{"granted", "entry", "closed"})
}

type decisionBody struct {
	Attempt, Gateway, Door, Side, Outcome, Reason string
	Policy                                        uint64
}

type recordBody struct {
	Body struct {
		Gateway, Epoch, Door, Event, Attempt, By, Reason string
		Seq                                              uint64
	}
}

// attempts reads the log and groups it by attempt id. It reads the leaves as any outsider would, with
// none of the product's code.
func (s *site) attempts() map[string]*attemptLine {
	s.t.Helper()
	out := map[string]*attemptLine{}
	get := func(id string) *attemptLine {
		if out[id] == nil {
			out[id] = &attemptLine{}
		}
		return out[id]
	}
	for _, l := range s.log() {
		var o struct{ Person, Name string }
		if len(l.Opening) > 0 {
			if err := json.Unmarshal(l.Opening, &o); err != nil {
				s.t.Fatal(err)
			}
		}
		switch l.Kind {
		case "decision":
			var d decisionBody
			if err := json.Unmarshal(l.Body, &d); err != nil {
				s.t.Fatal(err)
			}
			a := get(d.Attempt)
			a.decision, a.door = &d, d.Door
			if o.Person != "" {
				a.person, a.name = o.Person, o.Name
			}
		case "record":
			var r recordBody
			if err := json.Unmarshal(l.Body, &r); err != nil {
				s.t.Fatal(err)
			}
			b := r.Body
			if b.Attempt == "00000000000000000000000000000000" {
				continue
			}
			a := get(b.Attempt)
			a.events, a.seqs, a.door = append(a.events, b.Event), append(a.seqs, b.Seq), b.Door
			if b.Event == "granted" || b.Event == "denied" {
				a.by = b.By
			}
			if o.Person != "" {
				a.person, a.name = o.Person, o.Name
			}
		}
	}
	return out
}

// pass opens and closes a released door as a person does: slowly enough for the contact to settle.
func (s *site) pass(gateway, door string) {
	s.t.Helper()
	if _, err := s.tell(gateway, "open "+door); err != nil {
		s.t.Fatal(err)
	}
	s.until(5*time.Second, "the lock is secured once the door is open", func() bool {
		reply, err := s.tell(gateway, "state "+door)
		return err == nil && strings.Contains(reply, "lock=secured")
	})
	time.Sleep(settle)
	if _, err := s.tell(gateway, "close "+door); err != nil {
		s.t.Fatal(err)
	}
	time.Sleep(settle)
}

// settle is twice the debounce time of the doors here: real time at a real process's door.
const settle = 100 * time.Millisecond

// released counts the unlock edges of a door that the simulator wrote down.
func (s *site) released(gateway, door string) int {
	n := 0
	for _, l := range s.trace(gateway) {
		if l.fields[0] == "lock" && l.fields[1] == door && l.fields[2] == "released" {
			n++
		}
	}
	return n
}
