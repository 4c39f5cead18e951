package world

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/update"
	"monban/gateway/fetch"
	"monban/gateway/slot"
	"monban/server/rollout"
)

const (
	rolledNow    = 20_000 * 24 * 60 * 60
	rolledOld    = 100
	rolledNew    = 500
	rolledFile   = "programs/monban-gateway-arm64"
	rolledRounds = 1500
)

// hallOf is three gateways with their real stores and fetchers, and a server with the real plan. Its database is a text that outlives a kill.
type hallOf struct {
	t        *testing.T
	rnd      *rand.Rand
	folder   fstest.MapFS
	bad      map[string]bool // gateways that do not get well with the release
	now      time.Time
	gateways []*gatewayOf

	mu       sync.Mutex // of what follows: the server's
	database []byte
	plan     rollout.Plan
	since    time.Time
	seen     map[string]rollout.Seen
	hangUp   int // after so many answers the server is killed; 0 = it lives
}

type gatewayOf struct {
	id      string
	store   *slot.Store
	config  fetch.Config
	down    bool // its process does not run
	running int64
	trial   int64
	tried   []int64 // programs that were started to be tried
}

// killed is what a step panics with when the power goes.
type killed struct{}

var rolledRules = rollout.Rules{Settle: 2 * time.Minute, Limit: 2 * time.Hour}

func newHallOf(t *testing.T, seed uint64) *hallOf {
	t.Helper()
	private, public, err := note.GenerateKey(nil, "release")
	if err != nil {
		t.Fatal(err)
	}
	key, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) []byte {
		data, err := note.Sign(&note.Note{Text: text}, key)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	const far = 30_000 * 24 * 60 * 60
	one := update.Holders{Threshold: 1, Keys: []string{public}}
	first := sign((&update.Root{Number: 1, Expires: far, Holders: map[update.Role]update.Holders{update.RoleRoot: one, update.RoleRelease: one, update.RoleStamp: one}}).Text())
	program := []byte(strings.Repeat("program ", 20_000))
	sum := sha256.Sum256(program)
	l := &update.List{Version: "0~2", Number: rolledNew, Expires: far, Files: []update.File{{Path: rolledFile, Size: int64(len(program)), Sum: hex.EncodeToString(sum[:])}}}
	list := sign(l.Text())
	h := &hallOf{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), bad: map[string]bool{}, now: time.Unix(rolledNow, 0), seen: map[string]rollout.Seen{}, folder: fstest.MapFS{
		"root/1": {Data: first}, update.ListFile: {Data: list}, update.StampFile: {Data: sign(update.StampOf(list, l, rolledNew+60, far).Text())}, rolledFile: {Data: program}}}
	h.since = h.now
	h.plan = rollout.Begin(h.now, rolledNew, "0~2", []string{"gw-1", "gw-2", "gw-3"})
	h.commit()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	root := filepath.Join(t.TempDir(), "root")
	if err := os.WriteFile(root, first, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, g := range h.plan.Gateways {
		x := &gatewayOf{id: g.ID, store: &slot.Store{Dir: t.TempDir()}, running: rolledOld}
		x.config = fetch.Config{Server: srv.URL, Dir: t.TempDir(), Store: x.store, Root: root, Path: rolledFile, Arch: "arm64", Every: time.Minute,
			Client: func() *http.Client { return &http.Client{Transport: as(x.id)} },
			Clock:  func() (update.Clock, bool) { return update.Clock{Now: rolledNow, Sure: true}, true }}
		h.gateways = append(h.gateways, x)
	}
	return h
}

// as says who asks, as a certificate does at the real port.
type as string

func (a as) RoundTrip(rq *http.Request) (*http.Response, error) {
	rq.Header.Set("Gateway", string(a))
	return http.DefaultTransport.RoundTrip(rq)
}

func (h *hallOf) commit() {
	data, err := json.Marshal(h.plan)
	if err != nil {
		h.t.Fatal(err)
	}
	h.database = data
}

// step is the server's: what is decided counts once it is committed. The caller holds mu.
func (h *hallOf) step() {
	f := rollout.Facts{Now: h.now, Since: h.since, Open: true, Seen: h.seen}
	for _, g := range h.gateways {
		s := h.seen[g.id]
		if !g.down {
			s.Heard = h.now
		}
		h.seen[g.id] = s
	}
	next, acts := h.plan.Step(rolledRules, f)
	h.plan = next
	if len(acts) > 0 {
		h.commit()
	}
}

func (h *hallOf) ServeHTTP(w http.ResponseWriter, rq *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hangUp == 1 {
		panic(http.ErrAbortHandler)
	}
	if h.hangUp > 1 {
		h.hangUp--
	}
	gw, q := rq.Header.Get("Gateway"), rq.URL.Query()
	if name, ok := strings.CutPrefix(rq.URL.Path, "/v1/file/"); ok {
		if !h.plan.Serves(gw, h.seen[gw]) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		if h.rnd.IntN(4) == 0 { // cut off somewhere
			data := h.folder[name].Data
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data[:h.rnd.IntN(len(data))])
			panic(http.ErrAbortHandler)
		}
		http.ServeFileFS(w, rq, h.folder, name)
		return
	}
	number := func(key string) int64 { n, _ := strconv.ParseInt(q.Get(key), 10, 64); return n }
	h.seen[gw] = rollout.Seen{Said: h.now, Running: number("running"), Word: rollout.Word(q.Get("state")), Number: number("number"), Try: int(number("try"))}
	h.step()
	if !h.plan.Serves(gw, h.seen[gw]) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	_, _ = fmt.Fprintf(w, `{"number":%d,"try":%d,"files":[{"path":"STAMP"},{"path":"MANIFEST"},{"path":"root/1"},{"path":%q}]}`, h.plan.Number, h.plan.Find(gw).Tries, rolledFile)
}

// killServer ends the server at once and starts it anew: it knows what is in its database.
func (h *hallOf) killServer() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hangUp, h.since, h.seen, h.plan = 0, h.now, map[string]rollout.Seen{}, rollout.Plan{}
	if err := json.Unmarshal(h.database, &h.plan); err != nil {
		h.t.Fatal(err)
	}
}

// boot is what the service manager and `start` do.
func (h *hallOf) boot(g *gatewayOf) {
	c, f, err := g.store.Choose(rolledOld)
	if err != nil {
		h.t.Fatalf("%s: nothing to start: %v", g.id, err)
	}
	if f != nil {
		if err := f.Close(); err != nil {
			h.t.Fatal(err)
		}
	}
	g.down, g.trial, g.running = false, 0, rolledOld
	if c.Number != 0 {
		g.running = c.Number
	}
	if c.Trial {
		g.trial = c.Number
		g.tried = append(g.tried, c.Number)
	}
}

// visit has a gateway ask; after so many steps of its disk the power goes, 0 = it stays.
func (h *hallOf) visit(g *gatewayOf, cut int) {
	defer func() {
		g.store.Step = nil
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			h.boot(g)
		}
	}()
	g.store.Step = func() {
		if cut--; cut == 0 {
			panic(killed{})
		}
	}
	c := g.config
	c.Own, c.Running, c.Trial = g.running, g.running, g.trial
	ctx, end := context.WithTimeout(h.t.Context(), time.Minute)
	defer end()
	_ = fetch.New(c).Visit(ctx) // what it could not do it does the next time
}

func (h *hallOf) state(g *gatewayOf) slot.State {
	st, err := g.store.State()
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

// life is one thing that happens.
func (h *hallOf) life() {
	g := h.gateways[h.rnd.IntN(len(h.gateways))]
	h.now = h.now.Add(time.Duration(h.rnd.IntN(60)) * time.Second)
	switch h.rnd.IntN(14) {
	case 0:
		h.killServer()
		return
	case 1: // killed in the midst of answering
		h.mu.Lock()
		h.hangUp = 1 + h.rnd.IntN(6)
		h.mu.Unlock()
		h.visit(g, 0)
		h.killServer()
		return
	case 2:
		h.boot(g) // the machine loses its power
	case 3:
		h.visit(g, 1+h.rnd.IntN(12))
	default:
		h.visit(g, 0)
	}
	st := h.state(g)
	switch {
	case g.trial != 0 && st.Next.Number == g.trial && h.bad[g.id]:
		h.boot(g) // it ended, and the one before starts
	case g.trial != 0 && st.Next.Number == g.trial && h.rnd.IntN(2) == 0:
		if err := g.store.Well(g.trial); err != nil {
			h.t.Fatal(err)
		}
		g.trial = 0
	case g.trial == 0 && st.Next.Number != 0 && h.rnd.IntN(2) == 0:
		h.boot(g) // the doors are locked and closed
	}
}

// check is what must hold at any moment.
func (h *hallOf) check() {
	h.mu.Lock()
	h.step()
	plan := h.plan
	h.mu.Unlock()
	turns, trying := 0, 0
	for i, g := range h.gateways {
		line := plan.Gateways[i]
		if line.Stage == rollout.Turn {
			turns++
		}
		st := h.state(g)
		if st.Next.Number != 0 {
			trying++
		}
		if g.running < rolledOld || g.running < st.Held.Number {
			h.t.Fatalf("%s runs %d, held %+v", g.id, g.running, st)
		}
		if line.Stage == rollout.Good && (g.running != rolledNew || h.bad[g.id]) {
			h.t.Fatalf("%s is done and runs %d, bad %t", g.id, g.running, h.bad[g.id])
		}
		if line.Tries == 0 && (len(g.tried) > 0 || st.Next.Number != 0) {
			h.t.Fatalf("%s tries without a turn", g.id)
		}
	}
	if turns > 1 || trying > 1 {
		h.t.Fatalf("%d turns, %d programs that wait or are tried: %+v", turns, trying, plan)
	}
}

// OP-4, I2: three gateways, servers and gateways killed at any step, transfers cut off anywhere. One gateway at a time; nobody without a turn
// tries anything; there is always a program to start and never an older one; a good release comes to all in the end, and one that a gateway
// does not get well with stays at that gateway's trial, with nobody after it.
func TestRolloutUnderKills(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 4
	}
	first := uint64(time.Now().UnixNano())
	if text := os.Getenv("MONBAN_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		first, seeds = n, 1
	}
	for i := range seeds {
		seed := first + uint64(i)
		t.Run(fmt.Sprint("SEED=", seed), func(t *testing.T) {
			h := newHallOf(t, seed)
			if h.rnd.IntN(2) == 0 {
				h.bad[h.gateways[h.rnd.IntN(3)].id] = true
			}
			resumed := 0
			for range rolledRounds {
				h.life()
				h.check()
				h.mu.Lock()
				if h.plan.State == rollout.Stopped && len(h.bad) == 0 { // a trial that a power cut ended is not well; a person tries again
					next, _, err := h.plan.Resume(h.now, "")
					if err != nil {
						t.Fatal(err)
					}
					h.plan = next
					h.commit()
					resumed++
				}
				over := h.plan.State == rollout.Done
				h.mu.Unlock()
				if over {
					break
				}
			}
			t.Logf("bad %v, resumed %d times, %s %s", h.bad, resumed, h.plan.State, h.plan.Cause)
			if len(h.bad) == 0 {
				if h.plan.State != rollout.Done {
					t.Errorf("%+v", h.plan)
				}
				return
			}
			at := slices.IndexFunc(h.gateways, func(g *gatewayOf) bool { return h.bad[g.id] })
			for _, g := range h.gateways[at+1:] {
				if len(g.tried) > 0 {
					t.Errorf("%s tried after %s was not well", g.id, h.gateways[at].id)
				}
			}
			if h.gateways[at].running != rolledOld {
				t.Errorf("%s runs %d", h.gateways[at].id, h.gateways[at].running)
			}
		})
	}
}
