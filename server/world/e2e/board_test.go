package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"monban/server/app"
	"monban/server/config"
	"monban/server/store"
	"monban/server/web"
	"monban/server/world/faultproxy"
)

// OP-1: every part that the simulator has is pulled at one of two gateways, one after the other. The status board and the
// findings change in exactly that part, stay so for a heartbeat, and change back when it is put back; the other gateway's never change.
func TestPullEachPart(t *testing.T) {
	t.Parallel()
	doors := []doorSpec{{"d1", "gw-1", "reader"}, {"d2", "gw-2", "reader"}}
	s := newSite(t, officeCSV(t, 1, cardFC, 1, doors), gatewaysOf(doors))
	b := s.board()
	proxy := s.through(seed(t), gatewaysOf(doors))
	var mute atomic.Bool // gw-1's records do not arrive; its heartbeats do
	proxy.SetTap(func(m faultproxy.Message) []faultproxy.Message {
		if mute.Load() && m.Gateway == "gw-1" && strings.HasSuffix(m.Topic, "/up/events") {
			return nil
		}
		return []faultproxy.Message{m}
	})
	s.startServer()
	for _, gw := range []string{"gw-1", "gw-2"} {
		s.startGateway(gw)
		s.drained(gw)
	}
	well := map[string]string{}
	for _, id := range []string{"1", "2"} {
		maps.Copy(well, map[string]string{
			"gw-" + id + " link": "up", "gw-" + id + " waiting": "no", "gw-" + id + " clock": "server", "gw-" + id + " policy": "current",
			"gw-" + id + " mains": "yes", "gw-" + id + " battery": "ok", "gw-" + id + " certificate": "good",
			"d" + id + " state": "secured", "d" + id + " contact": "closed", "d" + id + " reader": "ok", "d" + id + " mode": "normal",
		})
	}
	badge := fmt.Sprintf("badge d1 enter H10301 %d 1", cardFC)
	b.shows("all well", well, 0)
	for _, p := range []struct {
		part       string
		pull, back []string
		board      map[string]string // while it is pulled
		found      []string          // the findings that it leaves
		after      map[string]string // what stays after it was put back
	}{
		{part: "contact", pull: []string{"force d1"}, back: []string{"close d1"}, board: map[string]string{"d1 state": "forced", "d1 contact": "open"}, found: []string{"forced_open d1"}},
		{part: "reader", pull: []string{"reader d1 enter lost"}, back: []string{"reader d1 enter back"}, board: map[string]string{"d1 reader": "lost"}, found: []string{"reader_lost d1"}},
		{part: "tamper", pull: []string{"tamper d1 on"}, back: []string{"tamper d1 off"}, found: []string{"tamper d1"}},
		{part: "mains", pull: []string{"mains lost"}, back: []string{"mains back"}, board: map[string]string{"gw-1 mains": "no"}, found: []string{"mains_lost gw-1"}},
		{part: "battery", pull: []string{"battery low"}, back: []string{"battery ok"}, board: map[string]string{"gw-1 battery": "low"}, found: []string{"battery_low gw-1"}},
		{part: "link", pull: []string{"link down"}, back: []string{"link up"},
			board: map[string]string{"gw-1 link": "lost", "gw-1 mains": "unknown", "gw-1 battery": "unknown", "d1 state": "unknown", "d1 contact": "unknown", "d1 reader": "unknown"}},
		{part: "outbox", pull: []string{"mute", "bits d1 enter 1011"}, back: []string{"unmute"}, board: map[string]string{"gw-1 waiting": "yes"}},
		// Last: the door stays out of order until two people re-arm it.
		{part: "lock", pull: []string{"strike d1 fail", badge}, back: []string{"strike d1 ok"}, board: map[string]string{"d1 state": "faulted"}, found: []string{"strike_failed d1"},
			after: map[string]string{"d1 state": "faulted"}},
	} {
		tell := func(lines []string) {
			t.Helper()
			for _, line := range lines {
				switch line {
				case "mute", "unmute":
					mute.Store(line == "mute")
				default:
					if _, err := s.tell("gw-1", line); err != nil {
						t.Fatalf("%s: %s: %v", p.part, line, err)
					}
				}
			}
		}
		tell(p.pull)
		for _, found := range p.found {
			well[found] = "open" // a finding stays until somebody has looked
		}
		pulled := maps.Clone(well)
		maps.Copy(pulled, p.board)
		began := time.Now()
		b.shows(p.part+" pulled", pulled, 1)
		t.Logf("%-8s seen after %v", p.part, time.Since(began).Round(time.Millisecond))
		tell(p.back)
		maps.Copy(well, p.after)
		b.shows(p.part+" put back", well, 0) // what comes late is seen when the next one is pulled
	}
}

// board reads the status board as a program does that has a token of the site's API.
type board struct {
	s     *site
	token string
}

// board makes an account that may read the machines' health; the server must not run yet.
func (s *site) board() board {
	s.t.Helper()
	cfg, err := config.Load(s.path("server.toml"))
	if err != nil {
		s.t.Fatal(err)
	}
	in, err := app.OpenSite(cfg, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	token, hash := web.NewToken()
	role := web.RoleCSIRT.String()
	err = in.Store.Write(s.t.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.InsertAccount(store.Account{ID: "watch", Login: "watch", FullName: "watch", PasswordHash: "x", CreatedMS: 1, Roles: []store.RoleAssignment{{Role: role}}}),
			tx.InsertToken(store.APIToken{ID: "watch", Hash: hash, Account: "watch", Name: "watch", Roles: []string{role}, CreatedMS: 1, ExpiresMS: time.Now().Add(time.Hour).UnixMilli()}))
	})
	if err := errors.Join(err, in.Close()); err != nil {
		s.t.Fatal(err)
	}
	return board{s, token}
}

// get reads one answer of the API.
func (b board) get(path string, into any) {
	b.s.t.Helper()
	rq, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/api/1/%s", b.s.http, path), nil)
	if err != nil {
		b.s.t.Fatal(err)
	}
	rq.Header.Set("Authorization", "Bearer "+b.token)
	res, err := http.DefaultClient.Do(rq)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(into); err != nil || res.StatusCode != http.StatusOK {
		b.s.t.Fatalf("%s: %d, %v", path, res.StatusCode, err)
	}
}

// read is every part of the board by name, and every open finding by kind and place; seen is when each gateway was heard last.
func (b board) read() (parts, seen map[string]string) {
	b.s.t.Helper()
	var doors struct {
		Items []struct{ ID, State, Contact, Reader, Mode string }
	}
	type versions struct{ Rules, Modes, State uint64 }
	var gateways struct {
		Items []struct {
			ID, Clock, Mains, Battery string
			CertDue                   bool `json:"certificate_due"`
			Linked                    bool
			Pending                   uint64
			LastSeen                  string   `json:"last_seen"`
			Held                      versions `json:"policy_held"`
			InForce                   versions `json:"policy_in_force"`
		}
	}
	var findings struct {
		Items []struct {
			Kind    string
			Open    bool
			Door    *struct{ ID string }
			Gateway string
		}
	}
	b.get("doors", &doors)
	b.get("gateways", &gateways)
	b.get("findings", &findings)
	word := func(b bool, yes, no string) string {
		if b {
			return yes
		}
		return no
	}
	parts, seen = map[string]string{}, map[string]string{}
	for _, d := range doors.Items {
		parts[d.ID+" state"], parts[d.ID+" contact"], parts[d.ID+" reader"], parts[d.ID+" mode"] = d.State, d.Contact, d.Reader, d.Mode
	}
	for _, g := range gateways.Items {
		parts[g.ID+" link"], parts[g.ID+" waiting"] = word(g.Linked, "up", "lost"), word(g.Pending > 0, "yes", "no")
		parts[g.ID+" clock"], parts[g.ID+" policy"] = g.Clock, word(g.Held == g.InForce, "current", "behind")
		parts[g.ID+" mains"], parts[g.ID+" battery"], parts[g.ID+" certificate"] = g.Mains, g.Battery, word(g.CertDue, "due", "good")
		seen[g.ID] = g.LastSeen
	}
	for _, f := range findings.Items {
		where := f.Gateway
		if f.Door != nil {
			where = f.Door.ID
		}
		parts[f.Kind+" "+where] = word(f.Open, "open", "closed")
	}
	return parts, seen
}

// shows waits until the board is exactly as wanted, and for as many more heartbeats of every linked gateway.
func (b board) shows(when string, want map[string]string, more int) {
	b.s.t.Helper()
	var differs []string
	deadline := time.Now().Add(time.Minute)
	beats, last := map[string]int{}, map[string]string{} // heartbeats since all was as wanted; the newest one
	for {
		parts, seen := b.read()
		differs = differs[:0]
		for _, part := range slices.Sorted(maps.Keys(union(parts, want))) {
			if parts[part] != want[part] {
				differs = append(differs, fmt.Sprintf("%s %q, want %q", part, parts[part], want[part]))
			}
		}
		done := len(differs) == 0
		for id, at := range seen {
			switch {
			case !done:
				beats[id] = 0
			case len(last) > 0 && at != last[id]:
				beats[id]++
			}
		}
		for id := range seen {
			done = done && (beats[id] >= more || parts[id+" link"] == "lost")
		}
		last = seen
		if done {
			return
		}
		if time.Now().After(deadline) {
			b.s.t.Fatalf("%s: %s", when, strings.Join(differs, "; "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func union(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}
