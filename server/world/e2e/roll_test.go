package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// D18, OP-3: both roots are changed under two gateways without anybody going there. During the overlap a gateway that was off
// holds the end back; after it everything goes on with the new roots, over restarts too, and what only knows the old ones is
// outside.
func TestChangeOfTheRoot(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts many processes")
	}
	doors := []doorSpec{{"d1", "gw-1", "reader"}, {"d2", "gw-2", "reader"}}
	s, port := newSite(t, officeCSV(t, 1, 123, 4567, doors), gatewaysOf(doors)), freePort(t)
	config := s.path("server.toml")
	conf, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("server.toml", string(conf)+fmt.Sprintf("\n[enrol]\nlisten = \"127.0.0.1:%d\"\n", port))
	for _, id := range []string{"gw-1", "gw-2"} {
		text, err := os.ReadFile(s.path(id + ".toml"))
		if err != nil {
			t.Fatal(err)
		}
		s.write(id+".toml", fmt.Sprintf("enrol_server = \"127.0.0.1:%d\"\n%s", port, text))
	}
	start := func() { s.startServer(); s.waitPort(port) }
	badge := func(gateway, door string) {
		t.Helper()
		s.linked(gateway)
		before := s.released(gateway, door)
		s.until(time.Minute, "the strike moves", func() bool { // again when it is still released from the time before
			if _, err := s.tell(gateway, "bits "+door+" enter 10111101100010001110101110"); err != nil {
				t.Fatal(err)
			}
			pause(t)
			return s.released(gateway, door) > before
		})
	}
	refused := func(want string, args ...string) {
		t.Helper()
		if out, err := s.try(args...); err == nil || !strings.Contains(out, want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: %v, %q; want one line with %q", args, err, out, want)
		}
	}
	start()
	s.startGateway("gw-1")
	badge("gw-1", "d1")
	if err := os.CopyFS(s.path("old-identity"), os.DirFS(s.path("gw-1-identity"))); err != nil { // somebody copied the card
		t.Fatal(err)
	}
	refused("stop it first", "ca", "roll", "--config", config, "--reason", "test")
	s.server.stop(t)
	refused("no change of the root is under way", "ca", "roll", "--config", config, "--finish", "--reason", "test")
	refused("not the key that signs", "ca", "roll", "--config", config, "--reason", "test", "--root-key", s.path("server/keys/policy.key"))
	s.run("ca", "roll", "--config", config, "--reason", "test")
	refused("under way already", "ca", "roll", "--config", config, "--reason", "test")
	refused("gw-1, gw-2", "ca", "roll", "--config", config, "--finish", "--reason", "test")

	start()
	badge("gw-1", "d1")
	status := func() string { return s.run("ca", "roll", "--config", config, "--status") }
	s.until(time.Minute, "gw-1 confirms", func() bool { return !strings.Contains(status(), "gw-1") })
	if !strings.Contains(status(), "gw-2") {
		t.Fatalf("gw-2 was off all the time and has confirmed: %s", status())
	}
	s.server.stop(t)
	refused("gw-2 would be cut off", "ca", "roll", "--config", config, "--finish", "--reason", "test")
	start()
	s.startGateway("gw-2")
	badge("gw-2", "d2")
	s.until(time.Minute, "gw-2 confirms", func() bool { return strings.Contains(status(), "every gateway has confirmed") })
	s.gateways["gw-2"].kill() // before it hears of the end
	s.server.stop(t)
	s.run("ca", "roll", "--config", config, "--finish", "--reason", "test")
	refused("no change of the root is under way", "ca", "roll", "--config", config, "--finish", "--reason", "test")

	start()
	badge("gw-1", "d1")
	s.startGateway("gw-2")
	badge("gw-2", "d2")
	// Whoever has the list of the new root believes in it alone, and starts with it.
	for _, id := range []string{"gw-1", "gw-2"} {
		s.until(time.Minute, id+" stores the new list", func() bool {
			list, err := os.ReadFile(s.path(id + "-identity/keys.note"))
			return err == nil && !strings.Contains(string(list), "next-root")
		})
		s.until(time.Minute, id+" believes in the new root alone", func() bool { // stored after the list
			root, err := os.ReadFile(s.path(id + "-identity/root.vkey"))
			want, err2 := os.ReadFile(s.path("server/keys/root.vkey"))
			return err == nil && err2 == nil && string(root) == string(want)
		})
	}
	s.gateways["gw-1"].stop(t)
	s.startGateway("gw-1")
	badge("gw-1", "d1")
	s.drained("gw-1")
	s.drained("gw-2")

	// The copy of before knows only the old root, and its certificate is of the old one.
	s.gateways["gw-1"].stop(t)
	if err := os.Rename(s.path("gw-1-identity"), s.path("new-identity")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.path("old-identity"), s.path("gw-1-identity")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"note.key", "symmetric.json", "tls.key"} {
		if err := os.Chmod(s.path("gw-1-identity/"+f), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.startGateway("gw-1")
	for range 30 { // it tries all the time; each second it would have its lease
		if up, _ := s.status("gw-1"); up {
			t.Fatal("a gateway that knows only the old root is linked")
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.gateways["gw-1"].stop(t)
	s.gateways["gw-2"].stop(t)
	s.server.stop(t)
	leaves := s.run("log", "--config", config, "--json")
	for _, verb := range []string{"root_change_begun", "root_change_ended"} {
		if strings.Count(leaves, verb) != 1 {
			t.Errorf("%d leaves of %s, want one", strings.Count(leaves, verb), verb)
		}
	}
	s.run("verify", "--openings", s.path("server/monban.db"))
	if out, _ := s.try("doctor", "--config", config); !strings.Contains(out, "ok   certificates") || strings.Contains(out, "change of the root") {
		t.Errorf("doctor: %s", out)
	}
}
