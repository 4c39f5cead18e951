package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Every bad input gets one line that says what was wrong and where, exit code 1, and nothing half-done.
func TestBadInputIsExplained(t *testing.T) {
	doors := []doorSpec{{"d1", "gw-1", "reader"}}
	s := newSite(t, officeCSV(t, 2, 55, 1, doors), gatewaysOf(doors))
	conf, err := os.ReadFile(s.path("server.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("unknown-key.toml", "colour = \"red\"\n"+string(conf))
	s.write("open.toml", strings.Replace(string(conf), fmt.Sprintf("127.0.0.1:%d", s.http), "0.0.0.0:8080", 1))
	s.write("gw-unknown.toml", "colour = \"red\"\n")
	s.write("garbage.db", strings.Repeat("this is no database\n", 500))
	for dir, rows := range map[string]string{
		"bad-csv":     "person_id,name,section,category\nx1,﨑山,会計課,staff\nx2,,会計課,nobody\n",
		"bad-cards":   "card_id,person_id,format,facility_code,card_number,assurance,status\nk1,p0000,H10301,999,70000,uid_only,active\n",
		"bad-columns": "person_id,name,nmae,section,category\nx1,﨑山,x,会計課,staff\n",
	} {
		if err := os.Mkdir(s.path(dir), 0o700); err != nil {
			t.Fatal(err)
		}
		name := "people.csv"
		if dir == "bad-cards" {
			name = "cards.csv"
		}
		s.write(filepath.Join(dir, name), rows)
	}
	for _, c := range []struct {
		name    string
		args    []string
		lines   int // 0 = one
		mention []string
	}{
		{"unknown configuration key", []string{"serve", "--config", s.path("unknown-key.toml")}, 0, []string{"unknown-key.toml:1", "colour"}},
		{"pages beyond loopback without TLS", []string{"serve", "--config", s.path("open.toml")}, 0, []string{"http.listen", "0.0.0.0:8080"}},
		{"broken CSV row", []string{"import", "--config", s.path("server.toml"), s.path("bad-csv")}, 2, []string{"people.csv:3", "category"}},
		{"card number that does not fit", []string{"import", "--config", s.path("server.toml"), s.path("bad-cards")}, 0, []string{"cards.csv:2"}},
		{"unknown column", []string{"import", "--config", s.path("server.toml"), s.path("bad-columns")}, 0, []string{"people.csv:1", "nmae"}},
		{"unreadable database", []string{"verify", s.path("garbage.db")}, 0, []string{"garbage.db"}},
		{"site that is there already", []string{"setup", "--config", s.path("server.toml")}, 0, []string{s.path("server")}},
		{"gateway identity that is there already", []string{"gateway", "add", "--config", s.path("server.toml"), "gw-1", "--out", s.path("gw-1-identity")}, 0, []string{"gw-1-identity"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := s.try(c.args...)
			if err == nil {
				t.Fatalf("accepted:\n%s", out)
			}
			want := max(c.lines, 1)
			if got := strings.Count(strings.TrimSpace(out), "\n") + 1; got > want+1 || strings.Contains(out, "goroutine") {
				t.Errorf("%d lines, want about %d:\n%s", got, want, out)
			}
			for _, m := range c.mention {
				if !strings.Contains(out, m) {
					t.Errorf("does not mention %q:\n%s", m, out)
				}
			}
			if strings.Contains(out, "70000") {
				t.Errorf("repeats a card number:\n%s", out)
			}
		})
	}
	// Nothing was half-applied: the good rows of the broken files are not in the directory.
	if out := s.run("import", "--config", s.path("server.toml"), "--dry-run", s.path("csv")); !strings.Contains(out, "0 rows") {
		t.Errorf("after the refused imports the directory differs:\n%s", out)
	}
	t.Run("port in use", func(t *testing.T) {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.http))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out, err := s.try("serve", "--config", s.path("server.toml"))
		if err == nil || !strings.Contains(out, fmt.Sprintf("127.0.0.1:%d", s.http)) || strings.Count(strings.TrimSpace(out), "\n") > 0 {
			t.Errorf("err %v:\n%s", err, out)
		}
	})
	t.Run("key that others can read, key of something else", func(t *testing.T) {
		key := s.path("server/ca/server.key")
		if err := os.Chmod(key, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := s.try("serve", "--config", s.path("server.toml"))
		if err == nil || !strings.Contains(out, "server.key") || !strings.Contains(out, "chmod 600") {
			t.Errorf("err %v:\n%s", err, out)
		}
		if err := os.Chmod(key, 0o600); err != nil {
			t.Fatal(err)
		}
		good, err := os.ReadFile(key)
		if err != nil {
			t.Fatal(err)
		}
		other, err := os.ReadFile(s.path("server/ca/issuing.key"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(key, other, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err = s.try("serve", "--config", s.path("server.toml"))
		if err == nil || !strings.Contains(out, "server.key") || !strings.Contains(out, "server.crt") {
			t.Errorf("err %v:\n%s", err, out)
		}
		if err := os.WriteFile(key, good, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("gateway", func(t *testing.T) {
		out, err := exec.Command(filepath.Join(binDir, "monban-gateway"), "run", "--sim", "--config", s.path("gw-unknown.toml")).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "gw-unknown.toml:1") || !strings.Contains(string(out), "colour") {
			t.Errorf("err %v:\n%s", err, out)
		}
	})
	// Doctor: a good installation passes but for the accounts and the copies of the master key that are still missing.
	out, err := s.try("doctor", "--config", s.path("server.toml"))
	if err == nil || strings.Count(out, "BAD") != 2 || !strings.Contains(out, "set-up code") || !strings.Contains(out, "keys copy") {
		t.Errorf("doctor: err %v:\n%s", err, out)
	}
}

// Readers' bad inputs are events, never cards: an unknown card is refused and logged, a parity error is
// logged, and neither moves the strike (AD-1, I9).
func TestStrangeReadsAreEvents(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "none"}}
	s := newSite(t, officeCSV(t, 1, 55, 1, doors), gatewaysOf(doors))
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	for _, l := range []string{
		"badge d1 enter H10301 200 999",             // nobody's card
		"bits d1 enter 10111101100010001110101111",  // one bit off: parity
		"bits d1 enter 1011",                        // no length that the reader knows
		"bits d1 enter " + strings.Repeat("10", 64), // 128 bits
	} {
		if _, err := s.tell("gw-1", l); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		pause(t)
	}
	s.drained("gw-1")
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)
	events := map[string]int{}
	for _, a := range s.attempts() {
		for _, e := range a.events {
			events[e]++
		}
		if a.decision != nil && a.decision.Outcome == "granted" {
			t.Errorf("granted: %+v", a.decision)
		}
		if a.decision != nil && a.decision.Reason != "unknown_credential" {
			t.Errorf("decision %+v, want unknown_credential", a.decision)
		}
	}
	if events["denied"] != 1 || events["read_error"] != 3 {
		t.Errorf("events %v, want one denied and three read_error", events)
	}
	if n := s.released("gw-1", "d1"); n != 0 {
		t.Errorf("%d unlock edges", n)
	}
}
