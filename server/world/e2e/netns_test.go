package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	netServer  = "10.231.77.1"
	netGateway = "10.231.77.2"
)

// network is two namespaces joined by a cable: the server's and the gateway's. It is the test's own;
// nothing outside it is touched.
type network struct {
	t      *testing.T
	server string
	side   string
}

// newNetwork skips the test, loudly, where the kernel or the user cannot do it.
func newNetwork(t *testing.T) *network {
	t.Helper()
	skip := func(why string) {
		t.Helper()
		t.Skipf("SKIPPED, NOT PASSED: %s; loss, duplication and partition of packets have not been tested", why)
	}
	if os.Geteuid() != 0 {
		skip("not root")
	}
	for _, p := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(p); err != nil {
			skip(p + " is not installed (apt-get install iproute2 nftables)")
		}
	}
	n := &network{t, fmt.Sprintf("monban-%d-s", os.Getpid()), fmt.Sprintf("monban-%d-g", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", n.server).CombinedOutput(); err != nil {
		skip(fmt.Sprintf("no network namespace: %v: %s", err, out))
	}
	t.Cleanup(func() {
		_ = exec.Command("ip", "netns", "del", n.server).Run() // with its end of the cable
		_ = exec.Command("ip", "netns", "del", n.side).Run()
	})
	n.do("ip", "netns", "add", n.side)
	n.do("ip", "link", "add", "mb0", "netns", n.server, "type", "veth", "peer", "name", "mb0", "netns", n.side)
	for ns, addr := range map[string]string{n.server: netServer, n.side: netGateway} {
		n.do("ip", "-n", ns, "link", "set", "lo", "up")
		n.do("ip", "-n", ns, "addr", "add", addr+"/24", "dev", "mb0")
		n.do("ip", "-n", ns, "link", "set", "mb0", "up")
	}
	if err := n.rules(n.side, "drop"); err != nil {
		skip(fmt.Sprintf("nft does not work here: %v", err))
	}
	n.clear()
	return n
}

func (n *network) do(args ...string) {
	n.t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		n.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// rules puts a rule on what comes in at one side's end of the cable.
func (n *network) rules(ns, rule string) error {
	return n.load(ns, "table inet chaos {\nchain in {\ntype filter hook input priority 0\niif \"mb0\" "+strings.Replace(rule, "drop", "counter drop", 1)+"\n}\n}\n")
}

func (n *network) load(ns, text string) error {
	cmd := exec.Command("ip", "netns", "exec", ns, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// hits counts the packets that the rules in force have touched.
func (n *network) hits() int {
	total := 0
	for _, ns := range []string{n.server, n.side} {
		out, err := exec.Command("ip", "netns", "exec", ns, "nft", "list", "ruleset").Output()
		if err != nil {
			n.t.Fatal(err)
		}
		for _, part := range strings.Split(string(out), "counter packets ")[1:] {
			hit := 0
			_, _ = fmt.Sscan(part, &hit) // a form that we do not know counts as none
			total += hit
		}
	}
	return total
}

func (n *network) clear() {
	for _, ns := range []string{n.server, n.side} {
		n.do("ip", "netns", "exec", ns, "nft", "flush", "ruleset")
	}
}

func (n *network) inside(ns, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", ns, filepath.Join(binDir, program)}, args...)...)
}

// I2, I3, I6: packets between server and gateway are lost, doubled, and stopped in one direction and in
// both. No door moves by it; a valid card is let in all the same; afterwards every record arrives.
func TestNetworkFaults(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	const fc = 33
	doors := []doorSpec{{"d1", "gw-1", "none"}}
	s := newSiteAt(t, netServer, officeCSV(t, 10, fc, 1, doors), gatewaysOf(doors))
	s.server = s.launch(n.inside(n.server, "monban-server", "serve", "--config", s.path("server.toml")))
	s.gateways["gw-1"] = s.launch(n.inside(n.side, "monban-gateway", "run", "--config", s.path("gw-1.toml"), "--sim",
		"--control", s.path("gw-1.sock"), "--trace", s.path("gw-1.trace")))
	s.until(20*time.Second, "the gateway takes commands", func() bool {
		_, err := s.tell("gw-1", "# are you there")
		return err == nil
	})
	s.linked("gw-1")
	person := 0
	for _, c := range []struct {
		name string
		cut  bool // the lease ends
		set  func() error
	}{
		{"three of ten packets lost on each side", false, func() error {
			return firstError(n.rules(n.side, "numgen random mod 100 < 30 drop"), n.rules(n.server, "numgen random mod 100 < 30 drop"))
		}},
		{"packets to the server doubled", false, func() error {
			return n.load(n.side, "table ip chaos {\nchain out {\ntype filter hook output priority -150\nip daddr "+netServer+" counter dup to "+netServer+"\n}\n}\n")
		}},
		{"nothing reaches the gateway", true, func() error { return n.rules(n.side, "drop") }},
		{"nothing reaches anybody", true, func() error { return firstError(n.rules(n.side, "drop"), n.rules(n.server, "drop")) }},
	} {
		before := s.edges("gw-1")
		if err := c.set(); err != nil {
			t.Errorf("SKIPPED, NOT PASSED: %s: %v", c.name, err)
			continue
		}
		if c.cut {
			s.until(20*time.Second, c.name+": the lease is lost", func() bool { up, _ := s.status("gw-1"); return !up })
		} else {
			time.Sleep(2 * time.Second)
		}
		if now := s.edges("gw-1"); now != before {
			t.Errorf("I6: %s: %d unlock edges", c.name, now-before)
		}
		s.goThrough(c.name, "gw-1", "d1", fc, person)
		person++
		if hit := n.hits(); hit == 0 {
			t.Errorf("%s: no packet was touched", c.name)
		}
		n.clear()
		start := time.Now()
		s.until(60*time.Second, c.name+": linked again", func() bool { up, _ := s.status("gw-1"); return up })
		s.drained("gw-1")
		t.Logf("%s: linked and drained %v after its end", c.name, time.Since(start).Round(time.Millisecond))
	}
	if now := s.edges("gw-1"); now != person {
		t.Errorf("%d unlock edges for %d cards", now, person)
	}
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)
	s.ordered()
	s.run("verify", s.path("server/monban.db"))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
