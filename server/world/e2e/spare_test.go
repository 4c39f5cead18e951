package e2e

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// spareLimit is what a spare gateway may take until a door opens again (OP-9).
const spareLimit = 15 * time.Minute

// OP-9: the drill. A gateway dies for good with its card; a spare without anything is invited, takes the door's identity, gets
// its policy, and the card that opened the door before opens it again, with the server and without. Nobody imports or enrols
// anything. What the server had acknowledged of the dead one stays as it was; only what it had not delivered is lost with it.
func TestSpareGatewayDrill(t *testing.T) {
	t.Parallel()
	s, port := enrolling(t)
	enrol := func(flags ...string) {
		t.Helper()
		if out, err := s.enrol(port, s.invite(flags...), s.path("gw-1-identity"), s.confirm); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	tell := func(line string) {
		t.Helper()
		if _, err := s.tell("gw-1", line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	badge := func() { // the published vector: the one card of this site
		t.Helper()
		before := s.released("gw-1", "d1")
		tell("bits d1 enter 10111101100010001110101110")
		s.until(time.Minute, "the strike moves", func() bool { return s.released("gw-1", "d1") > before })
		s.pass("gw-1", "d1")
	}
	enrol()
	s.startGateway("gw-1")
	s.linked("gw-1")
	badge()
	s.drained("gw-1")
	tell("link down")
	s.until(time.Minute, "the gateway knows that it is alone", func() bool { up, _ := s.status("gw-1"); return !up })
	badge() // of this the server hears nothing any more
	s.gateways["gw-1"].kill()
	s.server.stop(t) // the log can be read only now
	kept := s.recordsOf("gw-1")
	if len(kept) == 0 {
		t.Fatal("the gateway has delivered nothing: the drill shows nothing")
	}
	s.startServer()
	s.waitPort(port)

	died := time.Now()
	for _, gone := range []string{"gw-1", "gw-1-identity", "gw-1.trace"} {
		if err := os.RemoveAll(s.path(gone)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(s.path("gw-1"), 0o700); err != nil { // the spare's empty card
		t.Fatal(err)
	}
	step := func(what string) { t.Logf("%-45s after %v", what, time.Since(died).Round(time.Millisecond)) }
	enrol("--replace")
	step("the spare has the door's identity")
	s.startGateway("gw-1")
	s.linked("gw-1")
	step("it is linked and holds its policy")
	badge()
	took := time.Since(died)
	step("the same card has opened the door")
	if took > spareLimit {
		t.Errorf("the drill took %v, limit %v", took, spareLimit)
	}
	s.drained("gw-1")
	tell("link down")
	s.until(time.Minute, "the spare knows that it is alone", func() bool { up, _ := s.status("gw-1"); return !up })
	badge() // by its own policy, with keys that the dead one never had
	tell("link up")
	s.drained("gw-1")
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)

	now := s.recordsOf("gw-1")
	if len(now) <= len(kept) || !slices.Equal(now[:len(kept)], kept) {
		t.Errorf("the dead one's %d records are not the first of %d any more:\n%v\n%v", len(kept), len(now), kept, now)
	}
	var next uint64
	for _, r := range now[len(kept):] {
		if next++; r.epoch == kept[0].epoch || r.seq != next {
			t.Errorf("the spare's record %d is %+v: want a series of its own without gaps", next, r)
		}
	}
	by := map[string]int{}
	for _, a := range s.attempts() {
		if a.door != "d1" || a.person != "p0000" || !slices.Contains(a.events, "entry") {
			t.Errorf("attempt %+v", a)
		}
		by[a.by]++
	}
	if len(by) != 2 || by["server"] != 2 || by["gateway"] != 1 {
		t.Errorf("entries by who decided: %v, want two by the server and one by the spare alone", by)
	}
	if out := s.run("import", "--config", s.path("server.toml"), "--dry-run", s.path("csv")); !strings.Contains(out, "0 rows") {
		t.Errorf("people, cards or doors were changed: %s", out)
	}
	s.run("verify", "--openings", s.path("server/monban.db"))
}

// recordKey is one record of a gateway in the log.
type recordKey struct {
	index uint64 // of its leaf
	epoch string
	seq   uint64
	event string
}

// recordsOf lists a gateway's records as they stand in the log, in its order.
func (s *site) recordsOf(gateway string) (out []recordKey) {
	s.t.Helper()
	for _, l := range s.log() {
		if l.Kind != "record" {
			continue
		}
		var r recordBody
		if err := json.Unmarshal(l.Body, &r); err != nil {
			s.t.Fatal(err)
		}
		if b := r.Body; b.Gateway == gateway {
			out = append(out, recordKey{l.Index, b.Epoch, b.Seq, b.Event})
		}
	}
	return out
}
