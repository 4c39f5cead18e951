package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/app"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/broker"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/downlink"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

// The arms of (c) and (d), each a server process of its own.
const (
	armLog    = "log"    // the whole product server: the decision is on the disk before the answer leaves
	armLookup = "lookup" // same broker, TLS, link, unsealing, decision and signatures; nothing is written
)

// runArm is the server process of one arm. It ends when its standard input does, so that it never
// outlives the bench.
func runArm(ctx context.Context, arm, configFile string, in io.Reader) error {
	cfg, err := config.Load(configFile)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // ends with standard input, at the latest with the process
		_, _ = io.Copy(io.Discard, in)
		stop()
	}()
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: cfg.Level()}))
	switch arm {
	case armLog:
		a, err := app.New(ctx, cfg, log, io.Discard)
		if err != nil {
			return err
		}
		return a.Run(ctx)
	case armLookup:
		return runLookup(ctx, cfg, log)
	}
	return fmt.Errorf("no arm %q", arm)
}

// runLookup serves answers without a log. It is no server that a door may ask: it exists in the bench
// only, and `serve` cannot reach it.
func runLookup(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	s, err := app.OpenSite(cfg, time.Now(), log)
	if err != nil {
		return err
	}
	defer s.Close() // nothing was written
	role := func(r signer.Role) note.Signer {
		k, e := s.Signer.NoteSigner(r)
		err = errors.Join(err, e)
		return k
	}
	policySigner, linkSigner := role(signer.RolePolicy), role(signer.RoleLink)
	keysNote, e := os.ReadFile(cfg.Path("keys", "keys.note"))
	if err = errors.Join(err, e, os.MkdirAll(cfg.Path("run"), 0o700)); err != nil {
		return err
	}
	pub := policypub.New(policypub.Config{Store: s.Store, Signer: policySigner, Site: cfg.Site, Keys: s.Keys, Now: time.Now})
	if err := pub.Reload(ctx); err != nil {
		return err
	}
	b, err := broker.New(broker.Config{
		Listen: cfg.MQTT.Listen, Site: cfg.Site, Server: ca.ServerName, TLS: s.CA.ServerTLS(), RuntimeDir: cfg.Path("run"),
		MaxGateways: cfg.MQTT.MaxGateways, Denied: s.CA.Denied, Log: log,
	})
	if err != nil {
		return err
	}
	defer b.Close() // the process ends
	half := &lookup{authority: authority.New(pub), pub: pub, site: s}
	d, err := downlink.New(downlink.Config{
		Site: cfg.Site, Broker: "tls://" + b.Addr(), TLS: s.CA.ClientTLS(""), Name: ca.ServerName, Signer: linkSigner, Keys: string(keysNote),
		Authority: half, Ingest: half, Health: half, Policies: half, Gateways: half,
		AskTimeout: cfg.Ask.Timeout.Std(), AskWorkers: cfg.Ask.Workers, MaxGateways: cfg.MQTT.MaxGateways, Log: log,
	})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	all.Go(func() { _ = b.Run(ctx) }) // ends with ctx
	err = d.Run(ctx)
	all.Wait()
	return err
}

// lookup is what stands behind the link in the arm without a log.
type lookup struct {
	authority *authority.Authority
	pub       *policypub.Publisher
	site      *app.Site
}

// Answer implements downlink.Authority with the product's authority over a transaction that keeps nothing.
func (l *lookup) Answer(_ context.Context, _ access.GatewayID, ask wire.Ask, at time.Time) (wire.Answer, error) {
	return l.authority.Answer(noLog{}, &ask, at.UnixMilli())
}

func (l *lookup) Handle(context.Context, access.GatewayID, wire.Events, time.Time) (downlink.Committed, error) {
	return downlink.Committed{}, errors.New("this arm keeps no records")
}

func (l *lookup) Watermark(context.Context, access.GatewayID, wire.Hello) (downlink.Committed, error) {
	return downlink.Committed{}, nil
}
func (l *lookup) Heartbeat(access.GatewayID, wire.Heartbeat, time.Time) {}
func (l *lookup) Backlog(access.GatewayID, bool)                        {}
func (l *lookup) Finding(access.GatewayID, link.Finding, time.Time)     {}

func (l *lookup) Versions(gw access.GatewayID) (link.Versions, bool) {
	v, ok := l.pub.Versions(gw)
	return link.Versions(v), ok
}

func (l *lookup) Manifest(gw access.GatewayID) ([]byte, bool) {
	m, err := l.pub.Manifest(gw)
	return m, err == nil
}

func (l *lookup) Chunk(gw access.GatewayID, hash wire.Hash) ([]byte, bool) {
	return l.pub.Chunk(gw, hash)
}

func (l *lookup) Verifier(gw access.GatewayID) (note.Verifier, bool) {
	v, err := l.site.Verifier(gw)
	return v, err == nil
}

// noLog is a transaction that finds nothing and keeps nothing.
type noLog struct{}

func (noLog) AttemptRow([16]byte) (attempt.Row, error)    { return attempt.Row{}, store.ErrNotFound }
func (noLog) AttemptLeaves(int64) ([]int64, error)        { return nil, store.ErrNotFound }
func (noLog) Leaf(int64) (entrylog.Leaf, error)           { return entrylog.Leaf{}, store.ErrNotFound }
func (noLog) OpenFinding(_, _, _, _ string) (bool, error) { return true, nil }
func (noLog) PINCount(card.Ref) (uint8, int64, error)     { return 0, 0, nil }
func (noLog) SetPINFailed(card.Ref, uint8) error          { return nil }
func (noLog) AfterCommit(f func())                        { f() }
func (noLog) AppendFirstDecision(entrylog.Decision, *entrylog.Opening) (int64, bool, error) {
	return 1, true, nil
}
func (noLog) AppendDecision(entrylog.Decision, *entrylog.Opening) (int64, error) {
	return 1, nil
}
func (noLog) AppendFinding(attempt.Finding, *entrylog.Opening) (int64, error) { return 1, nil }

// child is the server process of an arm.
type child struct {
	process *os.Process
	stdin   *os.File
	logs    string
}

// startArm starts this program again as one arm's server. It is the program itself with a fixed
// argument list; nothing else is ever started.
func startArm(arm string, cfg *config.Config, configFile string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	logs := cfg.DataDir + ".log"
	stderr, err := os.OpenFile(logs, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	in, stdin, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	p, err := os.StartProcess(self, []string{self, "bench", "--arm", arm, "--dir", configFile}, &os.ProcAttr{Files: []*os.File{in, null, stderr}, Env: os.Environ()})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start server of arm %s: %w", arm, err), stdin.Close())
	}
	return &child{p, stdin, logs}, nil
}

// stop ends the process and waits for it.
func (c *child) stop() error {
	_ = c.stdin.Close() // the child ends with it
	state, err := c.process.Wait()
	if err != nil {
		return fmt.Errorf("server process: %w", err)
	}
	if !state.Success() {
		text, _ := os.ReadFile(c.logs) // for a person; the state is the error
		return fmt.Errorf("server process: %s\n%s", state, text)
	}
	return nil
}

// cpu is the processor time the process has used, user and system. Linux counts it exactly and shows
// it in ticks of 10 ms (proc(5), fields 14 and 15 of stat).
func (c *child) cpu() (time.Duration, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(c.process.Pid) + "/stat")
	if err != nil {
		return 0, fmt.Errorf("processor time of the server: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), ") ") // the name may hold anything but this
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0, errors.New("processor time of the server: /proc/PID/stat is too short")
	}
	user, err1 := strconv.ParseInt(f[11], 10, 64)
	system, err2 := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}
