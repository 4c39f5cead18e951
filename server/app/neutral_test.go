package app

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// PR-6, EV-2: what leaves the house as a checkpoint (on papers, in QR codes, to witnesses) is the log's neutral name, a number and a hash: no word
// of the site, a zone, a door or a person.
func TestCheckpointIsNeutral(t *testing.T) {
	cfg := testSite(t)
	leaves(t, cfg, 3)
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Store.SignNow(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := s.Store.Checkpoint()
	const form = `^(monban/[0-9a-f]{8})\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n— (monban/[0-9a-f]{8}) [A-Za-z0-9+/=]+\n$`
	m := regexp.MustCompile(form).FindStringSubmatch(c)
	if m == nil || m[1] != m[2] {
		t.Fatalf("a checkpoint has more than name, size, hash and signature:\n%s", c)
	}
	if strings.Contains(m[1], cfg.Site) {
		t.Error("the log's name holds the site's")
	}
	if regexp.MustCompile(form).MatchString(strings.Replace(c, "\n\n", "\nserver-room\n\n", 1)) {
		t.Error("the check does not see an extension line")
	}
}
