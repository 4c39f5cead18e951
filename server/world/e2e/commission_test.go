package e2e

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tablet is a browser in which the page of an acceptance was opened with the code that stands on the terminal.
func (s *site) tablet() (c *http.Client, page string) {
	s.t.Helper()
	said := regexp.MustCompile(`Page: (https://\S+) .* code (\d{8})`)
	var m [][]byte
	s.until(30*time.Second, "the page's code is told", func() bool {
		m = said.FindSubmatch(s.logs.Bytes())
		return m != nil
	})
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c = &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // its fingerprint is TestPageOpensOnce's
	r, err := c.PostForm(string(m[1]), url.Values{"code": {string(m[2])}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil || r.StatusCode != http.StatusOK {
		s.t.Fatalf("the page: %d, %v", r.StatusCode, err)
	}
	return c, string(m[1])
}

// fetch gives the body of a page; empty when nobody answers.
func fetch(t *testing.T, c *http.Client, at string) string {
	t.Helper()
	r, err := c.Get(at)
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// ADR 0050: a door is accepted by its own records. Everything is done at a simulated door of a gateway that
// `commission` runs; it ends by itself, its sheet says accepted, and the server's log frames the records by
// `maintenance`. Broken off, the sheet and the log say what was not seen, and the program fails.
func TestCommission(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "button"}}
	s := newSite(t, officeCSV(t, 1, 123, 4567, doors), gatewaysOf(doors))
	text, err := os.ReadFile(s.path("gw-1.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("gw-1.toml", strings.Replace(string(text), "[[door]]\n", "[[door]]\nopen_time = \"5s\"\n", 1))
	s.startServer()
	begin := func(more ...string) *process {
		p := s.start("monban-gateway", append([]string{"commission", "--config", s.path("gw-1.toml"), "--sim", "--control", s.path("gw-1.sock"), "--out", s.dir, "d1"}, more...)...)
		s.gateways["gw-1"] = p
		s.linked("gw-1")
		return p
	}
	sheets := func(word string) (n int) {
		files, _ := filepath.Glob(s.path("acceptance-d1-*.html"))
		for _, f := range files {
			if b, err := os.ReadFile(f); err == nil && strings.Contains(string(b), word) {
				n++
			}
		}
		return n
	}
	do := func(line string) {
		t.Helper()
		if _, err := s.tell("gw-1", line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		time.Sleep(4 * settle)
	}
	state := func(word string) {
		t.Helper()
		s.until(30*time.Second, "the door is "+word, func() bool {
			reply, err := s.tell("gw-1", "state d1")
			return err == nil && strings.Contains(reply, word)
		})
	}

	p := begin("--listen", "127.0.0.1:0")
	browser, page := s.tablet()
	do("badge d1 enter H10301 99 1") // nobody's card
	do("badge d1 enter H10301 123 4567")
	state("lock=released")
	s.pass("gw-1", "d1")
	do("force d1")
	do("close d1")
	do("rex d1")
	do("leave d1")
	time.Sleep(6 * time.Second) // longer than open_time
	do("close d1")
	do("tamper d1 on")
	_, _ = s.tell("gw-1", "tamper d1 off") // the last step: the program may end before it answers
	// It stays until the browser that the code has opened has the sheet; nobody else could bring it to a printer.
	s.until(30*time.Second, "the sheet is on the page", func() bool {
		text := fetch(t, browser, page+"sheet")
		return strings.Contains(text, "every step was recorded")
	})
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatal("the acceptance does not end although everything was done")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 || sheets("every step was recorded") != 1 {
		t.Errorf("exit code %d, %d sheets that say accepted", code, sheets("every step was recorded"))
	}

	time.Sleep(1100 * time.Millisecond) // sheets are named by the second
	p = begin()
	do("badge d1 enter H10301 123 4567")
	s.drained("gw-1")
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		t.Fatal("the acceptance does not end when it is broken off")
	}
	if p.cmd.ProcessState.ExitCode() == 0 || sheets("steps are missing") != 1 {
		t.Errorf("broken off: exit code %d, %d sheets that say so", p.cmd.ProcessState.ExitCode(), sheets("steps are missing"))
	}
	s.startGateway("gw-1")
	s.drained("gw-1")
	s.gateways["gw-1"].stop(t)
	s.server.stop(t)
	out := s.run("log", "--config", s.path("server.toml"), "--json")
	var framed []string
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, `"maintenance"`) {
			for _, word := range []string{"not_accepted", "accepted", "commission"} {
				if strings.Contains(line, `"`+word+`"`) {
					framed = append(framed, word)
					break
				}
			}
		}
	}
	if got := strings.Join(framed, " "); got != "commission accepted commission not_accepted" {
		t.Errorf("the log frames %q", got)
	}
}
