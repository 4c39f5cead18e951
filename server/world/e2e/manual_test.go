package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// OP-10, OP-5: who has nothing but the manual gets the site back. The commands of the sections Backup and Restore are taken from the manual and run
// as they stand there, but for the folders; what is copied by hand is the list of the manual. Nothing else is done to the second machine.
func TestRestoreFromTheManual(t *testing.T) {
	for _, m := range []struct{ file, backup, restore string }{
		{"operations.md", "## Backup", "## Restore"}, {"operations.ja.md", "## バックアップ", "## 復元"},
	} {
		t.Run(m.file, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile("../../../docs/" + m.file)
			if err != nil {
				t.Fatal(err)
			}
			restoreByManual(t, section(t, string(data), m.backup), section(t, string(data), m.restore))
		})
	}
}

// section is the text under a heading.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, "\n"+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

var manualCommand = regexp.MustCompile("`(monban-server [^`]+)`")

// commands are those of a section that begin with one of these words, in their order.
func commands(text string, begin ...string) (out []string) {
	for _, m := range manualCommand.FindAllStringSubmatch(text, -1) {
		line := strings.Join(strings.Fields(m[1]), " ")
		if slices.ContainsFunc(begin, func(b string) bool { return strings.HasPrefix(line, "monban-server "+b) }) {
			out = append(out, line)
		}
	}
	return out
}

// byHand are the names of what the manual has copied by hand: those in the brackets after the data folder.
func byHand(t *testing.T, backup string) (out []string) {
	t.Helper()
	m := regexp.MustCompile("(?s)\n2\\. .*?`data_dir`[^`(（]*[(（]([^)）]*)[)）]").FindStringSubmatch(backup)
	if m == nil {
		t.Fatal("the manual does not say what is copied by hand")
	}
	for _, q := range regexp.MustCompile("`([a-z.-]+)`").FindAllStringSubmatch(m[1], -1) {
		out = append(out, q[1])
	}
	return out
}

func restoreByManual(t *testing.T, backup, restore string) {
	doors := []doorSpec{{"d1", "gw-1", "none"}}
	s := newSite(t, officeCSV(t, 8, 77, 1, doors), gatewaysOf(doors))
	stick := "stick-1"
	run := func(line string) {
		t.Helper()
		for _, r := range [][2]string{{"/etc/monban/server.toml", s.path("server.toml")}, {"--config FILE", "--config " + s.path("server.toml")}, {"/mnt/backup/monban-$(date +%F)", s.path("monban-2026-11-25")},
			{"/mnt/backup/", s.path("") + "/"}, {"/media/stick", s.path(stick)}, {"--to DIR", "--to " + s.path(stick)}, {" data/monban.db", " " + s.path("server/monban.db")}} {
			line = strings.ReplaceAll(line, r[0], r[1])
		}
		c := exec.Command("sh", "-c", "exec "+binDir+"/"+line)
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		t.Log(line)
	}
	copied := func(from, to string) {
		t.Helper()
		if err := os.MkdirAll(s.path(to), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range byHand(t, backup) {
			if _, err := os.Stat(s.path(from + "/" + name)); err != nil && name != "gateways" {
				t.Errorf("the manual names what is not there: %v", err)
			} else if err != nil {
				continue
			}
			if out, err := exec.Command("cp", "-a", s.path(from+"/"+name), s.path(to)+"/").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
	}
	badge := func(n string) {
		t.Helper()
		before := s.released("gw-1", "d1")
		if _, err := s.tell("gw-1", "badge d1 enter H10301 77 "+n); err != nil {
			t.Fatal(err)
		}
		s.until(time.Minute, "the strike moves", func() bool { return s.released("gw-1", "d1") > before })
		s.pass("gw-1", "d1")
	}
	keys := commands(backup, "keys copy")
	made := commands(backup, "backup --config")
	after := commands(restore, "restore", "doctor", "verify")
	if len(keys) != 1 || len(made) != 1 || len(after) != 4 {
		t.Fatalf("commands of the manual: %q %q %q", keys, made, after)
	}
	for _, stick = range []string{"stick-1", "stick-2"} {
		if err := os.Mkdir(s.path(stick), 0o700); err != nil {
			t.Fatal(err)
		}
		run(keys[0])
	}
	s.startServer()
	var code []byte
	s.until(time.Minute, "the set-up code", func() bool {
		if m := regexp.MustCompile(`Set-up code[^:]*: (\S+)`).FindSubmatch(s.logs.Bytes()); m != nil {
			code = m[1]
		}
		return code != nil
	})
	r, err := http.PostForm(fmt.Sprintf("http://127.0.0.1:%d/setup", s.http), url.Values{"code": {string(code)}, "name": {"sakiyama"}, "full_name": {"﨑山 直子"},
		"password": {"drill of an afternoon"}, "repeat": {"drill of an afternoon"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close() // doctor says whether it was made
	s.startGateway("gw-1")
	s.linked("gw-1")
	badge("1")
	s.drained("gw-1")
	run(made[0])
	badge("2") // only the gateway has this when the disk is gone
	s.drained("gw-1")
	s.server.stop(t)
	copied("server", "safe")

	begin := time.Now()
	if err := os.RemoveAll(s.path("server")); err != nil {
		t.Fatal(err)
	}
	copied("safe", "server")
	run(after[0])
	run(after[1])
	s.startServer()
	s.linked("gw-1")
	badge("3")
	s.drained("gw-1")
	entries := func() int {
		n := 0
		for _, l := range s.log() {
			if l.Kind == "record" && strings.Contains(string(l.Body), `"entry"`) {
				n++
			}
		}
		return n
	}
	s.server.stop(t)
	run(after[2])
	run(after[3])
	t.Logf("from an empty machine to a card that opened and a clean check: %v", time.Since(begin).Round(100*time.Millisecond))
	if n := entries(); n != 3 {
		t.Errorf("%d entries in the log, want all three", n)
	}
}
