package world

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	gatewayapp "monban/gateway/app"
	gatewayconfig "monban/gateway/config"
	"monban/server/app"
	"monban/server/ca"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

// commandSite is a whole server and two whole gateways with simulated doors, joined by the product's own broker over
// TLS on loopback, and an attacker that has the server's broker certificate and hears what the gateways hear.
type commandSite struct {
	t        *testing.T
	dir      string
	cmds     web.Commands
	attack   *packets
	link     note.Signer // a real key of the server, of another role
	mu       sync.Mutex
	tape     [2][][]byte // every command that went to each gateway
	unlocked [2]int      // genuine unlocks that were done, by gateway
}

func newCommandSite(t *testing.T) *commandSite {
	t.Helper()
	s := &commandSite{t: t, dir: t.TempDir()}
	ctx := t.Context()
	log := slog.New(slog.DiscardHandler)
	cfg, err := makeSite(ctx, s.dir, "commands", 2, log)
	if err != nil {
		t.Fatal(err)
	}
	site, err := app.OpenSite(cfg, time.Now(), log)
	if err != nil {
		t.Fatal(err)
	}
	serverTLS := site.CA.ClientTLS("")
	if s.link, err = site.Signer.NoteSigner(signer.RoleLink); err != nil {
		t.Fatal(err)
	}
	err = site.Store.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(tx.InsertAccount(store.Account{ID: "asks", Login: "asks", PasswordHash: "x", CreatedMS: 1}),
			tx.InsertAccount(store.Account{ID: "agrees", Login: "agrees", PasswordHash: "x", CreatedMS: 1}))
	})
	if err := errors.Join(err, site.Close()); err != nil {
		t.Fatal(err)
	}
	server, err := app.New(ctx, cfg, log, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	s.run("server", server.Run)
	s.cmds = server.Commands()
	for i := range 2 {
		gc, err := gatewayconfig.Parse("gateway.toml", fmt.Appendf(nil, `gateway = %q
site = %q
server = "tls://%s"
identity_dir = %q
data_dir = %q

[[door]]
id = %q
kind = "controlled"
exit = "reader"

[[door.reader]]
side = "enter"
type = "wiegand"
formats = ["H10301"]

[[door.reader]]
side = "exit"
type = "wiegand"
formats = ["H10301"]
`, gatewayName(i), cfg.Site, cfg.MQTT.Listen, identityDir(s.dir, "commands", i), filepath.Join(s.dir, string(gatewayName(i))), doorName(i)))
		if err != nil {
			t.Fatal(err)
		}
		g, err := gatewayapp.New(gatewayapp.Options{
			Config: gc, Sim: true, Trace: s.trace(i), Control: s.control(i), Version: "test", Log: log, Out: io.Discard,
		})
		if err != nil {
			t.Fatal(err)
		}
		s.run(string(gatewayName(i)), g.Run)
		id, err := gatewayapp.LoadIdentity(identityDir(s.dir, "commands", i))
		if err != nil {
			t.Fatal(err)
		}
		tap, err := dialMQTT(ctx, cfg.MQTT.Listen, string(gatewayName(i)), wire.Topic(cfg.Site, gatewayName(i), wire.KindCommand), id.TLS)
		if err != nil {
			t.Fatal(err)
		}
		_ = tap.conn.SetReadDeadline(time.Time{})
		t.Cleanup(func() { _ = tap.conn.Close() })
		go func() { // ends with the connection
			for {
				m, err := tap.message()
				if err != nil {
					return
				}
				s.mu.Lock()
				s.tape[i] = append(s.tape[i], bytes.Clone(m))
				s.mu.Unlock()
			}
		}()
	}
	if s.attack, err = dialMQTT(ctx, cfg.MQTT.Listen, ca.ServerName, wire.Topic(cfg.Site, gatewayName(0), wire.KindWant), serverTLS); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.attack.conn.Close() })
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		doors, err := s.cmds.CommandDoors(ctx)
		ready := err == nil
		for _, d := range doors {
			ready = ready && d.Linked && d.Known && d.State == door.Secured
		}
		if ready {
			// Linked is not enough: without its policy a door is locked.
			if c := s.order(0, door.CommandUnlock); c.State == web.CommandDone {
				if c := s.order(1, door.CommandUnlock); c.State == web.CommandDone {
					break
				}
			}
		}
		if time.Now().After(end) {
			t.Fatal("not linked within 60 s")
		}
	}
	return s
}

func (s *commandSite) run(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
	})
}

func (s *commandSite) trace(i int) string   { return filepath.Join(s.dir, fmt.Sprintf("trace-%d", i)) }
func (s *commandSite) control(i int) string { return filepath.Join(s.dir, fmt.Sprintf("c%d.sock", i)) }

// edges lists the wall times of the unlock edges of a gateway's lock, as the driver wrote them down.
func (s *commandSite) edges(i int) (out []time.Time) {
	s.t.Helper()
	data, err := os.ReadFile(s.trace(i))
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 5 || f[2] != "lock" || f[4] != "released" {
			continue
		}
		ns, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, time.Unix(0, ns))
	}
	return out
}

// order has one account ask and, for an unlock, another agree.
func (s *commandSite) order(i int, kind door.CommandKind) web.Command {
	s.t.Helper()
	c, err := s.cmds.AskCommand(s.t.Context(), web.CommandOrder{Door: doorName(i), Action: kind}, web.Action{At: time.Now(), Actor: "asks", Reason: "test"})
	if err == nil && kind == door.CommandUnlock {
		c, err = s.cmds.AgreeCommand(s.t.Context(), c.ID, web.Action{At: time.Now(), Actor: "agrees"})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	if kind == door.CommandUnlock && c.State == web.CommandDone {
		s.unlocked[i]++
	}
	return c
}

// hostile publishes one thing that no gateway may act on.
func (s *commandSite) hostile(rng *mathrand.Rand) {
	s.t.Helper()
	to := rng.IntN(2)
	s.mu.Lock()
	from := s.tape[rng.IntN(2)]
	var payload []byte
	if len(from) > 0 {
		payload = bytes.Clone(from[rng.IntN(len(from))])
		if rng.IntN(2) == 0 {
			payload = bytes.Clone(from[len(from)-1]) // still in its time
		}
	}
	s.mu.Unlock()
	kind := byte(packetPublish)
	switch rng.IntN(4) {
	case 0: // replayed, at its own gateway or at the other
	case 1:
		kind |= 1 // retained
	case 2: // changed
		if len(payload) > 0 {
			payload[rng.IntN(len(payload))] ^= 1
		}
	case 3: // signed by another key of the server, with the newest boot and challenge
		_, body, ok := bytes.Cut(payload, []byte(`"body":`))
		if end := bytes.Index(body, []byte("}}\n")); ok && end >= 0 {
			c, err := wire.ParseCommand(body[:end+1])
			if err != nil {
				break // the tape holds what was changed, too
			}
			_, _ = rand.Read(c.ID[:]) // crypto/rand never fails
			c.Gateway, c.Door = gatewayName(to), doorName(to)
			if payload, err = wire.Seal(s.link, benchSite, c.Gateway, wire.KindCommand, wire.AppendCommand(nil, &c)); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if err := s.attack.send(kind, appendText(nil, wire.Topic(benchSite, access.GatewayID(gatewayName(to)), wire.KindCommand)), payload); err != nil {
		s.t.Fatal(err)
	}
}

// I6, I7, D13: over the real broker, genuine commands act once and soon, while replayed, retained, changed,
// cross-gateway and wrongly signed ones, some within their time, never do, also after a lost connection.
func TestCommandsOverTheBroker(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server and two gateways")
	}
	genuine, hostile := 50, 2000
	if v := os.Getenv("MONBAN_COMMANDS"); v != "" { // the large form
		n, err := strconv.Atoi(v)
		if err != nil || n < 10 {
			t.Fatalf("MONBAN_COMMANDS=%q is no number of at least 10", v)
		}
		genuine, hostile = n, 40*n
	}
	s := newCommandSite(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := mathrand.New(mathrand.NewPCG(seed, 1))
	for i := range 2 {
		s.order(i, door.CommandRearm) // ends the release of the unlock that was tried first
	}
	var toEdge, toPage []time.Duration
	for n := range genuine {
		i := n % 2
		before := len(s.edges(i))
		c, err := s.cmds.AskCommand(t.Context(), web.CommandOrder{Door: doorName(i), Action: door.CommandUnlock}, web.Action{At: time.Now(), Actor: "asks", Reason: "test"})
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		c, err = s.cmds.AgreeCommand(t.Context(), c.ID, web.Action{At: start, Actor: "agrees"})
		if err != nil || c.State != web.CommandDone {
			t.Fatalf("command %d: %+v, %v", n, c, err)
		}
		toPage = append(toPage, time.Since(start))
		s.unlocked[i]++
		edges := s.edges(i)
		if len(edges) != before+1 {
			t.Fatalf("command %d: %d edges", n, len(edges)-before)
		}
		toEdge = append(toEdge, edges[before].Sub(start))
		for range hostile / genuine {
			s.hostile(rng)
		}
		if c := s.order(i, door.CommandRearm); c.State != web.CommandDone { // locks it again, so that the next edge is one
			t.Fatalf("re-arm %d: %+v", n, c)
		}
	}
	for i := range 2 { // what the broker kept is given to whoever subscribes anew
		for _, line := range []string{"link down", "link up"} {
			tellGateway(t, s.control(i), line)
			time.Sleep(300 * time.Millisecond)
		}
	}
	end := time.Now().Add(30 * time.Second)
	for i := range 2 {
		for s.order(i, door.CommandSelfTest).State != web.CommandDone {
			if time.Now().After(end) {
				t.Fatal("not linked again within 30 s")
			}
			time.Sleep(200 * time.Millisecond)
		}
		if got := len(s.edges(i)); got != s.unlocked[i] {
			t.Errorf("I7: gateway %d: %d unlock edges for %d genuine commands", i, got, s.unlocked[i])
		}
	}
	slices.Sort(toEdge)
	slices.Sort(toPage)
	at := func(d []time.Duration, q float64) time.Duration { return d[min(len(d)-1, int(q*float64(len(d))))] }
	t.Logf("%d hostile deliveries over the broker: 0 edges; %d genuine: agreed → edge p50 %v p99 %v max %v, agreed → page p50 %v p99 %v",
		hostile, genuine, at(toEdge, 0.5), at(toEdge, 0.99), toEdge[len(toEdge)-1], at(toPage, 0.5), at(toPage, 0.99))
	// The goal is 500 ms at p99, a hundred times what an idle machine takes. Few samples make the worst one p99, so the short
	// form asserts the median (D29).
	q := 0.5
	if genuine >= 500 {
		q = 0.99
	}
	if m := at(toEdge, q); m > 500*time.Millisecond {
		t.Errorf("agreed → edge: quantile %v is %v, want 500 ms at most", q, m)
	}
}

// tellGateway gives a simulated gateway one line.
func tellGateway(t *testing.T, path, line string) {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintln(c, line); err != nil {
		t.Fatal(err)
	}
	reply := make([]byte, 200)
	if n, err := c.Read(reply); err != nil || !strings.HasPrefix(string(reply[:n]), "ok") {
		t.Fatalf("%s: %q, %v", line, reply[:n], err)
	}
}
