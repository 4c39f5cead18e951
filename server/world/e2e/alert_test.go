package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// receiver is an officer's channel: it checks every signature and remembers when each message came.
type receiver struct {
	mu     sync.Mutex
	copies map[string]int // by webhook-id
	cases  []time.Time    // of first copies of alerts about forced doors
	bad    error
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.cases)
}

// AL-1: sensor → gateway → broker → server → log → channel with real processes: each forced door is told within 5 s. The server is
// killed between a sensor and its channel: after the restart the alert arrives, every copy under the same id, at most one more a kill.
// MONBAN_ALERTS is how many alerts, MONBAN_ALERT_PATH_KILLS how many kills (`make alerts`: 300 and 10).
func TestAlertPath(t *testing.T) {
	t.Parallel()
	n, kills := environment(t, "MONBAN_ALERTS", 12), environment(t, "MONBAN_ALERT_PATH_KILLS", 1)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	check, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{copies: map[string]int{}}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, rq *http.Request) {
		body, _ := io.ReadAll(rq.Body)
		var m struct {
			Data struct{ Kind, What string }
		}
		err := check.Verify(body, rq.Header)
		if err == nil {
			err = json.Unmarshal(body, &m)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			r.bad = err
		}
		id := rq.Header.Get("Webhook-Id")
		if r.copies[id]++; r.copies[id] == 1 && m.Data.Kind == "forced_open" && m.Data.What == "alert" {
			r.cases = append(r.cases, time.Now())
		}
	}))
	t.Cleanup(hook.Close)
	var doors []doorSpec
	const perGateway = 32
	for i := range n + kills {
		doors = append(doors, doorSpec{fmt.Sprint("d", i), fmt.Sprint("gw-", 1+i/perGateway), "button"})
	}
	s := newSite(t, officeCSV(t, 1, cardFC, 1, doors), gatewaysOf(doors))
	s.write("secret", secret+"\n")
	conf, err := os.ReadFile(s.path("server.toml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("server.toml", fmt.Sprintf("%s\n[alerts]\nhours = [\"hook\"]\noff_hours = [\"hook\"]\n\n[[alerts.channel]]\nname = \"hook\"\ntype = \"webhook\"\nduress = true\nurl = %q\nsecret_file = %q\n", conf, hook.URL, s.path("secret")))
	s.startServer()
	for _, gw := range gatewaysOf(doors) {
		s.startGateway(gw.id)
		s.drained(gw.id)
	}
	force := func(d doorSpec) {
		t.Helper()
		if _, err := s.tell(d.gateway, "force "+d.id); err != nil {
			t.Fatal(err)
		}
	}
	var took []time.Duration
	for i := range n {
		began := time.Now()
		force(doors[i])
		s.until(time.Minute, "the alert of "+doors[i].id, func() bool { return r.count() > i })
		r.mu.Lock()
		took = append(took, r.cases[i].Sub(began))
		r.mu.Unlock()
	}
	slices.Sort(took)
	t.Logf("sensor to channel, %d alerts: median %v, p99 %v, slowest %v", n, took[n/2].Round(time.Millisecond), took[(99*n+99)/100-1].Round(time.Millisecond), took[n-1].Round(time.Millisecond))
	if took[n-1] > 5*time.Second {
		t.Errorf("the slowest of %d took %v, at most 5 s are allowed (AL-1)", n, took[n-1])
	}

	for k := range kills {
		force(doors[n+k])
		s.server.kill()
		s.startServer()
		s.until(2*time.Minute, "the alert after the restart", func() bool { return r.count() == n+k+1 })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bad != nil {
		t.Errorf("a message that is not ours: %v", r.bad)
	}
	doubled := 0
	for _, c := range r.copies {
		doubled += c - 1
	}
	t.Logf("%d kills between event and delivery: all told, %d copies of %d messages", kills, doubled, len(r.copies))
	if doubled > kills {
		t.Errorf("%d copies after %d kills: %v", doubled, kills, r.copies)
	}
}

// AL-6: a gateway's own bell rings for a forced door while the server is away.
func TestBellWithoutTheServer(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "button"}}
	s := newSite(t, officeCSV(t, 1, cardFC, 1, doors), gatewaysOf(doors))
	conf, err := os.ReadFile(s.path("gw-1.toml"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(conf, []byte("[[door]]"))
	s.write("gw-1.toml", string(conf[:at])+"[alarm]\noutputs = [\"lamp\", \"buzzer\", \"contact\"]\n\n"+string(conf[at:]))
	s.startGateway("gw-1") // no server has ever run
	tell := func(line string) string {
		t.Helper()
		reply, err := s.tell("gw-1", line)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	is := func(want string) {
		t.Helper()
		s.until(time.Minute, want, func() bool { return strings.Contains(tell("alarm"), want) })
	}
	is("lamp=off")
	tell("force d1")
	for _, name := range []string{"lamp", "buzzer", "contact"} {
		is(name + "=on")
	}
}
