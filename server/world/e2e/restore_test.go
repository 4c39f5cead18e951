package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// D22, EV-3, OP-5 with the shipped programs: a backup of a running server; entries after it; the server is
// killed and last night's database put in its place by hand, on which it acknowledges nothing while the
// door goes on deciding; then it is restored, and every entry comes back from the gateway. No edge of
// the lock comes from any of this.
func TestRestoreFromBackup(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "none"}}
	s := newSite(t, officeCSV(t, 8, 77, 1, doors), gatewaysOf(doors))
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	edges := 0
	badge := func(n int) {
		t.Helper()
		before := s.released("gw-1", "d1")
		if _, err := s.tell("gw-1", fmt.Sprintf("badge d1 enter H10301 77 %d", n)); err != nil {
			t.Fatal(err)
		}
		s.until(20*time.Second, "the strike moves", func() bool { return s.released("gw-1", "d1") == before+1 })
		edges++
		s.pass("gw-1", "d1")
		pause(t)
	}
	badge(1)
	badge(2)
	s.drained("gw-1")
	s.run("backup", "--config", s.path("server.toml"), "--out", s.path("backup"))
	s.run("verify", s.path("backup/monban.db"))
	badge(3)
	badge(4)
	s.drained("gw-1")
	s.server.kill()

	// By hand, as it must not be done.
	for _, name := range []string{"monban.db-wal", "monban.db-shm"} {
		if err := os.Remove(s.path("server/" + name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	old, err := os.ReadFile(s.path("backup/monban.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path("server/monban.db"), old, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := s.try("doctor", "--config", s.path("server.toml")); err == nil || !strings.Contains(out, "it is behind") {
		t.Errorf("doctor does not say that the database is behind: %v\n%s", err, out)
	}
	s.startServer()
	s.until(20*time.Second, "the lease runs out", func() bool { linked, _ := s.status("gw-1"); return !linked })
	badge(5) // decided by the gateway alone
	if linked, pending := s.status("gw-1"); linked || pending < 3 {
		t.Errorf("EV-3: on yesterday's database: linked %v, %d records not acknowledged", linked, pending)
	}
	s.server.stop(t)

	out := s.run("restore", "--config", s.path("server.toml"), s.path("backup"), "--reason", "drill", "--by", "kato")
	if !strings.Contains(out, "are lost") || !strings.Contains(out, "replaced-") {
		t.Errorf("restore says\n%s", out)
	}
	s.startServer()
	s.linked("gw-1")
	badge(6)
	s.drained("gw-1")
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)

	out = s.run("verify", "--openings", s.path("server/monban.db"))
	if !strings.Contains(out, "took over from") {
		t.Errorf("verify does not tell of the succession:\n%s", out)
	}
	people := map[string]int{}
	for _, a := range s.attempts() {
		if a.wentIn() {
			people[a.person]++
		}
	}
	for n := range 6 {
		if id := fmt.Sprintf("p%04d", n); people[id] != 1 {
			t.Errorf("I2: %s went in once and stands in the log %d times", id, people[id])
		}
	}
	if got := s.released("gw-1", "d1"); got != edges {
		t.Errorf("I6: %d edges of the lock, %d were badged", got, edges)
	}
}
