package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/app"
	"monban/server/config"
	"monban/server/store"
	"monban/server/web"
)

// person signs in at the pages of a site.
type person struct {
	t    *testing.T
	c    *http.Client
	base string
	pass string
}

func (s *site) person(name, pass string) *person {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &person{s.t, &http.Client{Jar: jar, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}, fmt.Sprintf("http://127.0.0.1:%d", s.http), pass}
	if _, code, _ := p.post("/login", url.Values{"name": {name}, "password": {pass}}); code != http.StatusSeeOther {
		s.t.Fatalf("login of %s: %d", name, code)
	}
	return p
}

// post gives where the answer leads and its status.
func (p *person) post(path string, form url.Values) (to string, code int, err error) {
	res, err := p.c.PostForm(p.base+path, form)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	return res.Header.Get("Location"), res.StatusCode, nil
}

func (s *site) unlockEdges(gateway string) (n int) {
	for _, l := range s.trace(gateway) {
		if l.fields[0] == "lock" && l.fields[2] == "released" {
			n++
		}
	}
	return n
}

// I7, I6, RA-2: two people unlock a door over the pages while the gateway is killed with SIGKILL around that moment: each
// command gives one edge at most, none without its durable record, and a restart none at all.
func TestCommandAndKillNine(t *testing.T) {
	t.Parallel()
	kills := 4
	if testing.Short() {
		kills = 2
	}
	if v := os.Getenv("MONBAN_E2E_KILLS"); v != "" { // the large form
		var err error
		if kills, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	rnd := rand.New(rand.NewPCG(uint64(seed(t)), 7))
	doors := []doorSpec{{"lab", "gw-1", "none"}}
	s := newSite(t, officeCSV(t, 1, cardFC, 1, doors), gatewaysOf(doors))
	cfg, err := config.Load(s.path("server.toml"))
	if err != nil {
		t.Fatal(err)
	}
	in, err := app.OpenSite(cfg, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	const pass = "correct horse battery staple"
	phc, err := web.HashPassword(pass, web.Cost{Time: 1, Memory: 64, Threads: 1})
	if err == nil {
		err = in.Store.Write(t.Context(), func(tx *store.Tx) error {
			var errs []error
			for name, role := range map[string]web.Role{"guard": web.RoleReception, "officer": web.RoleCSIRT} {
				errs = append(errs, tx.InsertAccount(store.Account{ID: name, Login: name, FullName: name, PasswordHash: phc, CreatedMS: 1,
					Roles: []store.RoleAssignment{{Role: role.String()}}}))
			}
			return errors.Join(errs...)
		})
	}
	if err := errors.Join(err, in.Close()); err != nil {
		t.Fatal(err)
	}
	s.startServer()
	s.startGateway("gw-1")
	s.linked("gw-1")
	guard, officer := s.person("guard", pass), s.person("officer", pass)
	unlock := func() (agree func()) {
		t.Helper()
		to, code, err := guard.post("/commands", url.Values{"door": {"lab"}, "action": {door.CommandUnlock.String()}, "reason": {"test"}, "password": {pass}})
		id, ok := strings.CutPrefix(to, "/commands?said=")
		if err != nil || code != http.StatusSeeOther || !ok {
			t.Fatalf("ask: %d %q %v", code, to, err)
		}
		return func() {
			if _, code, err := officer.post("/commands/"+id+"/agree", url.Values{"password": {pass}}); err != nil || code != http.StatusSeeOther {
				t.Errorf("agree: %d %v", code, err)
			}
		}
	}
	for n := range kills {
		before := s.unlockEdges("gw-1")
		agree := unlock()
		done := make(chan struct{})
		go func() { defer close(done); agree() }()
		if n%2 == 0 { // between act and done: as soon as the driver has written the edge down
			for end := time.Now().Add(5 * time.Second); s.unlockEdges("gw-1") == before && time.Now().Before(end); {
				time.Sleep(100 * time.Microsecond)
			}
		} else { // anywhere before
			time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond) // the password is looked at first
		}
		s.gateways["gw-1"].kill()
		if n%2 != 0 { // what is ordered only after the restart is a command for the new running, and none of this test
			<-done
		}
		after := s.unlockEdges("gw-1")
		s.startGateway("gw-1")
		s.linked("gw-1")
		s.drained("gw-1")
		<-done
		time.Sleep(300 * time.Millisecond)
		if again := s.unlockEdges("gw-1"); again != after || after > before+1 {
			t.Fatalf("I7: %d edges by the command, %d by the restart", after-before, again-after)
		}
	}
	s.server.stop(t)
	accepted, finished := map[string]int{}, map[string]int{}
	for _, l := range s.log() {
		if l.Kind != "record" {
			continue
		}
		var leaf struct {
			Body struct{ Event, Attempt string }
		}
		if err := json.Unmarshal(l.Body, &leaf); err != nil {
			t.Fatal(err)
		}
		switch door.Event(leaf.Body.Event) {
		case door.EventCommandAccepted:
			accepted[leaf.Body.Attempt]++
		case door.EventCommandDone:
			finished[leaf.Body.Attempt]++
		}
	}
	edges, both := s.unlockEdges("gw-1"), 0
	for id, n := range accepted {
		if n != 1 || finished[id] > 1 {
			t.Errorf("command %s: accepted %d times, done %d times", id, n, finished[id])
		}
		both += finished[id]
	}
	if edges > len(accepted) || both > edges || len(finished) > len(accepted) {
		t.Errorf("I1, I7: %d edges, %d accepted, %d done", edges, len(accepted), both)
	}
	if len(accepted) < (kills+1)/2 {
		t.Errorf("%d commands were accepted: the kills came too early to say anything", len(accepted))
	}
	t.Logf("%d commands, %d accepted, %d edges, %d done, %d unknown", kills, len(accepted), edges, both, len(accepted)-both)
}
