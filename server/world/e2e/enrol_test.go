package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	codeShown        = regexp.MustCompile(`(?m)^  ([A-Z2-7-]{48})$`)
	fingerprintShown = regexp.MustCompile(`Fingerprint of gw-1: (\S+)`)
)

// enrolling makes a site whose gateway gw-1 has no identity yet.
func enrolling(t *testing.T) (s *site, port int) {
	t.Helper()
	doors := []doorSpec{{"d1", "gw-1", "reader"}}
	s, port = newSite(t, officeCSV(t, 1, 123, 4567, doors), nil), freePort(t)
	conf, err := os.ReadFile(s.path("server.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("server.toml", string(conf)+fmt.Sprintf("\n[enrol]\nlisten = \"127.0.0.1:%d\"\n", port))
	if err := os.MkdirAll(s.path("gw-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("gw-1.toml", fmt.Sprintf("gateway = \"gw-1\"\nsite = \"e2e\"\nserver = \"tls://127.0.0.1:%d\"\nenrol_server = \"127.0.0.1:%d\"\nidentity_dir = %q\ndata_dir = %q\n\n%s",
		s.mqtt, port, s.path("gw-1-identity"), s.path("gw-1"), gatewaysOf(doors)[0].doors[0]))
	s.startServer()
	s.waitPort(port)
	return s, port
}

func (s *site) invite(args ...string) string {
	s.t.Helper()
	out := s.run(append([]string{"gateway", "invite", "--config", s.path("server.toml"), "--reason", "test", "gw-1"}, args...)...)
	m := codeShown.FindStringSubmatch(out)
	if m == nil {
		s.t.Fatalf("no code in %q", out)
	}
	return m[1]
}

// enrol runs monban-gateway enrol; confirm is called with the fingerprint that it shows.
func (s *site) enrol(port int, code, dir string, confirm func(fingerprint string)) (string, error) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), filepath.Join(binDir, "monban-gateway"), "enrol",
		"--server", fmt.Sprintf("127.0.0.1:%d", port), "--gateway", "gw-1", "--out", dir, code)
	out, err := cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	var errs lockedBuffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	var text strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		text.WriteString(lines.Text() + "\n")
		if m := fingerprintShown.FindStringSubmatch(lines.Text()); m != nil && confirm != nil {
			confirm(m[1])
		}
	}
	err = cmd.Wait()
	all := text.String() + string(errs.Bytes())
	_, _ = s.logs.Write([]byte(all))
	return all, err
}

func (s *site) confirm(fingerprint string) {
	s.run("gateway", "confirm", "--config", s.path("server.toml"), "gw-1", fingerprint)
}

// A gateway enrols with a code and a compared fingerprint beside a running server, opens a door, is denied within
// seconds, and a spare takes its place without a card being enrolled again (OP-3, OP-9, RA-4).
func TestEnrolDenyReplace(t *testing.T) {
	t.Parallel()
	s, port := enrolling(t)
	out, err := s.enrol(port, s.invite(), s.path("gw-1-identity"), s.confirm)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	badge := func() {
		t.Helper()
		s.startGateway("gw-1")
		s.linked("gw-1")
		before := s.released("gw-1", "d1")
		if _, err := s.tell("gw-1", "bits d1 enter 10111101100010001110101110"); err != nil {
			t.Fatal(err)
		}
		s.until(10*time.Second, "the strike moves", func() bool { return s.released("gw-1", "d1") == before+1 })
	}
	badge()
	s.run("gateway", "deny", "--config", s.path("server.toml"), "gw-1", "--reason", "stolen")
	denied := time.Now()
	// The broker ends the session within half a second; without one nothing is asked and nothing is answered.
	s.until(5*time.Second, "the live session of the denied gateway is cut", func() bool {
		return bytes.Contains(s.logs.Bytes(), []byte("certificate_denied"))
	})
	cut := time.Since(denied)
	// The lease that it holds runs out by itself, at most 3 s later (I5), and no other comes.
	s.until(20*time.Second, "the denied gateway knows that it is alone", func() bool { linked, _ := s.status("gw-1"); return !linked })
	t.Logf("session cut after %v, lease over after %v", cut, time.Since(denied))
	s.gateways["gw-1"].kill()

	// The spare: empty card, same id.
	if err := os.RemoveAll(s.path("gw-1")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(s.path("gw-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path("gw-1-identity"), s.path("stolen")); err != nil {
		t.Fatal(err)
	}
	if out, err = s.enrol(port, s.invite("--replace"), s.path("gw-1-identity"), s.confirm); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	badge()
	for name, same := range map[string]bool{"card_key": true, "pin_key": true, "gateway_key": false, "ask_key": false} {
		if old, now := s.sharedKey("stolen", name), s.sharedKey("gw-1-identity", name); (old == now) != same {
			t.Errorf("%s of the spare is the stolen one's: %v, want %v", name, old == now, same)
		}
	}
	s.gateways["gw-1"].stop(t)
	time.Sleep(1500 * time.Millisecond) // the server makes leaves of spooled events each second
	s.server.stop(t)
	leaves := s.run("log", "--config", s.path("server.toml"), "--json")
	for _, verb := range []string{"gateway_invited", "gateway_confirmed", "gateway_enrolled", "gateway_denied"} {
		if !strings.Contains(leaves, verb) {
			t.Errorf("no leaf of %s", verb)
		}
	}
	s.run("verify", "--openings", s.path("server/monban.db"))
}

// sharedKey is a key that an identity shares with the server.
func (s *site) sharedKey(identity, name string) string {
	s.t.Helper()
	data, err := os.ReadFile(s.path(identity + "/symmetric.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var keys map[string]struct{ Key string }
	if err := json.Unmarshal(data, &keys); err != nil || keys[name].Key == "" {
		s.t.Fatalf("%s: no %s (%v)", identity, name, err)
	}
	return keys[name].Key
}

// Each wrong way to enrol gets one line that says what to do, and nothing is written.
func TestEnrolRefusals(t *testing.T) {
	t.Parallel()
	s, port := enrolling(t)
	refused := func(name, code, want string) {
		t.Helper()
		out, err := s.enrol(port, code, s.path("x"), nil)
		if err == nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v, %q; want one line with %q", name, err, out, want)
		}
		if _, err := os.Stat(s.path("x")); err == nil {
			t.Errorf("%s: an identity was written", name)
		}
	}
	code := s.invite()
	refused("half a code", code[:20], "not a whole code")
	other := []byte(code)
	other[0] = "AB"[(other[0]+1)%2] // another secret, the same server
	if other[0] == code[0] {
		other[0] = 'C'
	}
	refused("wrong code", string(other), "the code is wrong")
	last := []byte(code)
	last[30] = 'A' + (last[30]-'A'+1)%2 // within the server's part
	if string(last) == code {
		last[30] = 'C'
	}
	refused("another server", string(last), "not the server that made the code")
	first, err := s.enrol(port, code, s.path("first"), func(string) { // before anybody confirms, a second one comes
		refused("used code", code, "another gateway has used this code")
		if out, err := s.try("gateway", "confirm", "--config", s.path("server.toml"), "gw-1", "AAAA-AAAA-AAAA-AAAA"); err == nil || !strings.Contains(out, "withdrawn") {
			t.Errorf("another fingerprint was confirmed: %v %s", err, out)
		}
	})
	if err == nil || !strings.Contains(first, "no gateway of this name is invited") {
		t.Errorf("after the invite was withdrawn: %v %s", err, first)
	}
	refused("withdrawn", code, "no gateway of this name is invited")
	short := s.invite("--for", "1s")
	time.Sleep(1200 * time.Millisecond)
	refused("expired", short, "the code has expired")
	if out, err := s.try("gateway", "invite", "--config", s.path("server.toml"), "--reason", "x", "--for", "25h", "gw-1"); err == nil || !strings.Contains(out, "24h") {
		t.Errorf("a code for 25 hours: %v %s", err, out)
	}
	if out := string(s.logs.Bytes()); strings.Count(out, code) > 2 { // twice where the operator sees it, in no log
		t.Errorf("the code stands %d times in the output", strings.Count(out, code))
	}
}
